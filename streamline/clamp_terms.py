"""``clamp(s p + a, lo, hi)``  =  ``s clamp(p, k, l) + c [p < k] + d [p > l] + a``: integers to add.

Where ``s > 0``, ``k`` is the least integer with ``s k + a >= lo`` and ``l`` the greatest with ``s l
+ a <= hi``; ``c`` and ``d`` make up for what is left between these and the bounds. Where ``s < 0``
the bounds change places. Exact: between ``k`` and ``l`` no bound does anything, and beyond them one
of the two is the result. A ReLU on integers without an offset needs no more than ``max(p, 0)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING

from lutloom.core.ops import Requantize, Threshold
from lutloom.core.types import Const
from lutloom.streamline.align import compact, varies_in_place
from lutloom.streamline.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lutloom.core.rational import Rationals
    from lutloom.core.types import IntType
    from lutloom.streamline.builder import GraphBuilder
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Scaled


def terms_of(
    node: SourceNode, x: Scaled, build: GraphBuilder
) -> tuple[dict[str, Rationals], Rationals]:
    """Return the values that ``x`` is a sum of, each with its factor, and the offset beside them.

    Raises ``ModelError`` where bounds differ by place, or clamp a sum that the graph does not hold.
    """
    if x.is_clamped:
        return _of_clamp(node, x, build)
    deferred = build.deferred.get(x.value)
    if deferred is None:
        return {x.value: x.slope}, x.offset
    return {name: compact(f * x.slope) for name, f in deferred.factors.items()}, x.offset


@dataclass(frozen=True, slots=True)
class _Clamp:
    """One channel: ``slope * clamp(p, *sorted((first, last))) + offset``, plus ``below`` where
    ``p < first`` and ``above`` where ``p > last``.
    """

    slope: Fraction
    offset: Fraction
    first: int
    last: int
    below: Fraction
    above: Fraction

    @staticmethod
    def of(
        slope: Fraction,
        offset: Fraction,
        bounds: tuple[Fraction | None, Fraction | None],
        element: IntType,
    ) -> _Clamp:
        lower, upper = bounds
        if slope == 0:
            offset = offset if lower is None else max(offset, lower)
            offset = offset if upper is None else min(offset, upper)
            return _Clamp(slope, offset, element.lo, element.hi, slope, slope)
        left, right = (lower, upper) if slope > 0 else (upper, lower)
        first, last = element.lo, element.hi
        if left is not None:
            first = min(max(first, ceil((left - offset) / slope)), last + 1)
        if right is not None:
            last = max(min(last, floor((right - offset) / slope)), element.lo - 1)
        lowest, highest = min(first, last), max(first, last)
        below = Fraction(0) if left is None else left - offset - slope * lowest
        above = Fraction(0) if right is None else right - offset - slope * highest
        # What no integer reaches does not count.
        below = below if first > element.lo else Fraction(0)
        above = above if last < element.hi else Fraction(0)
        return _Clamp(slope, offset, first, last, below, above)


def _of_clamp(
    node: SourceNode, x: Scaled, build: GraphBuilder
) -> tuple[dict[str, Rationals], Rationals]:
    if varies_in_place(*x.arrays):
        raise ModelError(
            f"{node} adds floats: {x.trail[-1]} clamps a branch whose numbers differ along the"
            " image, and that is not quantized again; put a quantizer on that branch"
        )
    clamps = _clamps(x, build)

    def numbers(of: Callable[[_Clamp], Fraction]) -> Rationals:
        import numpy as np

        array = np.empty((*[1] * (x.slope.ndim - 1), len(clamps)), dtype=object)
        array.ravel()[:] = [of(clamp) for clamp in clamps]
        return compact(array)

    one, zero = Const([[1]]), Const([[0]])
    lowest = Const([min(clamp.first, clamp.last) for clamp in clamps])
    highest = Const([max(clamp.first, clamp.last) for clamp in clamps])
    limit = Requantize(one, zero, 0, lowest, highest)
    terms = {build.add(node, "/clamp", limit, (x.value,)): numbers(lambda clamp: clamp.slope)}
    for suffix, share, start, base in (
        ("/below", numbers(lambda clamp: clamp.below), [c.first for c in clamps], 1),
        ("/above", numbers(lambda clamp: clamp.above), [c.last + 1 for c in clamps], 0),
    ):
        if any(share.ravel().tolist()):
            rows, heights = [[k] for k in start], [[1 - 2 * base]] * len(start)
            side = Threshold(Const(rows), Const([base] * len(start)), Const(heights))
            terms[build.add(node, suffix, side, (x.value,))] = share
    return terms, numbers(lambda clamp: clamp.offset)


def _clamps(x: Scaled, build: GraphBuilder) -> list[_Clamp]:
    """Return what each channel is, one where all share it."""
    import numpy as np

    absent = np.full((1,) * x.slope.ndim, None, dtype=object)
    bounds = (absent if array is None else array for array in (x.lower, x.upper))
    arrays = np.broadcast_arrays(x.slope, x.offset, *bounds)
    element = build.types[x.value].element
    return [
        _Clamp.of(slope, offset, (lower, upper), element)
        for slope, offset, lower, upper in zip(*(a.ravel().tolist() for a in arrays), strict=True)
    ]
