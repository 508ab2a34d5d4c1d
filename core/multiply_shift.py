"""``(m * x + b) >> s`` through a staircase: the smallest shift, found and proved.

A staircase that ascends is known by its corners. A *lower* corner ``(x, y, e)`` says that a level
is reached at ``x``, an *upper* one that it is not reached yet:

    m * x + b >= y * 2^s + e    for lower corners,    m * x + b < y * 2^s + e    for upper ones.

Where sums are rounded down, ``y`` is the level and ``e`` is 0; a level ``y + 1`` that every sum
above ``y * 2^s`` has, since it is rounded up, has an ``e`` of 1. For integers "below" is "at most
one less". So for one ``m`` the least ``b`` is the largest ``y * 2^s + e - m * x`` over the lower
corners, the greatest one less than the smallest over the upper ones, and ``m`` will do if and only
if the first is not above the second. Where it is, the two corners that say so forbid this ``m``
and all to one side of it, by

    m * (x_lower - x_upper) >= (y_lower - y_upper) * 2^s + e_lower - e_upper + 1,

so that the search for the least ``m`` goes on behind it (this is Newton's method on a concave
function, from the left), or ends: there is none. A solution for ``s`` is one for ``s + 1`` too,
doubled; so each channel keeps the first that it has, and all are scaled to the largest shift.
Nothing is rounded anywhere: the corners hold, or there is no solution.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers: TypeAlias = NDArray[Any]
    """Of int64 where a bound has been checked, of Python's integers elsewhere."""

    Corners: TypeAlias = tuple[Integers, Integers]
    """``x``, ``y`` and ``e`` of a lower corner of each channel, ``[3, channels]``, and of an upper
    one."""

Touching: TypeAlias = "Callable[[Integers, Integers, Integers], Corners]"
"""``touching(channels, m, s)``: the lower corners with the largest ``y * 2^s + e - m * x``, and the
upper ones with the smallest, for each of those channels, each with an ``m`` and an ``s``."""

NARROW_SUM, WIDE_SUM = 62, 94
"""Bits of the magnitude of ``m * x + b``: in int64 with a margin, and in two digits of 32 bits
and more."""


class ShiftRounding(Enum):
    """What becomes of ``total / 2^shift``, between two levels or halfway through one."""

    DOWN = "down"
    TIES_TO_EVEN = "ties_to_even"
    """Down; and an odd level whose total is a multiple of ``2^shift`` to the even one below it."""
    TO_ZERO = "to_zero"
    FROM_ZERO = "from_zero"


@dataclass(frozen=True, eq=False)
class Slopes:
    """``(multipliers[c] * x + biases[c]) / 2^shift``, rounded; arrays of Python's integers."""

    multipliers: Integers
    biases: Integers
    shift: int
    rounding: ShiftRounding = ShiftRounding.DOWN


def shifted(totals: Integers, shift: int, rounding: ShiftRounding) -> Integers:
    """Return the levels of sums, without a clamp."""
    import numpy as np

    levels: Integers = totals >> shift
    rest = levels << shift != totals
    match rounding:
        case ShiftRounding.DOWN:
            return levels
        case ShiftRounding.TIES_TO_EVEN:
            return np.asarray(levels - ~rest * (levels % 2))
        case ShiftRounding.TO_ZERO:
            return np.asarray(levels + rest * (totals < 0))
        case ShiftRounding.FROM_ZERO:
            return np.asarray(levels + rest * (totals > 0))


