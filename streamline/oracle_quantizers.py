"""Quantizers as their definitions say: of data in exact arithmetic, of weights in float32.

``Quant``: ``q = round(clamp(x / scale + zero_point))``, giving ``(q - zero_point) * scale``; one
signed bit is the sign instead. ``BipolarQuant``: ``scale`` from zero on, else ``-scale``.
``MultiThreshold``: the number of thresholds that x is at or above, scaled and shifted.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor, trunc
from typing import TYPE_CHECKING, Any

import numpy as np

from lutloom.streamline.oracle_values import (
    Known,
    Operation,
    OracleError,
    Values,
    data,
    each,
    fractions,
    known,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


def quantize(operation: Operation, inputs: Values) -> Array | Known:
    """Apply one of the three quantizers to data, or to constants (weights)."""
    if operation.kind == "MultiThreshold":
        return _multi_threshold(operation, data(inputs[0]), known(inputs[1]).reals())
    if operation.kind == "BipolarQuant":
        return _bipolar(inputs)
    return _quant(operation, inputs)


def _bipolar(inputs: Values) -> Array | Known:
    scale = known(inputs[1]).array
    if isinstance(inputs[0], Known):
        signs = np.where(inputs[0].array >= 0, 1, -1)
        return Known((signs * scale).astype(np.float32), fractions(signs) * fractions(scale))
    return each(lambda x, s: s if x >= 0 else -s, data(inputs[0]), fractions(scale))


def _quant(operation: Operation, inputs: Values) -> Array | Known:
    scale, zero_point = known(inputs[1]).array, known(inputs[2]).array
    bits = int(known(inputs[3]).array.item())
    signed, narrow = operation.attributes["signed"], operation.attributes["narrow"]
    mode = operation.attributes.get("rounding_mode", "ROUND").upper()
    is_sign = bits == 1 and bool(signed)
    lowest = (-(2 ** (bits - 1)) + (1 if narrow else 0)) if signed else 0
    highest = 2 ** (bits - 1) - 1 if signed else 2**bits - 1 - (1 if narrow else 0)
    if isinstance(inputs[0], Known):
        # In float32, as qonnx does it; only what the integers stand for is exact.
        y = inputs[0].array.astype(np.float32) / scale.astype(np.float32)
        y = y + zero_point.astype(np.float32)
        q = np.where(y >= 0, 1, -1) if is_sign else _in_float32(mode, y.clip(lowest, highest))
        exact = (fractions(q) - fractions(zero_point)) * fractions(scale)
        return Known(((q - zero_point) * scale).astype(np.float32), exact)

    def one(x: Fraction, s: Fraction, zero: Fraction) -> Fraction:
        y = x / s + zero
        if is_sign:
            level = 1 if y >= 0 else -1
        else:
            level = rounded(mode, min(max(y, Fraction(lowest)), Fraction(highest)))
        return (level - zero) * s

    return each(one, data(inputs[0]), fractions(scale), fractions(zero_point))


def rounded(mode: str, y: Fraction) -> int:
    """Return ``y`` rounded to an integer by one of QONNX's modes, or Brevitas' name for one."""
    sign = -1 if y < 0 else 1
    match mode:
        case "ROUND" | "HALF_EVEN":
            return round(y)  # a Fraction rounds half to even
        case "HALF_UP":
            return sign * floor(abs(y) + Fraction(1, 2))
        case "HALF_DOWN":
            return sign * ceil(abs(y) - Fraction(1, 2))
        case "FLOOR":
            return floor(y)
        case "CEIL":
            return ceil(y)
        case "UP":
            return sign * ceil(abs(y))
        case "DOWN" | "ROUND_TO_ZERO":
            return trunc(y)
    raise OracleError(f"the rounding mode {mode!r} is unknown")


def _in_float32(mode: str, y: Array) -> Array:
    half = np.float32(0.5)
    match mode:
        case "ROUND" | "HALF_EVEN":
            return np.rint(y)
        case "HALF_UP":
            return np.copysign(np.floor(np.fabs(y) + half), y)
        case "HALF_DOWN":
            return np.copysign(np.ceil(np.fabs(y) - half), y)
        case "FLOOR":
            return np.floor(y)
        case "CEIL":
            return np.ceil(y)
        case "UP":
            return np.copysign(np.ceil(np.fabs(y)), y)
        case "DOWN" | "ROUND_TO_ZERO":
            return np.fix(y)
    raise OracleError(f"the rounding mode {mode!r} is unknown")


def _multi_threshold(operation: Operation, x: Array, table: Array) -> Array:
    layout = operation.attributes.get("data_layout", "")
    if not layout and x.ndim < 5:
        layout = {2: "NC", 3: "NWC", 4: "NCHW"}[x.ndim]  # what qonnx takes an absent one to be
    axis = layout.index("C") if "C" in layout else 1
    scale = Fraction(operation.attributes.get("out_scale", 1.0))
    bias = Fraction(operation.attributes.get("out_bias", 0.0))
    out = np.empty(x.shape, dtype=object)
    for index in np.ndindex(x.shape):
        row = table[index[axis] if len(table) > 1 else 0]
        out[index] = scale * sum(1 for threshold in row if x[index] >= threshold) + bias
    return out
