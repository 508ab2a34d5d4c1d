"""``steps(clamp(slope * x + offset, lower, upper))``  =  integer thresholds on ``x``.

Exact: for an integer ``x`` and ``slope > 0``, ``slope * x + offset >= b`` holds if and only if
``x >= ceil((b - offset) / slope)``, and ``>`` if and only if ``x >= floor(...) + 1``; a negative
slope turns the comparison round, and its steps go down. A clamp does not decrease, so it leaves
every comparison as it is, or decides it for all ``x``: the steps that its lower bound takes, and
those that its upper bound does not reach.

The quotients of all channels and steps are computed in float64, each with a bound on its error. A
quotient that the bound keeps away from every integer has a certain floor; the others, exact ties
among them, are decided in integers of any size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from typing import TYPE_CHECKING, Any

from lutloom.streamline.rows import packed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.ops import Threshold
    from lutloom.core.types import IntArray
    from lutloom.streamline.steps import Steps

# Thresholds that are computed at once: a few dozen megabytes.
_BLOCK = 1 << 18


@dataclass(frozen=True, slots=True)
class Ramp:
    """``clamp(slope * x + offset, lower, upper)`` for the integers ``lo .. hi`` of one channel."""

    slope: Fraction
    offset: Fraction
    lower: Fraction | None
    upper: Fraction | None
    lo: int
    hi: int


def staircase(ramps: Sequence[Ramp], steps: Sequence[Steps]) -> Threshold:
    """Return the operator whose channel ``c`` computes ``steps[c](ramps[c](x))``.

    Only the steps that the channel can reach are kept.
    """
    import numpy as np

    rows = [_rows(block, of) for block, of in _blocks(ramps, steps)]
    base, counts, thresholds, heights = (np.concatenate(parts) for parts in zip(*rows, strict=True))
    return packed(base, counts, thresholds, heights, max(ramp.hi for ramp in ramps))


def _blocks(
    ramps: Sequence[Ramp], steps: Sequence[Steps]
) -> Iterator[tuple[list[Ramp], list[Steps]]]:
    """Yield the channels in pieces of a moderate size, the number of steps the same in each."""
    pairs = list(zip(ramps, steps, strict=True))
    for count, group in groupby(pairs, key=lambda pair: len(pair[1].boundaries)):
        members = list(group)
        size = max(1, _BLOCK // max(1, count))
        for start in range(0, len(members), size):
            block = members[start : start + size]
            yield [ramp for ramp, _ in block], [of for _, of in block]


def _rows(ramps: list[Ramp], steps: list[Steps]) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Return base and number of steps of every channel, thresholds and heights of all steps."""
    import numpy as np

    undecided = [_undecided(ramp, of) for ramp, of in zip(ramps, steps, strict=True)]
    begin, end = (_column([pair[side] for pair in undecided]) for side in (0, 1))
    index = np.arange(len(steps[0].boundaries))
    is_open = (begin <= index) & (index < end)
    rising = _column([ramp.slope > 0 for ramp in ramps])
    first, is_beyond = _changes(ramps, steps, rising)
    at_lo = first <= _column([ramp.lo for ramp in ramps])
    # A rising ramp takes a step from some x on, a falling one leaves it there.
    taken_at_lo = is_open & (at_lo & ~is_beyond) ^ (is_open & ~rising)
    live = is_open & ~at_lo & ~is_beyond
    height = _column([of.height for of in steps])
    base = _column([of.first for of in steps]) + height * (
        begin + taken_at_lo.sum(axis=1, keepdims=True)
    )
    falling = ~rising[:, 0]
    first[falling], live[falling] = first[falling, ::-1], live[falling, ::-1]
    heights = np.broadcast_to(np.where(rising, height, -height), live.shape)
    return base[:, 0], live.sum(axis=1), first[live], heights[live]


def _undecided(ramp: Ramp, steps: Steps) -> tuple[int, int]:
    """Return which steps some ``x`` may take and others not, as the first and the one behind."""
    begin, end = steps.within(ramp.lower, ramp.upper)
    if ramp.slope == 0:
        begin = end = min(max(steps.taken_by(ramp.offset), begin), end)
    return begin, end


