"""A staircase as a line that is rounded: ``count of (s >= T_j) = clip(round(a s + b), 0, levels)``.

Where there is such a line in float32, libraries without thresholds compute the staircase in one
pass. The line is searched with the largest distance to where it must not be, and then proved: it
ascends, and so does each rounding, so that its values on both sides of every threshold settle all
others, be ``a s + b`` rounded once or twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from lutloom.core.types import IntArray, IntType

    Floats = NDArray[np.float64]

_STEPS = 120


@dataclass(frozen=True, eq=False)
class Lines:
    """``slope`` and ``offset`` of each channel, float32."""

    slope: NDArray[np.float32]
    offset: NDArray[np.float32]
    levels: int


def lines_of(thresholds: IntArray, sums: IntType) -> Lines | None:
    """Return the lines for ascending ``thresholds [channels, levels]`` of integers ``sums``.

    None where one channel has none.
    """
    levels = thresholds.shape[1]
    first = sums.lo + -((sums.lo - np.clip(thresholds, sums.lo, sums.hi + 1)) // sums.step) * (
        sums.step
    )
    # From here on the count is at least j; up to there it is below.
    at, below = first.astype(np.float64), first.astype(np.float64) - sums.step
    middle = np.arange(1, levels + 1) - 0.5
    lowest = np.where(at <= sums.hi, middle, -np.inf)
    highest = np.where(below >= sums.lo, middle, np.inf)

    def ends(slope: Floats) -> tuple[Floats, Floats]:
        """Return the least and the largest offset of a line of each slope."""
        least = (lowest - slope[:, None] * at).max(axis=1)
        return least, (highest - slope[:, None] * below).min(axis=1)

    slope = _widest(lambda s: np.subtract(*ends(s)[::-1]), len(at), levels / sums.step)
    least, largest = ends(slope)
    # A channel that is always or never there has only one end.
    least = np.where(np.isfinite(least), least, np.minimum(largest, levels) - levels - 1)
    largest = np.where(np.isfinite(largest), largest, least + levels + 1)
    offset = (least + largest) / 2
    made = Lines(slope.astype(np.float32), offset.astype(np.float32), levels)
    counts = np.where(lowest > -np.inf, _counts(thresholds, first), -1)
    counts_below = np.where(highest < np.inf, _counts(thresholds, first - sums.step), -1)
    proved = _is_right(made, at, counts) and _is_right(made, below, counts_below)
    return made if proved else None


def _widest(width: Callable[[Floats], Floats], channels: int, most: float) -> Floats:
    """Return where ``width``, a concave function of each slope, is largest from 0 to ``most``."""
    low, high = np.zeros(channels), np.full(channels, most)
    for _ in range(_STEPS):
        third = (high - low) / 3
        left, right = low + third, high - third
        is_left = width(left) > width(right)
        low, high = np.where(is_left, low, left), np.where(is_left, right, high)
    return np.asarray((low + high) / 2)


def _counts(thresholds: IntArray, sums: IntArray) -> IntArray:
    return np.asarray((sums[:, :, None] >= thresholds[:, None, :]).sum(axis=2))


def _is_right(lines: Lines, sums: Floats, counts: IntArray) -> bool:
    """Whether the lines give ``counts`` for ``sums``, where those are not negative."""
    slope, offset = lines.slope[:, None], lines.offset[:, None]
    once = (slope.astype(np.float64) * sums + offset).astype(np.float32)
    twice = slope * sums.astype(np.float32) + offset
    return all(
        bool(((np.clip(np.rint(found), 0, lines.levels) == counts) | (counts < 0)).all())
        for found in (once, twice)
    )
