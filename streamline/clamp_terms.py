"""``clamp(s p + a, lo, hi)``  =  ``s clamp(p, k, l) + c [p < k] + d [p > l] + a``: integers to add.

Where ``s > 0``, ``k`` is the least integer with ``s k + a >= lo`` and ``l`` the greatest with ``s l
+ a <= hi``; ``c`` and ``d`` make up for what is left between these and the bounds. Where ``s < 0``
the bounds change places. Exact: between ``k`` and ``l`` no bound does anything, and beyond them one
of the two is the result. A ReLU on integers without an offset needs no more than ``max(p, 0)``.
Functions that are sums of clamps, such as a LeakyReLU, are so many of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, prod
from typing import TYPE_CHECKING

from lutloom.core.ops import (
    Add,
    BorderThreshold,
    Concat,
    Lookup,
    MaxPool,
    Permute,
    Requantize,
    Reshape,
    Slice,
    Threshold,
    Upsample,
    Window,
)
from lutloom.core.rational import rationals
from lutloom.core.types import Const
from lutloom.streamline.align import compact, varies_in_place
from lutloom.streamline.border_classes import check_elements, expanded
from lutloom.streamline.errors import ModelError
from lutloom.streamline.linear_pieces import linear_pieces
from lutloom.streamline.symbols import Curve, Scaled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lutloom.core.graph import Node
    from lutloom.core.op import Op
    from lutloom.core.rational import Rationals
    from lutloom.core.types import IntType
    from lutloom.streamline.builder import GraphBuilder
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Formula

_QUANTIZERS = (Threshold, BorderThreshold, Requantize, Lookup)
_MOVES = (Concat, MaxPool, Permute, Reshape, Slice, Upsample, Window)

# Of a sum to which something is added: beyond these bits its addends are looked at one by one, if
# all but the largest have together no more values than this.
_NARROW_BITS, _MOST_VALUES = 16, 64


def terms_of(
    node: SourceNode, x: Formula, build: GraphBuilder
) -> tuple[dict[str, Rationals], Rationals]:
    """Return the values that ``x`` is a sum of, each with its factor, and the offset beside them.

    Raises ``ModelError`` for a function that is no sum of clamps, and for a clamp of a sum that the
    graph does not hold.
    """
    import numpy as np

    if isinstance(x, Scaled):
        return _of_one(node, x, build)
    pieces = linear_pieces(node, x)
    if pieces is None:
        raise ModelError(
            f"{node} adds floats: {x.trail[-1]} before it is not followed by a quantizer; put a"
            " quantizer on that branch"
        )
    terms: dict[str, Rationals] = {}
    offsets: list[Rationals] = []
    for piece in pieces:
        own, offset = _of_one(node, piece, build)
        offsets.append(offset)
        for name, factor in own.items():
            terms[name] = np.asarray(terms.get(name, 0) + factor)
    return terms, np.asarray(sum(offsets))


def one_term(node: SourceNode, x: Formula, build: GraphBuilder) -> Scaled | None:
    """Return ``x`` as a value with a scale and an offset, if its clamp has an integer form alone.

    A ReLU has one where the offset before it is an integer multiple of the scale.
    """
    if isinstance(x, Curve):
        return None
    if not x.is_clamped:
        return x
    if varies_in_place(*x.arrays) or any(c.below or c.above for c in _clamps(x, (), build)):
        return None
    terms, offset = _of_clamp(node, x, build)
    ((value, slope),) = terms.items()
    return Scaled(value, x.axes, x.shape, slope, offset)


def integers_of(node: SourceNode, x: Scaled, build: GraphBuilder) -> Scaled:
    """Return ``x`` as the integers that ``node`` multiplies: a ReLU of quantized ones is some too.

    Raises ``ModelError`` where a ReLU or a clip has no integer form, and behind a sum: what comes
    out of that is as wide as an accumulator, and a quantizer was most likely forgotten.
    """
    if not x.is_clamped:
        return x
    integers = one_term(node, x, build) if _is_quantized(x.value, build) else None
    if integers is None:
        raise ModelError(
            f"{node} multiplies floats: {x.trail[-1]} before it is not followed by a quantizer;"
            " quantize the activations of that layer"
        )
    return integers


def _is_quantized(value: str, build: GraphBuilder) -> bool:
    """Whether ``value`` is an input or a quantizer's, whose elements at most moved since."""
    producer = build.producer(value)
    if producer is None or isinstance(producer.op, _QUANTIZERS):
        return True
    return isinstance(producer.op, _MOVES) and all(
        _is_quantized(name, build) for name in producer.inputs
    )