def _changes(
    ramps: list[Ramp], steps: list[Steps], rising: NDArray[np.bool_]
) -> tuple[IntArray, NDArray[np.bool_]]:
    """Return the ``x`` from which on each step is taken (or left, by a falling ramp), ``[C, T]``.

    One below ``lo`` stands as ``lo``; whether it lies above ``hi`` is the second result.
    """
    import numpy as np

    shared = steps[0] if all(of is steps[0] for of in steps) else None
    tables = steps if shared is None else [shared]
    inclusive = np.array([of.inclusive for of in tables], dtype=np.bool_)
    boundaries = np.array([[_float(n, of.denominator) for n in of.numerators] for of in tables])
    lines = [_Line.of(ramp, of.denominator) for ramp, of in zip(ramps, steps, strict=True)]
    quotient, error = _quotients(lines, boundaries)
    lo, hi = _column([ramp.lo for ramp in ramps]), _column([ramp.hi for ramp in ramps])
    with np.errstate(all="ignore"):
        # The next floats make up for rounding lo and hi.
        is_beyond = quotient - 2 * error > np.nextafter(hi.astype(np.float64), np.inf)
        is_before = quotient + 2 * error < np.nextafter(lo.astype(np.float64), -np.inf)
        is_clear = np.abs(quotient - np.rint(quotient)) > error
    first = np.where(is_before, lo, hi)
    is_clear &= ~(is_before | is_beyond)
    first[is_clear] = np.floor(quotient[is_clear]).astype(np.int64) + 1
    unclear = np.nonzero(~(is_before | is_beyond | is_clear))
    ties_stay = np.broadcast_to(inclusive == rising, first.shape)[unclear]
    exact = _exactly(lines, tables, unclear, ties_stay)
    # Python's integers, which need not fit before they are clipped.
    least, most = (ends[unclear[0], 0].astype(object) for ends in (lo, hi))
    is_beyond[unclear] = exact > most
    first[unclear] = np.minimum(np.maximum(exact, least), most)
    is_beyond |= first > hi
    return np.clip(first, lo, hi), is_beyond


@dataclass(frozen=True, slots=True)
class _Line:
    """``(b - offset) / slope  =  (n * factor - shift) / divisor``, where ``b = n / denominator``.

    ``gradient * b + intercept`` is the same, the two rounded to the nearest float64. The divisor is
    positive; for a slope of zero, where nothing is asked, it is 1.
    """

    factor: int
    shift: int
    divisor: int
    gradient: float
    intercept: float

    @staticmethod
    def of(ramp: Ramp, denominator: int) -> _Line:
        slope, offset = ramp.slope, ramp.offset
        if slope == 0:
            return _Line(0, 0, 1, 0.0, 0.0)
        sign = 1 if slope > 0 else -1
        factor = sign * offset.denominator * slope.denominator
        shift = sign * offset.numerator * slope.denominator
        divisor = offset.denominator * abs(slope.numerator)
        return _Line(
            factor,
            shift * denominator,
            divisor * denominator,
            _float(factor, divisor),
            _float(-shift, divisor),
        )


def _quotients(
    lines: list[_Line], boundaries: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return ``(b - offset) / slope`` in float64, ``[C, T]``, and bounds on their errors.

    With ``u = 2^-53``, product and sum of three rounded numbers are off by at most
    ``5 u (|gradient b| + |intercept|)``, and by less than the second term where numbers are so
    small that they are rounded to multiples of 2^-1074. Where one overflows, the bound is infinite
    or no number, and no comparison with it holds.
    """
    import numpy as np

    gradient = np.array([[line.gradient] for line in lines])
    intercept = np.array([[line.intercept] for line in lines])
    with np.errstate(all="ignore"):
        product = gradient * boundaries
        size = np.abs(product) + np.abs(intercept)
        tiny = 2.0**-900 * (1 + np.abs(boundaries) + np.abs(gradient))
        return product + intercept, 2.0**-49 * size + tiny


def _exactly(
    lines: list[_Line],
    tables: Sequence[Steps],
    where: tuple[IntArray, ...],
    ties_stay: NDArray[np.bool_],
) -> NDArray[Any]:
    """Return the floors of the quotients at ``where``, plus 1 but for integers that stay."""
    import numpy as np

    channel, step = where
    numerators = np.empty((len(tables), len(tables[0].numerators)), dtype=object)
    for row, table in zip(numerators, tables, strict=True):
        row[:] = table.numerators
    factor, shift, divisor = (
        np.array([getattr(line, name) for line in lines], dtype=object)[channel]
        for name in ("factor", "shift", "divisor")
    )
    dividend = numerators[channel if len(tables) > 1 else 0, step] * factor - shift
    floor = dividend // divisor
    is_tie = np.asarray(floor * divisor == dividend, dtype=np.bool_)
    return np.asarray(floor + 1 - (is_tie & ties_stay), dtype=object)


def _float(numerator: int, denominator: int) -> float:
    """Return the quotient, correctly rounded; infinity where it is larger than any float."""
    try:
        return numerator / denominator
    except OverflowError:
        return float("inf") if (numerator > 0) == (denominator > 0) else float("-inf")


def _column(values: Sequence[int] | Sequence[bool]) -> NDArray[Any]:
    """Return ``values`` as ``[C, 1]``, integers as int64."""
    import numpy as np

    return np.array(values)[:, np.newaxis]
