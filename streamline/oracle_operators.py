"""The standard operators on exact data, one function each, as the ONNX standard defines them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, localcontext
from fractions import Fraction
from math import inf, nextafter, prod
from typing import TYPE_CHECKING, Any

import numpy as np

from lutloom.streamline.oracle_values import (
    Known,
    Operation,
    OracleError,
    Value,
    Values,
    data,
    each,
    fractions,
    known,
    real,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

INEXACT = frozenset({"Exp", "Log", "LogSoftmax", "Pow", "Sigmoid", "Softmax", "Sqrt", "Tanh"})
"""Operators whose results are no rationals: what follows them has no exact value either."""


def _binary(operation: Operation, inputs: Values) -> list[Value]:
    left, right = real(inputs[0]), real(inputs[1])
    match operation.kind:
        case "Add":
            return [np.asarray(left + right)]
        case "Sub":
            return [np.asarray(left - right)]
        case "Mul":
            return [np.asarray(left * right)]
    return [np.asarray(left / right)]


def _unary(operation: Operation, inputs: Values) -> list[Value]:
    match operation.kind:
        case "Neg":
            return [np.asarray(-data(inputs[0]))]
        case "Abs":
            return [np.asarray(abs(data(inputs[0])))]
    return [each(lambda x: max(x, Fraction(0)), data(inputs[0]))]


def _clip(operation: Operation, inputs: Values) -> list[Value]:
    def bound(index: int, name: str) -> float | None:
        if name in operation.attributes:
            return float(operation.attributes[name])
        if len(inputs) > index and inputs[index] is not None:
            return float(known(inputs[index]).array.item())
        return None

    lo, hi = bound(1, "min"), bound(2, "max")
    x = data(inputs[0])
    if lo is not None and lo != -inf:
        x = each(lambda value: max(value, Fraction(lo)), x)
    if hi is not None and hi != inf:
        x = each(lambda value: min(value, Fraction(hi)), x)
    return [x]


def _matmul(_: Operation, inputs: Values) -> list[Value]:
    return [np.asarray(np.matmul(real(inputs[0]), real(inputs[1])))]


def _gemm(operation: Operation, inputs: Values) -> list[Value]:
    a, b = real(inputs[0]), real(inputs[1])
    if operation.attributes.get("transA", 0):
        a = a.T
    if operation.attributes.get("transB", 0):
        b = b.T
    y = np.asarray(np.matmul(a, b) * Fraction(operation.attributes.get("alpha", 1.0)))
    if len(inputs) > 2 and inputs[2] is not None:
        y = np.asarray(y + real(inputs[2]) * Fraction(operation.attributes.get("beta", 1.0)))
    return [y]


def _batch_normalization(operation: Operation, inputs: Values) -> list[Value]:
    x = data(inputs[0])
    gamma, beta, mean, variance = (known(value).reals() for value in inputs[1:5])
    default = float(np.float32(1e-5))
    epsilon = Fraction(operation.attributes.get("epsilon", default))
    factor = each(lambda g, v: over_root(g, v + epsilon), gamma, variance)
    column = (-1, *[1] * (x.ndim - 2))
    shift = np.asarray(beta - mean * factor)
    return [np.asarray(x * factor.reshape(column) + shift.reshape(column))]


def over_root(numerator: Fraction, square: Fraction) -> Fraction:
    """Return the float64 nearest to ``numerator / sqrt(square)``, ties to even.

    A guess from decimals is moved to the float whose rounding interval holds the exact number:
    its ends are rationals, and a root is compared with a rational by squaring.
    """
    if numerator == 0:
        return Fraction(0)
    exact = numerator * numerator / square
    with localcontext() as context:
        context.prec = 60
        guess = float((Decimal(exact.numerator) / Decimal(exact.denominator)).sqrt())
    while True:
        below, above = nextafter(guess, 0.0), nextafter(guess, inf)
        low = (Fraction(below) + Fraction(guess)) / 2
        high = (Fraction(guess) + Fraction(above)) / 2
        is_even = (Fraction(guess) / (Fraction(above) - Fraction(guess))) % 2 == 0
        if exact < low * low or (exact == low * low and not is_even):
            guess = below
        elif exact > high * high or (exact == high * high and not is_even):
            guess = above
        else:
            return Fraction(guess) if numerator > 0 else -Fraction(guess)


def _as_is(operation: Operation, inputs: Values) -> list[Value]:
    training = inputs[2] if operation.kind == "Dropout" and len(inputs) > 2 else None
    if training is not None and known(training).array.any():
        raise OracleError("a dropout in training mode is random")
    return [inputs[0]]


def _reshape(operation: Operation, inputs: Values) -> list[Value]:
    sizes = [int(size) for size in known(inputs[1]).array.ravel()]
    x = data(inputs[0])
    if not operation.attributes.get("allowzero", 0):
        sizes = [x.shape[i] if size == 0 else size for i, size in enumerate(sizes)]
    if operation.batch is not None and sizes[0] == operation.batch:
        sizes[0] = 1  # the file's batch; here it is one sample at a time
    return [x.reshape(sizes)]


def _flatten(operation: Operation, inputs: Values) -> list[Value]:
    x = data(inputs[0])
    axis = operation.attributes.get("axis", 1) % (x.ndim + 1)
    return [x.reshape(prod(x.shape[:axis]), -1)]


def _axes(operation: Operation, inputs: Values) -> tuple[int, ...] | None:
    if "axes" in operation.attributes:
        return tuple(operation.attributes["axes"])
    if len(inputs) > 1 and inputs[1] is not None:
        return tuple(int(axis) for axis in known(inputs[1]).array.ravel())
    return None


def _squeeze(operation: Operation, inputs: Values) -> list[Value]:
    x, axes = data(inputs[0]), _axes(operation, inputs)
    if axes is None:
        axes = tuple(axis for axis in range(1, x.ndim) if x.shape[axis] == 1)
    return [np.squeeze(x, axes)]


def _unsqueeze(operation: Operation, inputs: Values) -> list[Value]:
    axes = _axes(operation, inputs)
    assert axes is not None
    return [np.expand_dims(data(inputs[0]), axes)]


def _transpose(operation: Operation, inputs: Values) -> list[Value]:
    return [data(inputs[0]).transpose(operation.attributes.get("perm"))]


def _shape(operation: Operation, inputs: Values) -> list[Value]:
    sizes = data(inputs[0]).shape
    start, end = operation.attributes.get("start", 0), operation.attributes.get("end", len(sizes))
    return [Known(np.array(sizes[start:end], dtype=np.int64))]


def _top_k(operation: Operation, inputs: Values) -> list[Value]:
    x = data(inputs[0])
    k = operation.attributes.get("k")
    count = int(known(inputs[1]).array.item()) if k is None else int(k)
    axis = operation.attributes.get("axis", -1)
    order = _ranking(x, axis).take(range(count), axis=axis)
    return [np.take_along_axis(x, order, axis), fractions(order)]


def _arg_max(operation: Operation, inputs: Values) -> list[Value]:
    axis = operation.attributes.get("axis", 0)
    first = _ranking(data(inputs[0]), axis).take([0], axis=axis)
    if not operation.attributes.get("keepdims", 1):
        first = first.squeeze(axis)
    return [fractions(first)]


def _ranking(x: Array, axis: int) -> NDArray[np.int64]:
    """Return the indices along ``axis`` from the largest value down, the lower index first."""

    def ranking(row: Array) -> Array:
        return np.array(sorted(range(len(row)), key=lambda i: (-row[i], i)), dtype=np.int64)

    rows = np.moveaxis(x, axis, -1)
    order = np.empty(rows.shape, dtype=np.int64)
    for index in np.ndindex(rows.shape[:-1]):
        order[index] = ranking(rows[index])
    return np.moveaxis(order, -1, axis)


OPERATORS: Mapping[str, Callable[[Operation, Values], list[Value]]] = {
    **dict.fromkeys(("Add", "Sub", "Mul", "Div"), _binary),
    **dict.fromkeys(("Neg", "Abs", "Relu"), _unary),
    **dict.fromkeys(("Cast", "Dropout", "Identity"), _as_is),
    "ArgMax": _arg_max,
    "BatchNormalization": _batch_normalization,
    "Clip": _clip,
    "Flatten": _flatten,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Reshape": _reshape,
    "Shape": _shape,
    "Squeeze": _squeeze,
    "TopK": _top_k,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
