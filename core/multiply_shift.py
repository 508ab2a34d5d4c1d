"""``(m * x + b) >> s`` through a staircase: the smallest shift, found and proved.

A staircase that ascends is known by its corners. A *lower* corner ``(x, y)`` says that level ``y``
is reached at ``x``, an *upper* one that ``y`` is not reached yet:

    m * x + b >= y * 2^s    for lower corners,        m * x + b < y * 2^s    for upper ones.

For integers the second is ``<= y * 2^s - 1``. So for one ``m`` the least ``b`` is the largest
``y * 2^s - m * x`` over the lower corners, the greatest the smallest ``y * 2^s - 1 - m * x`` over
the upper ones, and ``m`` will do if and only if the first is not above the second. Where it is
above, the two corners that say so forbid this ``m`` and all to one side of it, by

    m * (x_lower - x_upper) >= (y_lower - y_upper) * 2^s + 1,

so that the search for the least ``m`` goes on behind it (this is Newton's method on a concave
function, from the left), or ends: there is none. A solution for ``s`` is one for ``s + 1`` too,
doubled; so each channel keeps the first that it has, and all are scaled to the largest shift.
Nothing is rounded anywhere: the corners hold, or there is no solution.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers: TypeAlias = NDArray[Any]
    """Of int64 where a bound has been checked, of Python's integers elsewhere."""

    Corners: TypeAlias = tuple[Integers, Integers, Integers, Integers]
    """``x`` and ``y`` of a lower corner, ``x`` and ``y`` of an upper one, of each channel."""

Touching: TypeAlias = "Callable[[Integers, Integers, int], Corners]"
"""``touching(channels, m, s)``: the lower corners with the largest ``y * 2^s - m * x``, and the
upper ones with the smallest, for each of those channels."""

NARROW_SUM, WIDE_SUM = 62, 94
"""Bits of the magnitude of ``m * x + b``: in int64 with a margin, and in two digits of 32 bits
and more."""


@dataclass(frozen=True, eq=False)
class Slopes:
    """``(multipliers[c] * x + biases[c]) >> shift``; both arrays hold Python's integers.

    With ``ties_to_even``, an odd level whose sum is a multiple of ``2^shift`` becomes the even
    one below it.
    """

    multipliers: Integers
    biases: Integers
    shift: int
    ties_to_even: bool = False

    def level(self, total: int) -> int:
        """Return the level of a sum, without a clamp."""
        level = total >> self.shift
        is_tie = self.ties_to_even and level << self.shift == total
        return level - (is_tie and level % 2)


def fit(touching: Touching, channels: int, reach: int, height: int, bits: int) -> Slopes | None:
    """Return slopes through the corners of all channels, with the smallest shift; or None.

    ``reach`` and ``height`` bound the magnitudes of ``x`` and ``y`` in all corners. None means
    that no slopes exist with ``m * x`` and ``y * 2^s`` below ``2 ** (bits - 2)``.
    """
    import numpy as np

    most = (1 << (bits - 2)) // max(reach, 1)
    last_shift = bits - 2 - max(height, 1).bit_length()
    multipliers, biases = (np.zeros(channels, dtype=object) for _ in range(2))
    shifts = np.zeros(channels, dtype=np.int64)
    # What is known: m * run[0] > rise[0] * 2^s, and m * run[1] < rise[1] * 2^s where run[1] > 0.
    rise, run = np.zeros((2, channels), dtype=object), np.zeros((2, channels), dtype=object)
    run[0] = 1
    left = np.arange(channels)
    for shift in range(last_shift + 1):
        unit = 1 << shift
        done = np.zeros(channels, dtype=bool)
        trying = left
        while True:
            least_m = (rise[0, trying] * unit) // run[0, trying] + 1
            bounded = run[1, trying] > 0
            beyond = least_m > most
            beyond |= bounded & (least_m * run[1, trying] >= rise[1, trying] * unit)
            trying, m = trying[~beyond], least_m[~beyond]
            if not trying.size:
                break
            low_x, low_y, up_x, up_y = touching(trying, m, shift)
            least_b = low_y * unit - m * low_x
            fits = least_b <= up_y * unit - 1 - m * up_x
            found = trying[fits]
            multipliers[found], biases[found], shifts[found] = m[fits], least_b[fits], shift
            done[found] = True
            trying, rises, runs = trying[~fits], (low_y - up_y)[~fits], (low_x - up_x)[~fits]
            if (runs == 0).any():
                return None
            ahead = runs > 0
            rise[0, trying[ahead]], run[0, trying[ahead]] = rises[ahead], runs[ahead]
            rise[1, trying[~ahead]], run[1, trying[~ahead]] = -rises[~ahead], -runs[~ahead]
            trying = trying[ahead]
        left = left[~done[left]]
        if not left.size:
            return _scaled(multipliers, biases, shifts)
        if (
            (run[1, left] > 0) & (rise[0, left] * run[1, left] >= rise[1, left] * run[0, left])
        ).any():
            return None
    return None


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
    least, most = min(lowest.tolist()), max(highest.tolist())
    for x in (first, final):
        sums = slopes.multipliers * x + slopes.biases
        for total, lo, hi in zip(sums.tolist(), lowest.tolist(), highest.tolist(), strict=True):
            level = slopes.level(total)
            if min(max(level, least), most) != min(max(level, lo), hi):
                return False
    return True


def listed_corners(low_x: Integers, low_y: Integers, up_x: Integers, up_y: Integers) -> Touching:
    """Return ``touching`` for corners in arrays ``[channels, corners]`` of int64.

    Products stay within int64 if ``fit`` is asked for ``NARROW_SUM`` bits.
    """
    import numpy as np

    def touching(channels: Integers, m: Integers, shift: int) -> Corners:
        slope = m.astype(np.int64)[:, np.newaxis]
        lower = (low_y[channels] << shift) - slope * low_x[channels]
        upper = (up_y[channels] << shift) - slope * up_x[channels]
        first = np.arange(len(channels))
        highest, lowest = lower.argmax(axis=1), upper.argmin(axis=1)
        found = (
            low_x[channels][first, highest],
            low_y[channels][first, highest],
            up_x[channels][first, lowest],
            up_y[channels][first, lowest],
        )
        x0, y0, x1, y1 = (array.astype(object) for array in found)
        return x0, y0, x1, y1

    return touching
