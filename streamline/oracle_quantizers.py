"""Quantizers as their definitions say: of data in exact arithmetic, of weights in float32.

``Quant``: ``q = clamp(round(x / scale + zero_point))``, giving ``(q - zero_point) * scale``; one
signed bit is the sign instead. ``BipolarQuant``: ``scale`` from zero on, else ``-scale``.
``MultiThreshold``: the number of thresholds that x is at or above, scaled and shifted.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, inf, trunc
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from lutloom.streamline.oracle_reals import Number, step_of
from lutloom.streamline.oracle_values import (
    HALF,
    Known,
    Operation,
    OracleError,
    Values,
    aligned,
    data,
    each,
    fractions,
    known,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]

_MOST_BITS = 64


def quantize(operation: Operation, inputs: Values) -> Array | Known:
    """Apply one of QONNX's own operators to data, or a quantizer to constants (weights)."""
    if operation.kind == "XnorPopcountMatMul":
        return _xnor_popcount(inputs)
    if operation.kind == "MultiThreshold":
        return _multi_threshold(operation, inputs)
    if operation.kind == "BipolarQuant":
        return _bipolar(inputs)
    return _quant(operation, inputs)


def _xnor_popcount(inputs: Values) -> Array:
    """Return ``(K + x' @ w') / 2`` with ``v' = 2 v - 1``, as qonnx defines it."""
    x, weights = data(inputs[0]), known(inputs[1]).reals()
    products = np.matmul(2 * x - 1, 2 * weights - 1)
    return np.asarray((products + x.shape[-1]) * Fraction(1, 2))


def _bipolar(inputs: Values) -> Array | Known:
    scale = known(inputs[1])
    if isinstance(inputs[0], Known):
        signs = np.where(inputs[0].array >= 0, 1, -1)
        exact = fractions(signs) * fractions(scale.array)
        return Known((signs * scale.array).astype(np.float32), exact)
    return each(lambda x, s: s if x >= 0 else -s, *aligned(inputs[0], Known(scale.array)))


def _quant(operation: Operation, inputs: Values) -> Array | Known:
    scale, zero_point = (Known(known(value).array.astype(np.float32)) for value in inputs[1:3])
    signed, narrow = (bool(operation.attributes[name]) for name in ("signed", "narrow"))
    lowest, highest = integer_range(known(inputs[3]).array, signed=signed, narrow=narrow)
    is_sign = signed and highest == 0  # one bit
    mode = _mode(operation.attributes.get("rounding_mode", "ROUND"))
    if isinstance(inputs[0], Known):
        # In float32, as qonnx does it; only what the integers stand for is exact.
        with np.errstate(over="ignore"):  # beyond float32 lies infinity, which is clamped
            y = inputs[0].array.astype(np.float32) / scale.array + zero_point.array
        q = np.where(y >= 0, 1, -1) if is_sign else mode.floats(y.clip(lowest, highest))
        exact = (fractions(q) - fractions(zero_point.array)) * fractions(scale.array)
        return Known(((q - zero_point.array) * scale.array).astype(np.float32), exact)

    def one(x: Number, s: Fraction, zero: Fraction) -> Fraction:
        y = x / s + zero
        if is_sign:
            return s * ((1 if y >= 0 else -1) - zero)
        return s * (min(max(step_of(y, mode.step, mode.border), lowest), highest) - zero)

    return each(one, *aligned(data(inputs[0]), scale, zero_point))


def integer_range(width: Array, *, signed: bool, narrow: bool) -> tuple[int, int]:
    """Return the lowest and highest integer of so many bits.

    Raises ``OracleError`` where ``width`` is no number of bits.
    """
    bits = float(width.reshape(-1)[0]) if width.size == 1 else 0.0
    if bits != int(bits) or not 1 <= bits <= _MOST_BITS:
        raise OracleError(f"a bit width of {width.tolist()} has no integers")
    if signed:
        half = 2 ** (int(bits) - 1)
        return -half + narrow, half - 1
    return 0, 2 ** int(bits) - 1 - narrow


