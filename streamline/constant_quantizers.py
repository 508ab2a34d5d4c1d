"""QuantizeLinear and DequantizeLinear of constants: weights and biases as QCDQ exports hold them.

The integers are found in float32, half to even, as ONNX defines it. What they stand for, integers
less their zero point times the exact scale, is not rounded: they are a quantizer of weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from lutloom.core.rational import rationals
from lutloom.streamline.errors import ModelError
from lutloom.streamline.symbols import Constant, Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lutloom.streamline.source import SourceNode

    Array: TypeAlias = NDArray[Any]


def quantized(node: SourceNode, inputs: Sequence[Constant | None]) -> Constant:
    """Return the integers of a QuantizeLinear."""
    import numpy as np

    x, scale, zero_point = _operands(node, inputs)
    if x.dtype.kind != "f" or not np.isfinite(x).all():
        raise ModelError(f"{node}: its constant input should hold finite floats: train again")
    kind = zero_point.dtype if zero_point is not None else np.dtype(np.uint8)
    limits = np.iinfo(kind)
    shift = 0 if zero_point is None else zero_point.astype(np.int64)
    levels = np.rint(x.astype(np.float32) / scale).clip(-(2.0**62), 2.0**62).astype(np.int64)
    return Constant(np.clip(levels + shift, limits.min, limits.max).astype(kind))


def dequantized(node: SourceNode, inputs: Sequence[Constant | None]) -> Constant:
    """Return the reals of a DequantizeLinear."""
    import numpy as np

    x, scale, zero_point = _operands(node, inputs)
    if x.dtype.kind not in "iu":
        raise ModelError(f"{node}: its constant input holds {x.dtype}, and should hold integers")
    integers = x.astype(np.int64)
    if zero_point is not None:
        integers = integers - zero_point.astype(np.int64)
    array = integers.astype(np.float32) * scale
    return Constant(array, Grid(integers, rationals(scale)))


def _operands(
    node: SourceNode, inputs: Sequence[Constant | None]
) -> tuple[Array, Array, Array | None]:
    """Return the tensor, the scale and the zero point, the latter two along the node's axis.

    Raises ``ModelError`` if one of them does not fit.
    """
    import numpy as np

    arrays = [None if constant is None else constant.array for constant in (*inputs, None, None)]
    x, scale, zero_point = arrays[:3]
    if x is None or scale is None:
        raise ModelError(f"{node} lacks its data or its scale: the file is damaged")
    if node.integer("block_size", 0):
        raise ModelError(f"{node} has a scale for every block; use one for the tensor or a channel")
    if scale.dtype.kind != "f" or not np.isfinite(scale).all() or (scale == 0).any():
        raise ModelError(f"{node}: its scale is zero or no number: train or export the model again")
    if zero_point is not None and zero_point.dtype.kind not in "iu":
        raise ModelError(
            f"{node}: its zero point holds {zero_point.dtype}, and should hold integers"
        )
    shape: tuple[int, ...] = ()
    if scale.size > 1:
        axis = node.integer("axis", 1)
        if not -x.ndim <= axis < x.ndim or scale.shape != (x.shape[axis],):
            raise ModelError(
                f"{node}: its scale of shape {list(scale.shape)} does not fit weights of shape"
                f" {list(x.shape)}; use one, or one for each index of its axis"
            )
        shape = tuple(scale.size if i == axis % x.ndim else 1 for i in range(x.ndim))
    if zero_point is not None and zero_point.size != scale.size:
        raise ModelError(f"{node}: its zero point should have the shape of its scale")
    return (
        x,
        scale.astype(np.float32).reshape(shape),
        None if zero_point is None else zero_point.reshape(shape),
    )
