"""The standard operators on exact data, one function each, as the ONNX standard defines them.

Data have the samples in front: what the standard calls axis ``a`` is axis ``a + 1`` here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, localcontext
from fractions import Fraction
from math import inf, nextafter
from operator import add, mul, sub, truediv
from typing import TYPE_CHECKING, Any

import numpy as np

from lutloom.streamline.oracle_convolutions import CONVOLUTIONS
from lutloom.streamline.oracle_functions import ELEMENTWISE
from lutloom.streamline.oracle_linear import LINEAR
from lutloom.streamline.oracle_pixels import PIXELS
from lutloom.streamline.oracle_pools import POOLS
from lutloom.streamline.oracle_products import product
from lutloom.streamline.oracle_reals import exp, log
from lutloom.streamline.oracle_shapes import SHAPES, axes_of
from lutloom.streamline.oracle_values import (
    Operation,
    OracleError,
    Value,
    Values,
    aligned,
    axis_of,
    data,
    each,
    fractions,
    known,
    real,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

_BINARY: Mapping[str, Callable[[Array, Array], Array]] = {
    "Add": add,
    "Div": truediv,
    "Mul": mul,
    "Sub": sub,
}


def _binary(operation: Operation, inputs: Values) -> list[Value]:
    left, right = aligned(*inputs[:2])
    return [np.asarray(_BINARY[operation.kind](left, right), dtype=object)]


def _sum(operation: Operation, inputs: Values) -> list[Value]:
    total = np.asarray(sum(aligned(*inputs)), dtype=object)
    return [total if operation.kind == "Sum" else total / Fraction(len(inputs))]


def _matmul(_: Operation, inputs: Values) -> list[Value]:
    """Return the product; a vector for each sample is a row on the left, a column on the right."""
    left, right = inputs[:2]
    is_row = isinstance(left, np.ndarray) and left.ndim == 2
    is_column = isinstance(right, np.ndarray) and right.ndim == 2
    if is_row:
        left = data(left)[:, np.newaxis]
    if is_column:
        right = data(right)[..., np.newaxis]
    y = product(*aligned(left, right))
    if is_column:
        y = y[..., 0]
    return [y[:, 0] if is_row else y]


def _gemm(operation: Operation, inputs: Values) -> list[Value]:
    a, b = real(inputs[0]), real(inputs[1])
    if operation.attributes.get("transA", 0):
        a = a.swapaxes(-1, -2)
    if operation.attributes.get("transB", 0):
        b = b.swapaxes(-1, -2)
    y: Value = np.asarray(product(a, b) * operation.number("alpha", 1.0))
    if len(inputs) > 2 and inputs[2] is not None:
        left, right = aligned(y, inputs[2])
        y = np.asarray(left + right * operation.number("beta", 1.0))
    return [y]


def _batch_normalization(operation: Operation, inputs: Values) -> list[Value]:
    x = data(inputs[0])
    if operation.attributes.get("training_mode", 0):
        raise OracleError("a batch normalization in training mode has no constant factors")
    gamma, beta, mean, variance = (known(value).reals() for value in inputs[1:5])
    epsilon = operation.number("epsilon", 1e-5)
    factor = each(lambda g, v: over_root(g, v + epsilon), gamma, variance)
    column = (-1, *[1] * (x.ndim - 3))
    shift = np.asarray(beta - mean * factor)
    return [np.asarray(x * factor.reshape(column) + shift.reshape(column))]


def over_root(numerator: Fraction, square: Fraction) -> Fraction:
    """Return the float64 nearest to ``numerator / sqrt(square)``, ties to even.

    A guess from decimals is moved to the float whose rounding interval holds the exact number:
    its ends are rationals, and a root is compared with a rational by squaring.

    Raises ``OracleError`` where ``square`` is not positive.
    """
    if square <= 0:
        raise OracleError("a batch normalization divides by the root of zero, or of less")
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


def _softmax(operation: Operation, inputs: Values) -> list[Value]:
    """Return ``e**x / sum(e**x)`` or its logarithm, along an axis.

    Before opset 13 all axes from that one on are one.
    """
    x = data(inputs[0])
    is_old = operation.opset < 13
    axis = axis_of(operation.attributes.get("axis", 1 if is_old else -1), x)
    rows = x.reshape(*x.shape[:axis], -1, 1) if is_old else np.moveaxis(x, axis, -1)[..., None]
    rows = rows[..., 0]
    y = np.empty(rows.shape, dtype=object)
    for index in np.ndindex(rows.shape[:-1]):
        largest = max(rows[index])
        shifted = [number - largest for number in rows[index]]
        exponentials = [exp(number) for number in shifted]
        total = sum(exponentials, start=Fraction(0))
        if operation.kind == "LogSoftmax":
            y[index] = [number - log(total) for number in shifted]
        else:
            y[index] = [number / total for number in exponentials]
    return [y.reshape(x.shape) if is_old else np.moveaxis(y, -1, axis)]


def _reduce(operation: Operation, inputs: Values) -> list[Value]:
    x, axes = data(inputs[0]), axes_of(operation, inputs)
    if not axes and operation.attributes.get("noop_with_empty_axes", 0):
        return [x]
    places = tuple(axis_of(axis, x) for axis in axes) if axes else tuple(range(1, x.ndim))
    keep = bool(operation.attributes.get("keepdims", 1))
    match operation.kind:
        case "ReduceMax":
            return [np.asarray(np.max(x, axis=places, keepdims=keep), dtype=object)]
        case "ReduceMin":
            return [np.asarray(np.min(x, axis=places, keepdims=keep), dtype=object)]
    total = np.asarray(np.sum(x, axis=places, keepdims=keep), dtype=object)
    if operation.kind == "ReduceSum":
        return [total]
    return [total / Fraction(int(np.prod([x.shape[place] for place in places])))]


def _top_k(operation: Operation, inputs: Values) -> list[Value]:
    x = data(inputs[0])
    k = operation.attributes.get("k")
    count = int(known(inputs[1]).array.item()) if k is None else int(k)
    axis = axis_of(operation.attributes.get("axis", -1), x)
    if count > x.shape[axis]:
        raise OracleError(f"TopK can't choose {count} of {x.shape[axis]} numbers")
    is_largest = bool(operation.attributes.get("largest", 1))
    order = _ranking(x if is_largest else -x, axis).take(range(count), axis=axis)
    return [np.take_along_axis(x, order, axis), fractions(order)]


def _arg_max(operation: Operation, inputs: Values) -> list[Value]:
    x = data(inputs[0])
    axis = axis_of(operation.attributes.get("axis", 0), x)
    if operation.kind == "ArgMin":
        x = -x
    is_last = bool(operation.attributes.get("select_last_index", 0))
    ranked = _ranking(np.flip(x, axis) if is_last else x, axis).take([0], axis=axis)
    first = fractions(x.shape[axis] - 1 - ranked if is_last else ranked)
    return [first if operation.attributes.get("keepdims", 1) else first.squeeze(axis)]


def _ranking(x: Array, axis: int) -> NDArray[np.int64]:
    """Return the indices along ``axis`` from the largest value down, the lower index first."""
    rows = np.moveaxis(x, axis, -1)
    order = np.empty(rows.shape, dtype=np.int64)
    for index in np.ndindex(rows.shape[:-1]):
        # A stable sort, so that equal values keep their order.
        order[index] = sorted(range(rows.shape[-1]), key=(-rows[index]).tolist().__getitem__)
    return np.moveaxis(order, -1, axis)


OPERATORS: Mapping[str, Callable[[Operation, Values], list[Value]]] = {
    **CONVOLUTIONS,
    **ELEMENTWISE,
    **LINEAR,
    **PIXELS,
    **POOLS,
    **SHAPES,
    **dict.fromkeys(_BINARY, _binary),
    **dict.fromkeys(("ArgMax", "ArgMin"), _arg_max),
    **dict.fromkeys(("LogSoftmax", "Softmax"), _softmax),
    **dict.fromkeys(("Mean", "Sum"), _sum),
    **dict.fromkeys(("ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum"), _reduce),
    "BatchNormalization": _batch_normalization,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "TopK": _top_k,
}