def _of_one(
    node: SourceNode, x: Scaled, build: GraphBuilder
) -> tuple[dict[str, Rationals], Rationals]:
    if x.is_clamped:
        return _of_clamp(node, x, build)
    deferred = build.deferred.get(x.value)
    factors = _addends(x.value, build) if deferred is None else deferred.factors
    return {name: compact(f * x.slope) for name, f in factors.items()}, x.offset


def _addends(value: str, build: GraphBuilder) -> Mapping[str, Rationals]:
    """Return what ``value`` is a sum of, several values if their exact multipliers are wide.

    Together with what is added to them they may do with narrow ones.
    """
    rank = len(build.types[value].shape)
    shape = (*[1] * (rank - 1), -1) if rank else ()
    node = build.producer(value)
    if node is None or not isinstance(node.op, Add) or not _is_worth_it(node.op, node, build):
        return {value: rationals([1]).reshape(shape)}
    addends: dict[str, Rationals] = {}
    for name, row in zip(node.inputs, node.op.multipliers.int64, strict=True):
        addends[name] = addends.get(name, 0) + rationals(row).reshape(shape)
    return addends


def _is_worth_it(op: Add, node: Node, build: GraphBuilder) -> bool:
    """Whether multipliers are wide, and values few enough for a proof of others."""
    *few, _ = sorted(build.types[name].element.count for name in node.inputs)
    return widest_factor(op) > _NARROW_BITS and prod(few) <= _MOST_VALUES


def widest_factor(op: Add) -> int:
    """Return the bits of the largest magnitude among the multipliers of ``op``."""
    return max(-op.multipliers.lo, op.multipliers.hi).bit_length()


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
    """Return the terms of a clamp, by element where its numbers differ by place."""
    import numpy as np

    shape = build.types[x.value].shape
    is_flat = varies_in_place(*x.arrays)
    value = x.value
    if is_flat:
        x = expanded(node, x)
        check_elements(node, prod(shape))
        value = build.add(node, "/flat", Reshape((prod(shape),)), (x.value,))
    clamps = _clamps(x, shape if is_flat else (), build)

    def numbers(of: Callable[[_Clamp], Fraction]) -> Rationals:
        array = np.empty(shape if is_flat else (*[1] * (x.slope.ndim - 1), len(clamps)), object)
        array.ravel()[:] = [of(clamp) for clamp in clamps]
        return compact(array)

    def added(suffix: str, op: Op) -> str:
        name = build.add(node, suffix, op, (value,))
        return build.add(node, suffix, Reshape(shape), (name,)) if is_flat else name

    lowest = Const([min(clamp.first, clamp.last) for clamp in clamps])
    highest = Const([max(clamp.first, clamp.last) for clamp in clamps])
    limit = Requantize(Const([[1]]), Const([[0]]), 0, lowest, highest)
    terms = {added("/clamp", limit): numbers(lambda clamp: clamp.slope)}
    for suffix, share, start, base in (
        ("/below", numbers(lambda clamp: clamp.below), [c.first for c in clamps], 1),
        ("/above", numbers(lambda clamp: clamp.above), [c.last + 1 for c in clamps], 0),
    ):
        if share.any():
            rows, heights = [[k] for k in start], [[1 - 2 * base]] * len(start)
            side = Threshold(Const(rows), Const([base] * len(start)), Const(heights))
            terms[added(suffix, side)] = share
    return terms, numbers(lambda clamp: clamp.offset)


def _clamps(x: Scaled, shape: tuple[int, ...], build: GraphBuilder) -> list[_Clamp]:
    """Return what each channel is, one where all share it, or each element of ``shape``."""
    import numpy as np

    absent = np.full((1,) * x.slope.ndim, None, dtype=object)
    bounds = (absent if array is None else array for array in (x.lower, x.upper))
    arrays = np.broadcast_arrays(x.slope, x.offset, *bounds, np.empty(shape))[:4]
    element = build.types[x.value].element
    return [
        _Clamp.of(slope, offset, (lower, upper), element)
        for slope, offset, lower, upper in zip(*(a.ravel().tolist() for a in arrays), strict=True)
    ]
