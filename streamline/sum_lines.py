"""The points of a small domain beside the thresholds of a sum over it, line by line.

A line has one choice of values for all terms but the last; along it the sum rises. So each
threshold cuts every line in two: the points below it, and those at or above it. Multipliers tell
the threshold if the least new sum above a cut, of all lines, is above the greatest below a cut.

For two terms with multipliers ``v`` and ``z`` this is a condition on ``v / z``. With the cuts at
``y`` of the line ``x`` and at ``y'`` of the line ``x'``,

    v x + z y > v x' + z (y' - 1)

bounds it from below where ``x > x'``, and from above where ``x < x'``. Exact: cuts are integers,
and the bounds quotients of integers so small that float64 tells any two of them apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.types import IntArray

_MOST_CUTS, _MOST_PAIRS = 1 << 14, 1 << 17
_MOST_BITS = 61


@dataclass(frozen=True, eq=False)
class Lines:
    """``cuts [T, L]``: how many of the ``count`` points of each line are below each threshold.

    ``places [L, terms - 1]`` are the values of the other terms, from 0 up.
    """

    places: IntArray
    cuts: IntArray
    count: int

    @staticmethod
    def of(
        weights: Sequence[int], counts: Sequence[int], thresholds: Sequence[int]
    ) -> Lines | None:
        """Return the lines of ``sum(weights[i] * x[i])``, or None where there are too many."""
        import numpy as np

        *others, last = counts
        if prod(others) * len(thresholds) > _MOST_CUTS:
            return None
        places = np.indices(others).reshape(len(others), -1).T
        largest = max(*thresholds, sum(w * n for w, n in zip(weights, counts, strict=True)))
        # Python's integers where int64 might not hold them.
        exact = np.int64 if largest.bit_length() <= _MOST_BITS else object
        starts = places.astype(exact) @ np.array(weights[:-1], dtype=exact)
        above = starts - np.array(thresholds, dtype=exact)[:, np.newaxis]
        cuts = np.clip(-(above // weights[-1]), 0, last)
        return Lines(places, cuts.astype(np.int64), last)

    def sides(self, others: Sequence[int]) -> tuple[IntArray, IntArray] | None:
        """Return the least sums with the weights ``others`` at or above each threshold, and the
        greatest below it; None where they may not fit 64 bits.
        """
        import numpy as np

        *first, last = others
        ends = self.places.max(axis=0, initial=0).tolist()
        most = sum(w * end for w, end in zip(first, ends, strict=True)) + last * self.count
        if most.bit_length() > _MOST_BITS:
            return None
        at = self.places @ np.array(first, dtype=np.int64) + last * self.cuts
        least = np.where(self.cuts < self.count, at, most + 1).min(axis=1)
        return least, np.where(self.cuts > 0, at - last, -1).max(axis=1)

    def simplest_pair(self, steps: Sequence[int]) -> list[int] | None:
        """Return the smallest multipliers of two terms; None where there are too many lines.

        From one point of a term to the next are ``steps`` of its integers.
        """
        import numpy as np

        thresholds, lines = self.cuts.shape
        if thresholds * lines * lines > _MOST_PAIRS or self.count * lines**2 >= 1 << 50:
            return None
        above, below = self.cuts < self.count, self.cuts > 0
        pairs = above[:, :, np.newaxis] & below[:, np.newaxis, :]
        rise = self.cuts[:, :, np.newaxis] - self.cuts[:, np.newaxis, :] + 1
        run = np.arange(lines)[:, np.newaxis] - np.arange(lines)
        steep = pairs & (run > 0)
        low = _extreme(-rise, run, steep, 1)
        if low is None or low < 0:
            return [0, 1]
        if not (pairs & (run <= 0)).any():
            return [1, 0]
        high = _extreme(rise, -run, pairs & (run < 0), -1)
        scale = Fraction(steps[1], steps[0])
        ratio = simplest_between(low * scale, None if high is None else high * scale)
        return [ratio.numerator, ratio.denominator]


def _extreme(rise: IntArray, run: IntArray, where: NDArray[np.bool_], sign: int) -> Fraction | None:
    """Return the greatest ``rise / run``, or the least with a ``sign`` of -1; None of nothing."""
    import numpy as np

    rises, runs = rise[where], np.broadcast_to(run, rise.shape)[where]
    if not rises.size:
        return None
    place = int((sign * (rises / runs)).argmax())
    return Fraction(int(rises[place]), int(runs[place]))


def simplest_between(low: Fraction, high: Fraction | None) -> Fraction:
    """Return the fraction with the smallest numerator and denominator above ``low`` (at least 0)
    and below ``high``; None is infinity.

    >>> simplest_between(Fraction(2, 7), Fraction(1, 2))
    Fraction(1, 3)
    """
    whole = low.numerator // low.denominator
    if high is None or whole + 1 < high:
        return Fraction(whole + 1)
    low, high = low - whole, high - whole
    rest = simplest_between(1 / high, 1 / low if low else None)
    return whole + 1 / rest