def rounded(name: str, y: Number) -> int:
    """Return ``y`` rounded to an integer by one of QONNX's modes, or Brevitas' name for one."""
    mode = _mode(name)
    return step_of(y, mode.step, mode.border)


@dataclass(frozen=True)
class Mode:
    """A way of rounding: of a Fraction, of floats, and the border between ``k`` and ``k + 1``."""

    step: Callable[[Fraction], int]
    border: Callable[[int], Fraction]
    floats: Callable[[Array], Array]


def _away(step: Callable[[Fraction], int]) -> Callable[[Fraction], int]:
    """Return the step of the magnitude, with the sign."""
    return lambda y: step(y) if y >= 0 else -step(-y)


def _away_in_floats(step: Callable[[Array], Array]) -> Callable[[Array], Array]:
    return lambda y: np.copysign(step(np.fabs(y)), y)


def _halfway(k: int) -> Fraction:
    return k + HALF


_FLOAT_HALF = np.float32(0.5)
_HALF_EVEN = Mode(round, _halfway, np.rint)  # a Fraction rounds half to even
_DOWN = Mode(trunc, lambda k: Fraction(k + 1 if k >= 0 else k), np.trunc)
_MODES: Mapping[str, Mode] = {
    "ROUND": _HALF_EVEN,
    "HALF_EVEN": _HALF_EVEN,
    "HALF_UP": Mode(
        _away(lambda y: floor(y + HALF)),
        _halfway,
        _away_in_floats(lambda y: np.floor(y + _FLOAT_HALF)),
    ),
    "HALF_DOWN": Mode(
        _away(lambda y: ceil(y - HALF)),
        _halfway,
        _away_in_floats(lambda y: np.ceil(y - _FLOAT_HALF)),
    ),
    "FLOOR": Mode(floor, lambda k: Fraction(k + 1), np.floor),
    "CEIL": Mode(ceil, Fraction, np.ceil),
    "UP": Mode(_away(ceil), lambda k: Fraction(k if k >= 0 else k + 1), _away_in_floats(np.ceil)),
    "DOWN": _DOWN,
    "ROUND_TO_ZERO": _DOWN,
}


def _mode(name: str) -> Mode:
    mode = _MODES.get(name.upper())
    if mode is None:
        raise OracleError(f"the rounding mode {name!r} is unknown")
    return mode


def _multi_threshold(operation: Operation, inputs: Values) -> Array | Known:
    table = known(inputs[1])
    scale, bias = operation.number("out_scale", 1.0), operation.number("out_bias", 0.0)
    rows = [_sorted(row) for row in table.array]
    if isinstance(inputs[0], Known):
        counts = _counts(operation, fractions(inputs[0].array)[np.newaxis], rows)[0]
        exact = each(lambda count: scale * count + bias, counts)
        return Known(exact.astype(np.float32), exact)
    counts = _counts(operation, data(inputs[0]), rows)
    return each(lambda count: scale * count + bias, counts)


def _sorted(row: Array) -> tuple[int, list[Fraction]]:
    """Return how many thresholds everything reaches, and the finite ones in order."""
    numbers = row.tolist()
    if np.isnan(row).any():
        raise OracleError("a threshold is no number")
    finite = sorted(Fraction(number) for number in numbers if abs(number) != inf)
    return numbers.count(-inf), finite


def _counts(operation: Operation, x: Array, rows: list[tuple[int, list[Fraction]]]) -> Array:
    rank = x.ndim - 1
    layout = operation.attributes.get("data_layout", "")
    if not layout and rank < 5:
        layout = {2: "NC", 3: "NWC", 4: "NCHW"}[rank]  # what qonnx takes an absent one to be
    axis = layout.index("C") if "C" in layout else 1
    out = np.empty(x.shape, dtype=object)
    for index in np.ndindex(x.shape):
        below, row = rows[index[axis + 1] if len(rows) > 1 else 0]
        out[index] = below + bisect_right(row, x[index])
    return out
