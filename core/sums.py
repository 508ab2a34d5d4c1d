"""The reach of a sum of products: what its accumulator must hold, given the very weights.

With ``x`` in ``lo, lo + step, ..., hi``, the sum over k of ``w[k] * x[k]`` lies between
``P*lo + N*hi`` and ``P*hi + N*lo``, where ``P`` and ``N`` are the sums of the positive and of the
negative weights; both ends are reached. Its values are congruent modulo ``step * gcd(w)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING

from lutloom.core.types import INT64_MAX, IntType

if TYPE_CHECKING:
    from lutloom.core.types import Const, IntArray


@dataclass(frozen=True, eq=False)
class WeightSums:
    """For every output: the sum of its positive weights, of its negative ones, their gcd."""

    positive: IntArray
    negative: IntArray
    divisor: int

    @classmethod
    def of(cls, weights: Const, *, axis: int) -> WeightSums:
        """Sum ``weights [.., ..]`` along ``axis``, that of the fan-in."""
        import numpy as np

        data = weights.data
        # Python's integers where int64 might not do; the types say later whether that is refused.
        fits = max(-weights.lo, weights.hi) * data.shape[axis] <= INT64_MAX
        exact = np.int64 if fits else object
        return cls(
            np.maximum(data, 0).sum(axis=axis, dtype=exact),
            np.minimum(data, 0).sum(axis=axis, dtype=exact),
            gcd(*np.unique(data).tolist()),
        )

    def bounds(self, x: IntType) -> tuple[list[int], list[int]]:
        """Return the smallest and the largest sum of every output (Python integers)."""
        pairs = list(zip(self.positive.tolist(), self.negative.tolist(), strict=True))
        lows = [p * x.lo + n * x.hi for p, n in pairs]
        highs = [p * x.hi + n * x.lo for p, n in pairs]
        return lows, highs

    def reach(self, x: IntType) -> IntType:
        """Return the narrowest type that holds the sums of all outputs.

        Raises ``ValueError`` where that takes more than 64 bits.
        """
        lows, highs = self.bounds(x)
        lo, hi = min(lows), max(highs)
        stride = x.step * self.divisor if x.count > 1 else 0
        step = gcd(stride, hi - lo, *(low - lo for low in lows))
        return IntType(lo, hi, step or 1)