def fit(touching: Touching, channels: int, reach: int, height: int, bits: int) -> Slopes | None:
    """Return slopes through the corners of all channels, with the smallest shift; or None.

    ``reach`` and ``height`` bound the magnitudes of ``x`` and ``y`` in all corners. None means
    that no slopes exist with ``m * x`` and ``y * 2^s`` below ``2 ** (bits - 2)``.
    """
    import numpy as np

    most = (1 << (bits - 2)) // max(reach, 1)
    last_shift = bits - 2 - max(height, 1).bit_length()
    # Products of a multiplier and a run, and of a rise and a unit, are below 2^bits.
    is_narrow = bits <= NARROW_SUM and reach * height < 1 << (NARROW_SUM - 4)
    integer: type[Any] = np.int64 if is_narrow else object
    multipliers, biases = (np.zeros(channels, dtype=object) for _ in range(2))
    shifts = np.zeros(channels, dtype=np.int64)
    # What is known: m * run[0] >= rise[0] * 2^s + more[0], and, where run[1] > 0,
    # m * run[1] <= rise[1] * 2^s - more[1].
    rise, run, more = np.zeros((3, 2, channels), dtype=integer)
    one: Integers = np.ones((), dtype=integer)
    run[0] = more[0] = 1

    least = np.zeros(channels, dtype=integer)
    left = np.arange(channels)
    while left.size:
        trying = left
        while trying.size:
            if (shifts[trying] > last_shift).any():
                return None
            unit = one << shifts[trying]
            m = -(-(rise[0, trying] * unit + more[0, trying]) // run[0, trying])
            least[trying] = m
            beyond = m > most
            beyond |= (run[1, trying] > 0) & (
                np.minimum(m, most + 1) * run[1, trying] > rise[1, trying] * unit - more[1, trying]
            )
            trying = trying[beyond]
            shifts[trying] += 1
        m, unit = least[left], one << shifts[left]
        lower, upper = (np.asarray(found, integer) for found in touching(left, m, shifts[left]))
        least_b = lower[1] * unit + lower[2] - m * lower[0]
        fits = least_b < upper[1] * unit + upper[2] - m * upper[0]
        multipliers[left[fits]], biases[left[fits]] = m[fits], least_b[fits]
        left = left[~fits]
        runs, rises, extra = (lower - upper)[:, ~fits]
        if ((runs == 0) & (rises >= 0)).any():
            return None
        for side, beside, sign in ((0, runs > 0, 1), (1, runs < 0, -1)):
            channel = left[beside]
            rise[side, channel], run[side, channel] = sign * rises[beside], sign * runs[beside]
            more[side, channel] = extra[beside] + 1
        # Only behind a lower corner there may be another m for the same shift.
        shifts[left[runs <= 0]] += 1
        # The two bounds of m / 2^s have met, or crossed: they won't part with a larger shift.
        crossed = rise[0, left] * run[1, left] - rise[1, left] * run[0, left]
        met = (crossed == 0) & (more[0, left] + more[1, left] > 0)
        if ((run[1, left] > 0) & ((crossed > 0) | met)).any():
            return None
    return _scaled(multipliers, biases, shifts)


def _scaled(multipliers: Integers, biases: Integers, shifts: NDArray[Any]) -> Slopes:
    import numpy as np

    shift = int(shifts.max(initial=0))
    factors = np.array([1 << (shift - own) for own in shifts.tolist()], dtype=object)
    return Slopes(multipliers * factors, biases * factors, shift)


def clamps_once(
    slopes: Slopes, lowest: Integers, highest: Integers, first: Integers, final: Integers
) -> bool:
    """Return whether one clamp, to the least and greatest level of all channels, would do.

    Channel ``c`` takes the levels ``lowest[c] .. highest[c]`` at ``first[c] .. final[c]``. It is
    monotone: a wider clamp changes nothing if it changes nothing at both ends.
    """
    import numpy as np

    for x in (first, final):
        sums = slopes.multipliers * x + slopes.biases
        if sums.size and int(abs(sums).max()).bit_length() <= NARROW_SUM:
            sums = sums.astype(np.int64)
        levels = shifted(sums, slopes.shift, slopes.rounding)
        own = np.clip(levels, lowest, highest)
        if (np.clip(levels, lowest.min(), highest.max()) != own).any():
            return False
    return True


def listed_corners(low_x: Integers, low_y: Integers, up_x: Integers, up_y: Integers) -> Touching:
    """Return ``touching`` for corners in arrays ``[channels, corners]`` of int64.

    Products stay within int64 if ``fit`` is asked for ``NARROW_SUM`` bits.
    """
    import numpy as np

    def touching(channels: Integers, m: Integers, shifts: Integers) -> Corners:
        slope, shift = m.astype(np.int64)[:, np.newaxis], shifts[:, np.newaxis]
        lower = (low_y[channels] << shift) - slope * low_x[channels]
        upper = (up_y[channels] << shift) - slope * up_x[channels]
        first = np.arange(len(channels))
        highest, lowest = lower.argmax(axis=1), upper.argmin(axis=1)
        none = np.zeros(len(channels), np.int64)
        found = (
            (low_x[channels][first, highest], low_y[channels][first, highest], none),
            (up_x[channels][first, lowest], up_y[channels][first, lowest], none),
        )
        return np.array(found[0]), np.array(found[1])

    return touching
