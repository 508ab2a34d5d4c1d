"""Several pixels a cycle: channel by channel, pixels side by side are channels of one wide pixel.

    f(x [..., W, C])  =  f'(x [..., W / V, V * C])

where ``f'`` has the constants of ``f`` once for each of ``V`` pixels: elements keep their order, so
a word of ``V`` pixels is one of ``f'`` with all of its channels. What a process is with ``V``
pixels a cycle (its loop, its C++, what it takes) is therefore what ``f'`` is with one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar

from lutloom.codegen.kernels.kernel import Kernel, Legal, Site, divisors
from lutloom.codegen.kernels.places import by_pixel, column_sets
from lutloom.core.ops import (
    Add,
    BorderThreshold,
    Duplicate,
    Multiply,
    Requantize,
    Threshold,
)
from lutloom.core.plan import Comparison, Folding
from lutloom.core.types import Const, TensorType

_T = TypeVar("_T")
Widening: TypeAlias = "Callable[[Site, Folding], tuple[Site, Folding]]"

_NOT_WHOLE = "several are only taken whole, with the largest pe and simd"


def with_pixels(legal: Legal, pixels: tuple[int, ...]) -> Legal:
    """Return ``legal`` with so many ``pixels``, and why there are no more if it is one."""
    because: dict[object, str] = {"pixels": _NOT_WHOLE} if pixels == (1,) else {}
    return replace(legal, pixels=pixels, because={**legal.because, **because})


def pixels_in_a_row(site: Site) -> tuple[int, ...]:
    """Return how many pixels may be taken in a cycle: what divides those of a row of the image."""
    shape = site.inputs[0].shape
    return divisors(shape[-2]) if len(shape) > 1 else (1,)


def in_wide_pixels(kernel: Kernel, counted: Widening | None = None) -> Kernel:
    """Return ``kernel``, of a process that works channel by channel, for several pixels too.

    All but the C++ is that of the process that ``counted`` returns: ``side_by_side``, for one that
    needs nothing but sizes and what every pixel's constants are alike in. What is legal for it may
    depend on the form of a folding, on its lanes it doesn't.
    """
    widening = side_by_side if counted is None else counted

    # Planners ask for it with each of a hundred foldings.
    @lru_cache(maxsize=1024)
    def legal_in(site: Site, form: Comparison, several: tuple[int, ...]) -> Legal:
        return with_pixels(kernel.legal(site, Folding(comparison=form)), several)

    def legal(site: Site, folding: Folding) -> Legal:
        channels = site.inputs[0].channels
        pixels = pixels_in_a_row(site) if folding.pe == channels else (1,)
        if folding.pixels not in pixels or folding.pixels == 1:
            alone = folding if folding.pixels == 1 else replace(folding, pixels=1)
            return legal_in(site, kernel.settled(site, alone).comparison, pixels)
        wide, alone = widening(site, folding)
        found = legal_in(wide, kernel.settled(wide, alone).comparison, pixels)
        return replace(found, pe=(channels,))

    def settled(site: Site, folding: Folding) -> Folding:
        wide = kernel.settled(*widening(site, folding))
        return replace(wide, pe=folding.pe, pixels=folding.pixels)

    return Kernel(
        legal,
        widely(kernel.lanes, widening),
        widely(kernel.cycles, widening),
        widely(kernel.operators, widening),
        widely(kernel.weight_bits, widening),
        widely(kernel.code),
        settled,
    )


def widely(fact: Callable[..., _T], widening: Widening | None = None) -> Callable[..., _T]:
    """Return ``fact``, of a site and a folding, for foldings of several pixels too."""

    def of_wide(site: Site, folding: Folding, *others: object) -> _T:
        return fact(*(widening or widened)(site, folding), *others)

    return of_wide


def widened(site: Site, folding: Folding) -> tuple[Site, Folding]:
    """Return the process on wide pixels, and its folding: one such pixel a cycle."""
    if folding.pixels == 1:
        return site, folding
    return _wide_site(site, folding.pixels), _of_one(folding)


def side_by_side(site: Site, folding: Folding) -> tuple[Site, Folding]:
    """Return what ``widened`` does, but with the constants of one pixel alone.

    To write those of all pixels down takes time, and planners ask for every number of them.
    """
    if folding.pixels == 1:
        return site, folding
    return _long_site(site, folding.pixels), _of_one(folding)


def _of_one(folding: Folding) -> Folding:
    return replace(folding, pe=folding.pe * folding.pixels, pixels=1)


def wide_type(tensor: TensorType, pixels: int) -> TensorType:
    """Return ``[..., W, C]`` as ``[..., W / pixels, pixels * C]``."""
    *outer, width, channels = tensor.shape
    return TensorType(tensor.element, (*outer, width // pixels, pixels * channels))


# Planners ask for facts of the same few processes thousands of times.
@lru_cache(maxsize=1024)
def _wide_site(site: Site, pixels: int) -> Site:
    return Site(_wide(site.op, pixels, site.inputs[0].channels), *_wide_types(site, pixels))


@lru_cache(maxsize=1024)
def _long_site(site: Site, pixels: int) -> Site:
    return Site(site.op, *_wide_types(site, pixels))


def _wide_types(site: Site, pixels: int) -> tuple[tuple[TensorType, ...], tuple[TensorType, ...]]:
    ins, outs = (tuple(wide_type(t, pixels) for t in ts) for ts in (site.inputs, site.outputs))
    return ins, outs


def _wide(op: Any, pixels: int, channels: int) -> Any:  # noqa: ANN401 - an operator, of its class
    match op:
        case Duplicate() | Multiply():
            return op
        case Add():
            return Add(_tiled(op.multipliers, pixels, 1))
        case Requantize():
            return replace(
                op,
                multipliers=_tiled(op.multipliers, pixels, 0),
                biases=_tiled(op.biases, pixels, 0),
                lowest=_tiled(op.lowest, pixels, 0),
                highest=_tiled(op.highest, pixels, 0),
            )
        case Threshold():
            tables = (op.thresholds, op.base, op.deltas)
            return Threshold(*(_tiled(table, pixels, 0) for table in tables))
        case BorderThreshold():
            return _wide_border(op, pixels, channels)
        case _:
            raise TypeError(f"{op.name} does not work channel by channel")


def _tiled(const: Const, pixels: int, axis: int) -> Const:
    """Return ``const``, with a channel an entry of ``axis`` (one for all is that), by pixel."""
    import numpy as np

    if const.shape[axis] == 1:
        return const
    return Const(np.concatenate([const.data] * pixels, axis=axis))


def _wide_border(op: BorderThreshold, pixels: int, channels: int) -> BorderThreshold:
    """Return ``op`` with a class of columns for each set of them that stand side by side."""
    columns, tables = op.columns.int64, (op.thresholds, op.base, op.deltas)
    if columns.size == 1:
        thresholds, base, deltas = (_tiled(table, pixels, 2) for table in tables)
        return BorderThreshold(thresholds, base, deltas, op.rows, op.columns)
    sets, classes = column_sets(columns, pixels)
    repeats = channels // op.base.shape[2]
    thresholds, base, deltas = (
        Const(by_pixel(table.int64.repeat(repeats, axis=2), sets)) for table in tables
    )
    return BorderThreshold(thresholds, base, deltas, op.rows, Const(classes))
