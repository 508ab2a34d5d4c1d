"""Pools: what ``lutloom::max_pool`` and ``lutloom::sum_pool`` have in common.

``pe`` channels at a time. Windows that do not overlap take a word a beat, others a tap a beat.
"""

from __future__ import annotations

from lutloom.codegen.kernels.kernel import Lanes, Legal, Site, divisors, storage
from lutloom.codegen.kernels.line_buffer import Axis, Walk, axes_of
from lutloom.core.plan import Folding, Memory


def legal(site: Site, _folding: Folding) -> Legal:
    """Return the legal foldings."""
    return Legal(divisors(site.inputs[0].channels), memory=tuple(Memory))


def lanes(_site: Site, folding: Folding) -> Lanes:
    """Return the elements in a word."""
    return (folding.pe,), (folding.pe,)


def cycles(site: Site, folding: Folding) -> int:
    """Return the cycles of a frame."""
    return site.inputs[0].size // folding.pe if is_disjoint(site) else walk(site, folding).beats


def operators(_site: Site, folding: Folding) -> int:
    """Return the comparisons or additions at work in a cycle."""
    return folding.pe


def axes(site: Site) -> tuple[Axis, Axis]:
    """Return the rows and columns of the windows of ``site``."""
    return axes_of(site.op.windows, site.inputs[0].shape[:-1])


def walk(site: Site, folding: Folding) -> Walk:
    """Return the walk over the windows: all taps of ``pe`` channels, then the next ones."""
    folds = site.inputs[0].channels // folding.pe
    return Walk(*axes(site), folds, folds)


def is_disjoint(site: Site) -> bool:
    """Whether no pixel lies in two windows, and each window sees one."""
    return all(_is_disjoint(axis) for axis in axes(site))


def _is_disjoint(axis: Axis) -> bool:
    is_dense = axis.dilation == 1 or axis.kernel == 1
    is_apart = axis.stride >= axis.kernel or axis.results == 1
    _, is_there = axis.pixels()
    return is_dense and is_apart and bool(is_there.any(axis=1).all())


def facts(site: Site, folding: Folding) -> dict[str, object]:
    """Return what the templates say of the windows."""
    rows, columns = axes(site)
    folds = site.inputs[0].channels // folding.pe
    known: dict[str, object] = {
        "rows": rows.arguments,
        "columns": columns.arguments,
        "storage": storage(folding.memory),
    }
    if is_disjoint(site):
        return {**known, "is_disjoint": True, "folds": folds, "entries": columns.results * folds}
    steps = walk(site, folding)
    return {**known, "is_disjoint": False, "buffer": steps.arguments, "beats": steps.beats}
