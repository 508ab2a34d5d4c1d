"""Staircases as multiply, add and truncate in floating point, proved equal on every integer.

``floor(slope * x + shift)``, each operation rounded, never falls as ``x`` grows: it is the number
of thresholds that ``x`` reaches, everywhere, if it is on both sides of each threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SEARCHED = 80
# Where in the room that the thresholds leave a line is tried, from the middle on.
_TRIED = (0.0, 0.25, -0.25, 0.45, -0.45)
_TOO_FAR = 2.0**30


@dataclass(frozen=True, eq=False)
class Lines:
    """``min(max(int(slope * float(x) + shift), 0), levels)`` of every row; float32 or float64."""

    slopes: NDArray[np.floating]
    shifts: NDArray[np.floating]


def lines_of(
    thresholds: NDArray[np.int64],
    least: NDArray[np.int64],
    most: NDArray[np.int64],
    dtype: np.dtype[np.floating],
) -> Lines | None:
    """Return lines that count how many of ``thresholds [rows, levels]`` an integer reaches.

    Each row ascends from ``least [rows]`` for always to ``most [rows] + 1`` for never, and is right
    for integers of that range. None where there is no such line, or no place for it in ``dtype``.
    """
    import numpy as np

    slopes, middles, room = _straightest(thresholds, least, most)
    # A row that is the same level everywhere has no slope: those that are always reached count.
    flat = np.where(slopes == 0, (thresholds <= least[:, None]).sum(axis=1), 0)
    made = Lines(np.zeros(len(slopes), dtype), np.zeros(len(slopes), dtype))
    missing = np.ones(len(slopes), np.bool_)
    for tried in _TRIED:
        shifts = (0.5 - middles + tried * room) * slopes + flat
        made.slopes[missing] = slopes.astype(dtype)[missing]
        made.shifts[missing] = shifts.astype(dtype)[missing]
        missing = ~_are_equal(made, thresholds, least, most)
        if not missing.any():
            return made
    return None


def _straightest(
    thresholds: NDArray[np.int64], least: NDArray[np.int64], most: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the slopes of lines through the thresholds, their middles, and the room around them.

    Threshold ``t`` of level ``j + 1`` allows a line ``(x - middle + 0.5) / width`` wherever
    ``t - width * (j + 1)`` is within half of the middle: of some width all of them are closest.
    """
    import numpy as np

    wide = thresholds.astype(np.float64)
    levels = np.arange(1, thresholds.shape[1] + 1, dtype=np.float64)
    is_reached, is_missed = thresholds <= most[:, None], thresholds > least[:, None]

    def ends(width: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        places = wide - width[:, None] * levels
        low = np.where(is_reached, places, np.inf).min(axis=1, initial=np.inf)
        high = np.where(is_missed, places, -np.inf).max(axis=1, initial=-np.inf)
        return low, high

    begin = np.full(len(wide), 2.0**-8)
    end = 2.0 * (most - least + 2).astype(np.float64)
    for _ in range(_SEARCHED):  # the distance of the ends is a convex function of the width
        left, right = begin + (end - begin) / 3, end - (end - begin) / 3
        spreads = [np.subtract(*reversed(ends(width))) for width in (left, right)]
        is_left = spreads[0] <= spreads[1]
        begin, end = np.where(is_left, begin, left), np.where(is_left, right, end)
    width = (begin + end) / 2
    low, high = ends(width)
    # A row that is the same level everywhere may have nothing on one of its sides.
    is_flat = ~(np.isfinite(low) & np.isfinite(high))
    low, high = np.where(is_flat, 0, low), np.where(is_flat, 0, high)
    slopes = np.where(is_flat, 0, 1 / width)
    return slopes, (low + high) / 2, np.clip(1 - (high - low), 0, 1)


def _are_equal(
    lines: Lines,
    thresholds: NDArray[np.int64],
    least: NDArray[np.int64],
    most: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Return which of ``lines [rows]`` are right on both sides of every threshold."""
    import numpy as np

    dtype = lines.slopes.dtype
    slopes, shifts = lines.slopes[:, None], lines.shifts[:, None]

    def at(x: NDArray[np.int64]) -> NDArray[np.floating]:
        return slopes * x.astype(dtype) + shifts

    levels = np.arange(1, thresholds.shape[1] + 1)
    ends = at(np.stack([least, most], axis=1))
    is_near = (np.abs(ends) < _TOO_FAR).all(axis=1)
    is_reached = (at(thresholds) >= levels) | (thresholds > most[:, None])
    is_missed = (at(thresholds - 1) < levels) | (thresholds <= least[:, None])
    return np.asarray(is_near & is_reached.all(axis=1) & is_missed.all(axis=1))
