"""MatMul and Gemm with constant weights: a product of integers, and a scale outside.

With ``x[k] = a[k] * q[k] + b[k]`` and ``w[k, m] = s[k] * t[m] * i[k, m]``, the sum over k is
``t[m] * c * sum(n[k] * i[k, m] * q[k]) + t[m] * sum(s[k] * i[k, m] * b[k])``, where ``c`` is the
greatest common divisor of the rationals ``a[k] * s[k]`` and ``n[k]`` their integer quotients: 1
where all inputs share one scale.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from lutloom.core.ops import Linear
from lutloom.core.rational import common_divisor, rationals
from lutloom.core.types import Const
from lutloom.streamline.align import aligned, compact, varying_axes
from lutloom.streamline.constant_grids import moved, transposed
from lutloom.streamline.context import required, required_constant, required_scaled
from lutloom.streamline.errors import ModelError
from lutloom.streamline.layout import in_model_order, reshaped
from lutloom.streamline.scaling import scale_and_shift
from lutloom.streamline.symbols import Constant, Grid, Scaled
from lutloom.streamline.weights import grid_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.streamline.context import Context, Inputs
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Symbol

_MATRIX = 2
_MOST_MULTIPLIER_BITS = 32


def matmul(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """``x @ w`` over the last axis, or ``w @ x`` over the last but one: a transpose away from it.

    Raises ``ModelError`` for a product of two results, or with the batch.
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
        raise ModelError(
            f"{node} multiplies two results of the network, which this version has no hardware for"
        )
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
    import numpy as np

    if x.is_clamped:
        raise ModelError(
            f"{node} multiplies floats: {x.trail[-1]} before it is not followed by a quantizer;"
            " quantize the activations of that layer"
        )
    fits = weights.array.ndim == _MATRIX and x.shape and weights.array.shape[0] == x.shape[-1]
    if not fits or not weights.array.size:
        raise ModelError(
            f"{node}: weights of the shape {list(weights.array.shape)} do not fit data of the shape"
            f" {['N', *x.shape]}; they should be [{x.shape[-1] if x.shape else 1}, outputs]"
        )
    grid = grid_of(weights)
    if grid is None:
        raise ModelError(
            f"{node}: its weights are not quantized; train the layer with a weight quantizer"
            " (brevitas.nn.QuantLinear), or remove it"
        )
    x = in_model_order(context.build, node, x)
    last = len(x.shape) - 1
    if any(axis != last for axis in varying_axes(x.slope, x.offset)):
        raise ModelError(
            f"{node}: the scale of its input varies along another dimension than that of the sum;"
            " use one scale for the tensor"
        )
    rows, columns = _split_scale(node, grid)
    fan_in = x.shape[-1]
    slopes = np.broadcast_to(x.slope.reshape(-1), (fan_in,))
    offsets = np.broadcast_to(x.offset.reshape(-1), (fan_in,))
    factors = [a * s for a, s in zip(slopes.tolist(), rows, strict=True)]
    unit = common_divisor(set(factors)) or Fraction(1)
    if all(factor == factors[0] for factor in factors) and factors[0] != 0:
        unit = factors[0]
    multipliers = [int(factor / unit) for factor in factors]
    integers = grid.integers
    if any(multiplier != 1 for multiplier in multipliers):
        integers = _multiplied(node, integers, multipliers)
    value = context.build.add(node, "", Linear(Const(integers)), (x.value,))
    slope = np.array([unit * t for t in columns], dtype=object)
    shifts = [s * b for s, b in zip(rows, offsets.tolist(), strict=True)]
    offset = np.array(
        [t * total for t, total in zip(columns, _weighted(grid.integers, shifts), strict=True)],
        dtype=object,
    )
    leading = (1,) * last
    return Scaled(
        value,
        x.axes,
        (*x.shape[:-1], integers.shape[1]),
        compact(slope.reshape(*leading, -1)),
        compact(offset.reshape(*leading, -1)),
    )


def _split_scale(node: SourceNode, grid: Grid) -> tuple[list[Fraction], list[Fraction]]:
    """Return the scale of each row (input) and of each column (output), one of the two ones."""
    import numpy as np

    inputs, outputs = grid.integers.shape
    scale = compact(np.broadcast_to(grid.scale, grid.integers.shape))
    if scale.shape[0] == 1:
        return [Fraction(1)] * inputs, np.broadcast_to(scale[0], (outputs,)).tolist()
    if scale.shape[1] == 1:
        return scale[:, 0].tolist(), [Fraction(1)] * outputs
    raise ModelError(
        f"{node}: every weight has a scale of its own; use one for the tensor, or one an output"
    )


def _multiplied(
    node: SourceNode, integers: NDArray[Any], multipliers: list[int]
) -> NDArray[np.int64]:
    import numpy as np

    widest = max(abs(multiplier) for multiplier in multipliers).bit_length()
    if widest > _MOST_MULTIPLIER_BITS:
        raise ModelError(
            f"{node}: the scales of its input channels meet in multipliers of {widest} bits; use"
            " one scale for the tensor, or powers of two"
        )
    return np.asarray(integers * np.array(multipliers, dtype=np.int64)[:, np.newaxis])


def _weighted(integers: NDArray[Any], shifts: list[Fraction]) -> list[Fraction]:
    """Return ``sum over k of integers[k, m] * shifts[k]`` for each m."""
    import numpy as np

    outputs = integers.shape[1]
    if not any(shifts):
        return [Fraction(0)] * outputs
    if all(shift == shifts[0] for shift in shifts):
        return [shifts[0] * int(total) for total in integers.sum(axis=0, dtype=np.int64)]
    unit = common_divisor(set(shifts))
    quotients = np.array([int(shift / unit) for shift in shifts], dtype=object)
    return [unit * int(total) for total in quotients @ integers.astype(object)]
