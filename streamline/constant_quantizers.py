"""QuantizeLinear and DequantizeLinear of constants: weights and biases as QCDQ exports hold them.

The integers are found in float32, half to even, as ONNX defines it. What they stand for, integers
less their zero point times the exact scale, is not rounded: they are a quantizer of weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from lutloom.core.rational import rationals
from lutloom.streamline.errors import ModelError
from lutloom.streamline.linear_quantizers import linear_quantizer
from lutloom.streamline.symbols import Constant, Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lutloom.streamline.linear_quantizers import LinearQuantizer
    from lutloom.streamline.source import SourceNode

    Array: TypeAlias = NDArray[Any]


def quantized(node: SourceNode, inputs: Sequence[Constant | None]) -> Constant:
    """Return the integers of a QuantizeLinear."""
    import numpy as np

    x, quantizer = _operands(node, inputs)
    if x.dtype.kind != "f" or not np.isfinite(x).all():
        raise ModelError(f"{node}: its constant input should hold finite floats: train again")
    lo, hi = quantizer.limits(node)
    rounded = np.rint(x.astype(np.float32) / quantizer.scale).clip(-(2.0**62), 2.0**62)
    levels = np.clip(rounded.astype(np.int64) + quantizer.zero_point, lo, hi)
    return Constant(np.asarray(levels.astype(quantizer.dtype or np.int32)))


def dequantized(node: SourceNode, inputs: Sequence[Constant | None]) -> Constant:
    """Return the reals of a DequantizeLinear."""
    import numpy as np

    x, quantizer = _operands(node, inputs)
    if x.dtype.kind not in "iu":
        raise ModelError(f"{node}: its constant input holds {x.dtype}, and should hold integers")
    integers = np.asarray(x.astype(np.int64) - quantizer.zero_point)
    array = integers.astype(np.float32) * quantizer.scale
    return Constant(np.asarray(array), Grid(integers, rationals(quantizer.scale)))


def _operands(node: SourceNode, inputs: Sequence[Constant | None]) -> tuple[Array, LinearQuantizer]:
    """Return the tensor, and what the node says of it."""
    x, *others = (None if constant is None else constant.array for constant in inputs)
    if x is None:
        raise ModelError(f"{node} lacks its data or its scale: the file is damaged")
    return x, linear_quantizer(node, x.shape, others)
