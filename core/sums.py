"""The reach of a sum of products: what its accumulator must hold, given the very weights.

With ``x`` in ``lo, lo + step, ..., hi``, the sum over k of ``w[k] * x[k]`` lies between
``P*lo + N*hi`` and ``P*hi + N*lo``, where ``P`` and ``N`` are the sums of the positive and of the
negative weights; both ends are reached. Its values are congruent modulo ``step * gcd(w)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import gcd
from typing import TYPE_CHECKING

from lutloom.core.exact import matmul
from lutloom.core.types import INT64_MAX, IntType

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.types import Const, IntArray, TensorType
    from lutloom.core.windows import Windows


def type_of_sums(lows: Sequence[int], highs: Sequence[int], stride: int) -> IntType:
    """Return the narrowest type of sums that lie ``stride`` apart, from each low to its high.

    Raises ``ValueError`` where that takes more than 64 bits.
    """
    lo, hi = min(lows), max(highs)
    step = gcd(stride, hi - lo, *(low - lo for low in set(lows)))
    return IntType(lo, hi, step or 1)


def type_of_products(a: IntType, b: IntType) -> IntType:
    """Return the narrowest type of products of an integer of ``a`` and one of ``b``.

    Raises ``ValueError`` where that takes more than 64 bits.
    """
    ends = [x * y for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
    # (a.lo + i s) * (b.lo + j t) = a.lo b.lo + i s b.lo + j t a.lo + i j s t
    s, t = (x.step if x.count > 1 else 0 for x in (a, b))
    return type_of_sums(ends, ends, gcd(s * b.lo, t * a.lo, s * t))


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
        return type_of_sums(lows, highs, x.step * self.divisor if x.count > 1 else 0)


@dataclass(frozen=True, eq=False)
class TapSums:
    """For every tap of a window and every output: the sums of its positive and negative weights.

    ``positive`` and ``negative`` are ``[taps, outputs]``; ``divisors [taps]`` divide the weights.
    """

    positive: IntArray
    negative: IntArray
    divisors: IntArray

    @classmethod
    def of(cls, weights: NDArray[np.integer]) -> TapSums:
        """Sum ``weights [taps, channels, outputs]`` over the channels."""
        import numpy as np

        fits = (
            int(np.abs(weights.astype(np.float64)).max()) * weights[..., 0].size <= INT64_MAX // 2
        )
        exact = np.int64 if fits else object
        return cls(
            np.maximum(weights, 0).sum(axis=1, dtype=exact),
            np.minimum(weights, 0).sum(axis=1, dtype=exact),
            np.gcd.reduce(weights.reshape(len(weights), -1), axis=1, dtype=np.int64),
        )

    def bounds(
        self, x: IntType, masks: NDArray[np.bool_], fill: int
    ) -> tuple[list[int], list[int]]:
        """Return the smallest and the largest sum of every output, in any window.

        ``masks [..., taps]`` say for each kind of window which taps see ``x``; the others see
        ``fill``.
        """
        lows, highs, _ = self._ends(x, masks, fill)
        return lows.min(axis=0).tolist(), highs.max(axis=0).tolist()

    def reach(self, x: IntType, masks: NDArray[np.bool_], fill: int) -> IntType:
        """Return the narrowest type that holds the sums of all outputs and windows.

        Raises ``ValueError`` where that takes more than 64 bits.
        """
        lows, highs, seen = self._ends(x, masks, fill)
        divisor = gcd(*self.divisors[seen].tolist())
        stride = x.step * divisor if x.count > 1 else 0
        return type_of_sums(lows.ravel().tolist(), highs.ravel().tolist(), stride)

    def reach_in(self, windows: Windows, x: TensorType, fill: int) -> IntType:
        """Return what ``reach`` does for ``windows`` over the image ``x [*image, C]``."""
        key = (windows, x, fill)
        if key not in self._reaches:
            masks = windows.borders(x.shape[:-1]).masks
            self._reaches[key] = self.reach(x.element, masks, fill)
        return self._reaches[key]

    @cached_property
    def _reaches(self) -> dict[tuple[Windows, TensorType, int], IntType]:
        # Every pass types a graph anew.
        return {}

    def _ends(
        self, x: IntType, masks: NDArray[np.bool_], fill: int
    ) -> tuple[NDArray[np.object_], NDArray[np.object_], NDArray[np.bool_]]:
        """Return the ends of every sum, ``[kinds of windows, outputs]``, and which taps see x."""
        import numpy as np

        seen = masks.reshape(-1, masks.shape[-1])
        # Products of the ends in Python's integers: int64 might not do.
        above, below = (
            matmul(seen.astype(np.int64), sums).astype(object)
            if sums.dtype == np.int64
            else seen.astype(object) @ sums
            for sums in (self.positive, self.negative)
        )
        total = self.positive.astype(object).sum(axis=0) + self.negative.astype(object).sum(axis=0)
        border = (total - above - below) * fill
        lows = above * x.lo + below * x.hi + border
        highs = above * x.hi + below * x.lo + border
        return lows, highs, np.asarray(seen.any(axis=0))
