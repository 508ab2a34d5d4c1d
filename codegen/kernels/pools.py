"""Pools: what ``lutloom::max_pool`` and ``lutloom::sum_pool`` have in common.

``pe`` channels at a time. Windows that do not overlap take a word a beat, others a tap a beat; with
all channels at once, also all taps (``simd``), of one window or of several.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from lutloom.codegen.kernels.kernel import WIDEST_WORD, Lanes, Legal, Site, divisors, storage
from lutloom.codegen.kernels.line_buffer import Axis, Walk, axes_of
from lutloom.codegen.kernels.pixels import with_pixels
from lutloom.codegen.kernels.span import Span, pixels_in_a_word, span_of
from lutloom.core.plan import Folding, Memory

_NOT_ALL: Mapping[object, str] = MappingProxyType(
    {"simd": "all taps are at work at once only with all channels"}
)


def legal(site: Site, folding: Folding) -> Legal:
    """Return the legal foldings."""
    channels, taps = site.inputs[0].channels, site.op.windows.taps
    at_once = _pixels_at_once(site) if folding.pe == channels else ()
    simd = (1, taps) if at_once and taps > 1 else (1,)
    because: Mapping[object, str] = {} if folding.pe == channels else _NOT_ALL
    found = Legal(divisors(channels), simd, tuple(Memory), because=because)
    return with_pixels(found, at_once if at_once and folding.simd == taps else (1,))


def _pixels_at_once(site: Site) -> tuple[int, ...]:
    """Return how many pixels may come in a cycle with all taps of their windows at work."""
    x, taps = site.inputs[0], site.op.windows.taps
    # All taps of all windows are one word.
    bits = taps * x.channels * x.element.bits
    found = pixels_in_a_word(site)
    return tuple(n for n in found if Span(*axes(site), n).windows * bits <= WIDEST_WORD)


def widest(site: Site, folding: Folding) -> int:
    """Return the widest word inside, where all taps are at work at once."""
    if not is_whole(site, folding):
        return 1
    x, span = site.inputs[0], span_of(site, folding)
    bits = x.channels * x.element.bits
    taps: int = span.windows * site.op.windows.taps
    return max(taps, span.stretches * folding.pixels) * bits


def is_whole(site: Site, folding: Folding) -> bool:
    """Whether all taps of windows are at work at once, in all channels."""
    return folding.pixels > 1 or folding.simd == site.op.windows.taps > 1


def lanes(site: Site, folding: Folding) -> Lanes:
    """Return the elements in a word."""
    windows = span_of(site, folding).windows if is_whole(site, folding) else 1
    return (folding.pe * folding.pixels,), (folding.pe * windows,)


def cycles(site: Site, folding: Folding) -> int:
    """Return the cycles of a frame."""
    if is_whole(site, folding):
        return span_of(site, folding).beats
    return site.inputs[0].size // folding.pe if is_disjoint(site) else walk(site, folding).beats


def operators(site: Site, folding: Folding) -> int:
    """Return the comparisons, additions or products at work in a cycle."""
    return lanes(site, folding)[1][0] * folding.simd


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
    x = site.inputs[0]
    folds = x.channels // folding.pe
    known: dict[str, object] = {
        "rows": rows.arguments,
        "columns": columns.arguments,
        "storage": storage(folding.memory),
        "is_whole": is_whole(site, folding),
    }
    if is_whole(site, folding):
        word_bits = folding.pixels * x.channels * x.element.bits
        stretches = span_of(site, folding).stretches
        return {**known, "is_disjoint": False, "word_bits": stretches * word_bits}
    if is_disjoint(site):
        return {**known, "is_disjoint": True, "folds": folds, "entries": columns.results * folds}
    steps = walk(site, folding)
    return {**known, "is_disjoint": False, "buffer": steps.arguments, "beats": steps.beats}
