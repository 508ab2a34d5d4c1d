"""Functions of each element as the ONNX standard defines them, on exact numbers.

Where the standard writes a formula its numbers are real (the 1/6 of HardSwish, the root of 2 in
Gelu); attributes, and their defaults, are the float32 numbers that a file holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import reduce
from math import ceil, floor, inf
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from lutloom.streamline.oracle_reals import (
    Number,
    erf,
    exp,
    log,
    power,
    root_of_two_by_pi,
    sigmoid,
    sign,
    softplus,
    sqrt,
    step_of,
    tanh,
)
from lutloom.streamline.oracle_values import (
    HALF,
    ONE,
    ZERO,
    Known,
    Operation,
    OracleError,
    Value,
    Values,
    aligned,
    data,
    each,
    given,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

Function: TypeAlias = Callable[[Number], Number]


def _clamped(x: Number, low: Fraction, high: Fraction) -> Number:
    return min(max(x, low), high)


def _leaky_relu(operation: Operation) -> Function:
    alpha = operation.number("alpha", 0.01)
    return lambda x: x if x >= 0 else alpha * x


def _thresholded_relu(operation: Operation) -> Function:
    alpha = operation.number("alpha", 1.0)
    return lambda x: x if x > alpha else ZERO


def _hard_sigmoid(operation: Operation) -> Function:
    alpha, beta = operation.number("alpha", 0.2), operation.number("beta", 0.5)
    return lambda x: _clamped(alpha * x + beta, ZERO, ONE)


def _elu(operation: Operation) -> Function:
    alpha = operation.number("alpha", 1.0)
    return lambda x: x if x >= 0 else alpha * (exp(x) - 1)


def _celu(operation: Operation) -> Function:
    alpha = operation.number("alpha", 1.0)
    return lambda x: x if x >= 0 else alpha * (exp(x / alpha) - 1)


def _selu(operation: Operation) -> Function:
    alpha = operation.number("alpha", 1.67326319217681884765625)
    gamma = operation.number("gamma", 1.05070102214813232421875)
    return lambda x: gamma * x if x > 0 else gamma * (alpha * exp(x) - alpha)


def _gelu(operation: Operation) -> Function:
    match operation.attributes.get("approximate", "none"):
        case "none":
            root = sqrt(HALF)
            return lambda x: HALF * x * (1 + erf(root * x))
        case "tanh":
            factor, cubic = root_of_two_by_pi(), Fraction("0.044715")
            return lambda x: HALF * x * (1 + tanh(factor * (x + cubic * x * x * x)))
    raise OracleError(f"Gelu has no approximation {operation.attributes['approximate']!r}")


def _swish(operation: Operation) -> Function:
    alpha = operation.number("alpha", 1.0)
    return lambda x: x * sigmoid(alpha * x)


def _rounded(step: Callable[[Fraction], int], border: Callable[[int], Fraction]) -> Function:
    return lambda x: Fraction(step_of(x, step, border))


_FUNCTIONS: Mapping[str, Callable[[Operation], Function]] = {
    "Abs": lambda _: abs,
    "Ceil": lambda _: _rounded(ceil, Fraction),
    "Celu": _celu,
    "Elu": _elu,
    "Erf": lambda _: erf,
    "Exp": lambda _: exp,
    "Floor": lambda _: _rounded(floor, lambda k: Fraction(k + 1)),
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": lambda _: lambda x: x * _clamped(x / 6 + HALF, ZERO, ONE),
    "LeakyRelu": _leaky_relu,
    "Log": lambda _: log,
    "Mish": lambda _: lambda x: x * tanh(softplus(x)),
    "Neg": lambda _: lambda x: -x,
    "Reciprocal": lambda _: lambda x: 1 / x,
    "Relu": lambda _: lambda x: max(x, ZERO),
    "Round": lambda _: _rounded(round, lambda k: k + HALF),
    "Selu": _selu,
    "Sigmoid": lambda _: sigmoid,
    "Sign": lambda _: lambda x: Fraction(sign(x)),
    "Softplus": lambda _: softplus,
    "Softsign": lambda _: lambda x: x / (1 + abs(x)),
    "Sqrt": lambda _: sqrt,
    "Swish": _swish,
    "Tanh": lambda _: tanh,
    "ThresholdedRelu": _thresholded_relu,
}


def _unary(operation: Operation, inputs: Values) -> list[Value]:
    return [each(_FUNCTIONS[operation.kind](operation), data(inputs[0]))]


def _prelu(_: Operation, inputs: Values) -> list[Value]:
    return [each(lambda x, slope: x if x >= 0 else slope * x, *aligned(*inputs[:2]))]


def _power(_: Operation, inputs: Values) -> list[Value]:
    return [each(power, *aligned(*inputs[:2]))]


def _clip(operation: Operation, inputs: Values) -> list[Value]:
    x = data(inputs[0])
    for index, name, bound in ((1, "min", max), (2, "max", min)):
        limit = given(inputs, index)
        value = operation.attributes.get(name) if limit is None else limit.array.item()
        if value is not None and abs(value) != inf:
            x = each(lambda x, bound=bound, value=value: bound(x, Fraction(value)), x)
    return [x]


def _extreme(operation: Operation, inputs: Values) -> list[Value]:
    """Return the largest or smallest of all inputs; an infinite constant is one or the other."""
    choose, outside = (max, -inf) if operation.kind == "Max" else (min, inf)
    kept = []
    for value in inputs:
        if isinstance(value, Known) and np.isinf(value.array).any():
            if (value.array != outside).any():
                raise OracleError(f"{operation.kind} with an infinity gives one")
        else:
            kept.append(value)
    return [reduce(lambda x, y: each(choose, x, y), aligned(*kept))]


ELEMENTWISE: Mapping[str, Callable[[Operation, Values], list[Value]]] = {
    **dict.fromkeys(_FUNCTIONS, _unary),
    "Clip": _clip,
    "Max": _extreme,
    "Min": _extreme,
    "PRelu": _prelu,
    "Pow": _power,
}
