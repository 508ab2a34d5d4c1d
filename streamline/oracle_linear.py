"""QuantizeLinear and DequantizeLinear as the ONNX standard defines them, one number after another.

``saturate(round(x / y_scale) + y_zero_point)``, half to even, is an integer of the type of the zero
point; ``(x - x_zero_point) * x_scale`` is a real. Constants are quantized in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto

from lutloom.streamline.oracle_reals import Number, step_of
from lutloom.streamline.oracle_values import (
    HALF,
    Known,
    Operation,
    OracleError,
    Value,
    Values,
    data,
    each,
    fractions,
    given,
    known,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

# Types that NumPy has by onnx's help only, by their names there.
_FOUR_BITS = {"int4": (-8, 7), "uint4": (0, 15)}
_OUTPUT_TYPES = {
    TensorProto.UNDEFINED: (0, 255),
    TensorProto.UINT8: (0, 255),
    TensorProto.INT8: (-128, 127),
    TensorProto.UINT16: (0, 65535),
    TensorProto.INT16: (-32768, 32767),
    TensorProto.UINT4: (0, 15),
    TensorProto.INT4: (-8, 7),
}


def _saturation(operation: Operation, zero_point: Known | None) -> tuple[int, int]:
    """Return the lowest and highest number of the type that is quantized to."""
    if zero_point is None:
        kind = operation.attributes.get("output_dtype", TensorProto.UNDEFINED)
        if kind not in _OUTPUT_TYPES:
            raise OracleError(f"type {kind} is none of integers")
        return _OUTPUT_TYPES[kind]
    dtype = zero_point.array.dtype
    if dtype.name in _FOUR_BITS:
        return _FOUR_BITS[dtype.name]
    if dtype.kind not in "iu":
        raise OracleError(f"a zero point of {dtype} is no integer")
    limits = np.iinfo(dtype)
    return int(limits.min), int(limits.max)


def _parameters(operation: Operation, inputs: Values, rank: int) -> tuple[Array, Array]:
    """Return the scale and the zero point, the one of integers; along the axis of many."""
    if operation.attributes.get("block_size", 0):
        raise OracleError("a scale for every block")
    scale, zero_point = known(inputs[1]).array, given(inputs, 2)
    zeros = np.zeros(scale.shape, np.int64) if zero_point is None else zero_point.array
    place = [1] * rank
    if scale.size > 1:
        place[operation.attributes.get("axis", 1)] = scale.size
    return (
        scale.astype(np.float32).reshape(place if scale.size > 1 else ()),
        zeros.astype(np.int64).reshape(place if scale.size > 1 else ()),
    )


def quantized_constant(operation: Operation, inputs: Sequence[Known | None]) -> Known:
    """Quantize a constant, in float32."""
    x = known(inputs[0]).array.astype(np.float32)
    scale, zero_point = _parameters(operation, inputs, x.ndim)
    low, high = _saturation(operation, given(inputs, 2))
    levels = fractions(np.rint(x / scale)) + fractions(zero_point)
    limited = each(lambda level: min(max(level, low), high), levels)
    return Known(np.asarray(limited, dtype=np.int64).astype(np.int32))


def dequantized_constant(operation: Operation, inputs: Sequence[Known | None]) -> Known:
    """Return what integers of the file stand for, unrounded."""
    x = known(inputs[0]).array.astype(np.int64)
    scale, zero_point = _parameters(operation, inputs, x.ndim)
    integers = np.asarray(x - zero_point)
    exact = np.asarray(fractions(integers) * fractions(scale), dtype=object)
    return Known(np.asarray(integers.astype(np.float32) * scale), exact)


def _quantize(operation: Operation, inputs: Values) -> list[Value]:
    x = data(inputs[0])
    scale, zero_point = _parameters(operation, inputs, x.ndim - 1)
    low, high = _saturation(operation, given(inputs, 2))

    def one(number: Number, s: Fraction, zero: Fraction) -> Fraction:
        level = step_of(number / s, round, lambda k: k + HALF) + int(zero)
        return Fraction(min(max(level, low), high))

    return [each(one, x, fractions(scale), fractions(zero_point))]


def _dequantize(operation: Operation, inputs: Values) -> list[Value]:
    x = data(inputs[0])
    scale, zero_point = _parameters(operation, inputs, x.ndim - 1)
    return [np.asarray((x - fractions(zero_point)) * fractions(scale), dtype=object)]


LINEAR: Mapping[str, Callable[[Operation, Values], list[Value]]] = {
    "DequantizeLinear": _dequantize,
    "QuantizeLinear": _quantize,
}
