"""MatMul and Gemm: a product of integers, mostly with constant weights, and a scale outside."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from lutloom.core.ops import Linear
from lutloom.core.rational import rationals
from lutloom.core.types import Const
from lutloom.streamline.align import aligned, compact
from lutloom.streamline.border_classes import expanded
from lutloom.streamline.clamp_terms import integers_of
from lutloom.streamline.constant_grids import moved, transposed
from lutloom.streamline.context import required, required_constant, required_scaled
from lutloom.streamline.errors import ModelError
from lutloom.streamline.layout import reordered, reshaped
from lutloom.streamline.rules.matrix_product import matrix_product
from lutloom.streamline.scaling import scale_and_shift
from lutloom.streamline.symbols import Constant, Scaled
from lutloom.streamline.weighted_sum import weighted_sum

if TYPE_CHECKING:
    from lutloom.streamline.context import Context, Inputs
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Symbol

_MATRIX = 2


def matmul(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``x @ w`` over the last axis, or ``w @ x`` over the last but one: a transpose away from it.

    Two results may be multiplied, too. Raises ``ModelError`` for a product with the batch.
    """
    import numpy as np

    left, right = required(node, inputs, 0), required(node, inputs, 1)
    if isinstance(left, Constant):
        x = required_scaled(node, inputs, 1, "a product")
        if len(x.shape) < _MATRIX or left.array.ndim != _MATRIX:
            raise ModelError(
                f"{node} has its weights on the left of {['N', *x.shape]}, which mixes images of a"
                " batch: export it as x @ w"
            )
        y = _product(node, _exchanged(x), transposed(left), context)
        return _exchanged(y)
    if not isinstance(right, Constant):
        return matrix_product(node, inputs, context)
    x = required_scaled(node, inputs, 0, "a product")
    if right.array.ndim == 1:  # a vector: the axis of the sum is gone
        column = moved(right, lambda array: array[:, np.newaxis])
        y = _product(node, x, column, context)
        return reshaped(context.build, node, y, x.shape[:-1])
    if _MATRIX < right.array.ndim <= len(x.shape) + 1:
        leading = right.array.shape[:-_MATRIX]
        if all(size == 1 for size in leading):
            right = moved(right, lambda array: array.reshape(array.shape[-_MATRIX:]))
    return _product(node, x, right, context)


def _exchanged(x: Scaled) -> Scaled:
    """Return the tensor with its last two axes exchanged; nothing moves."""
    last = len(x.shape) - 1
    places = {last: last - 1, last - 1: last}
    return replace(
        x,
        axes=tuple(places.get(axis, axis) for axis in x.axes),
        shape=(*x.shape[:-2], x.shape[-1], x.shape[-2]),
    )


def gemm(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``alpha * x @ w + beta * c``, ``w`` transposed or not."""
    import numpy as np

    x = required_scaled(node, inputs, 0, "a product")
    if node.integer("transA", 0) or len(x.shape) != 1:
        raise ModelError(f"{node} should multiply a matrix [N, K] by its weights from the right")
    weights = required_constant(node, inputs, 1, "weight matrix")
    if node.integer("transB", 0):
        weights = transposed(weights)
    y = _product(node, x, weights, context)
    alpha = rationals(np.float32(node.number("alpha", 1.0)))
    y = scale_and_shift(y, alpha, rationals(0))
    if len(inputs) > _MATRIX and inputs[2] is not None:
        bias = aligned(node, y, required_constant(node, inputs, 2, "bias").reals(), "bias")
        beta = Fraction(float(np.float32(node.number("beta", 1.0))))
        y = scale_and_shift(y, rationals(1), np.asarray(bias * beta))
    return y


def xnor_popcount(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """How many of the bits of ``x`` and ``w`` are equal, as FINN writes a product of signs.

    For 0 and 1 that is ``x (2 w - 1) + (1 - w)``, summed.
    """
    import numpy as np

    x = required_scaled(node, inputs, 0, "a product")
    bits = required_constant(node, inputs, 1, "weight matrix").array
    if not np.isin(bits, (0, 1)).all() or bits.ndim != _MATRIX:
        raise ModelError(f"{node}: its weights should be a matrix of 0 and 1")
    y = _product(node, x, Constant(2 * bits.astype(np.int64) - 1), context)
    zeros = (1 - bits.astype(np.int64)).sum(axis=0)
    return scale_and_shift(y, rationals(1), aligned(node, y, zeros, "count"))


def _product(node: SourceNode, x: Scaled, weights: Constant, context: Context) -> Scaled:
    x = integers_of(node, x, context.build)
    fits = weights.array.ndim == _MATRIX and x.shape and weights.array.shape[0] == x.shape[-1]
    if not fits or not weights.array.size:
        raise ModelError(
            f"{node}: weights of the shape {list(weights.array.shape)} do not fit data of the shape"
            f" {['N', *x.shape]}; they should be [{x.shape[-1] if x.shape else 1}, outputs]"
        )
    sums = weighted_sum(node, weights, groups=1, layer="QuantLinear")
    last = len(x.shape) - 1
    x = reordered(context.build, node, x, (*(axis for axis in x.axes if axis != last), last))
    if x.classes and x.classes[-1] is not None:
        x = expanded(node, x)
    integers, slope = sums.scaled(x)
    value = context.build.add(node, "", Linear(Const(integers)), (x.value,))
    return Scaled(
        value,
        x.axes,
        (*x.shape[:-1], integers.shape[1]),
        compact(slope.reshape((*[1] * last, -1))),
        sums.offset(x.offset),
        classes=x.classes,
    )
