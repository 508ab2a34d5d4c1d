"""Error bounds of functions of one number: what they make of an error, and their own.

An error ``e`` of the argument becomes at most the largest change of ``f`` over ``[x - e, x + e]``.
On a piece where ``f`` is monotone that is its change at one of the ends; where it turns inside, the
turning point is looked at as well. What ONNX Runtime's own ``f`` adds is measured, and stands in
``function_errors``; functions made of sums, products and comparisons have the standard model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import erf, erfc, pi, sqrt
from typing import TYPE_CHECKING, TypeAlias

from lutloom.streamline.bound_arithmetic import multiply
from lutloom.streamline.bounded import TINY, Bounded, U, rounded
from lutloom.streamline.function_errors import FUNCTION_ERRORS, FunctionError
from lutloom.streamline.rules.functions import approximation_of, attribute

if TYPE_CHECKING:
    from lutloom.streamline.bounded import Bound, Floats, Operands, Tensors
    from lutloom.streamline.source import SourceNode

    Function: TypeAlias = Callable[[Floats], Floats]

# Polynomials of subnormal numbers lose a few digits more than their results do.
_UNDERFLOW = 2.0**-138

# Where functions that fall and rise turn. They are flat there: a nearby point does as well.
_TURN_OF_GELU = -0.7517915246935645
_TURN_OF_GELU_TANH = -0.7524614220710162
_TURN_OF_HARD_SWISH = -1.5
_TURN_OF_MISH = -1.1924312145062234


def carried(function: Function, x: Bounded, turns: Sequence[float] = ()) -> tuple[Floats, Floats]:
    """Return ``function(x)``, and by how much the error of ``x`` can change it.

    ``function`` is float64's, right to 2^-50; it is monotone between its ``turns``.
    """
    import numpy as np

    # A little more than the error: the ends are float64 themselves.
    reach = np.where(x.error > 0, x.error + 2.0**-50 * np.abs(x.value), 0.0)
    value = function(x.value)
    if not x.error.any():
        return value, np.zeros_like(value)
    low, high = x.value - reach, x.value + reach
    change = np.maximum(np.abs(function(low) - value), np.abs(function(high) - value))
    for turn in turns:
        there = function(np.asarray(turn))
        inside = (low < turn) & (turn < high)
        change = np.where(inside, np.maximum(change, np.abs(there - value)), change)
    return value, np.where(x.error > 0, change, 0.0)


def _own(allowed: FunctionError, x: Bounded, value: Floats, change: Floats) -> Floats:
    """Return what ONNX Runtime's function adds for an argument within the error of ``x``."""
    import numpy as np

    argument = np.abs(x.value) + x.error
    largest = np.abs(value) + change
    model = allowed.relative * largest + allowed.of_argument * argument + allowed.absolute
    underflow = _UNDERFLOW * (1 + np.minimum(argument, 2.0**64))
    return np.where(largest >= 2.0**128, np.inf, U * model + underflow)


def _measured(name: str, function: Function, turns: Sequence[float] = ()) -> Bound:
    def bound(_: SourceNode, operands: Operands, __: Tensors) -> Bounded:
        (x,) = operands
        value, change = carried(function, x, turns)
        return Bounded(value, change + _own(FUNCTION_ERRORS[name], x, value, change))

    return bound


def _sigmoid(x: Floats) -> Floats:
    import numpy as np

    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


def _softplus(x: Floats) -> Floats:
    import numpy as np

    return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


def _by_number(function: Callable[[float], float]) -> Function:
    """Return a function of ``math`` as one of arrays, called once for each number that occurs."""

    def of_array(x: Floats) -> Floats:
        import numpy as np

        numbers, places = np.unique(x, return_inverse=True)
        values = np.fromiter(map(function, numbers.tolist()), np.float64, numbers.size)
        return np.asarray(values[places].reshape(np.shape(x)))

    return of_array


def _gelu(x: Floats) -> Floats:
    import numpy as np

    # The complement keeps its digits in the tail; where it is zero, so is the product.
    return np.where(np.isinf(x), np.maximum(x, 0.0), x * _by_number(erfc)(x / -sqrt(2)) / 2)


def _gelu_tanh(x: Floats) -> Floats:
    import numpy as np

    inner = 2 * sqrt(2 / pi) * (x + 0.044715 * x**3)
    return np.where(np.isinf(x), np.maximum(x, 0.0), x * _sigmoid(inner))


def _mish(x: Floats) -> Floats:
    import numpy as np

    return np.where(x == -np.inf, 0.0, x * np.tanh(_softplus(x)))


def _hard_swish(x: Floats) -> Floats:
    import numpy as np

    return np.where(x == -np.inf, 0.0, x * np.clip(x / 6 + 0.5, 0, 1))


def _exp(x: Floats) -> Floats:
    import numpy as np

    return np.asarray(np.exp(x))


def _log(x: Floats) -> Floats:
    import numpy as np

    return np.asarray(np.log(x))


def _tanh(x: Floats) -> Floats:
    import numpy as np

    return np.asarray(np.tanh(x))


def _softsign(x: Floats) -> Floats:
    import numpy as np

    return np.where(np.isinf(x), np.sign(x), x / (1 + np.abs(x)))


def _gelu_of_node(node: SourceNode, operands: Operands, tensors: Tensors) -> Bounded:
    bound = _GELU_TANH if approximation_of(node) == "tanh" else _GELU
    return bound(node, operands, tensors)


_GELU = _measured("Gelu", _gelu, (_TURN_OF_GELU,))
_GELU_TANH = _measured("Gelu tanh", _gelu_tanh, (_TURN_OF_GELU_TANH,))


def _exponential(name: str) -> Bound:
    """``gain * alpha * (exp(x / width) - 1)`` below zero, ``gain * x`` above."""

    def bound(node: SourceNode, operands: Operands, _: Tensors) -> Bounded:
        import numpy as np

        (x,) = operands
        alpha = float(attribute(node, "alpha"))
        gain = float(attribute(node, "gamma")) if name == "Selu" else 1.0
        width = alpha if name == "Celu" else 1.0

        def function(v: Floats) -> Floats:
            below = alpha * np.expm1(np.minimum(v, 0.0) / width)
            return np.where(v > 0, gain * v, gain * below)

        value, change = carried(function, x, (0.0,))
        size = abs(alpha * gain)
        own = size * _own(FUNCTION_ERRORS[name], x, value, change) + TINY
        above = rounded(value, change)
        is_above = x.value - x.error >= 0
        error = np.where(is_above, above.error if gain != 1.0 else change, change + own)
        if gain != 1.0:
            error = np.where(is_above, error, error + U * abs(gain) * (np.abs(x.value) + x.error))
        return Bounded(value, error)

    return bound


def _sqrt(_: SourceNode, operands: Operands, __: Tensors) -> Bounded:
    """IEEE 754 rounds square roots like quotients."""
    import numpy as np

    (x,) = operands
    value, change = carried(lambda v: np.sqrt(np.maximum(v, 0.0)), x)
    value = np.where(x.value < 0, np.nan, value)
    return rounded(value, change, value * value - x.value)


def _reciprocal(_: SourceNode, operands: Operands, __: Tensors) -> Bounded:
    import numpy as np

    (x,) = operands
    value = 1 / x.value
    least = np.abs(x.value) - x.error
    inherited = np.where(least > 0, np.abs(value) * x.error / least, np.inf)
    return rounded(value, inherited, value * x.value - 1)


def _power(node: SourceNode, operands: Operands, tensors: Tensors) -> Bounded:
    """``x ** p`` for constants ``p``; ONNX Runtime multiplies for 2 and 3."""
    import numpy as np

    x, exponent = operands
    if (exponent.value == 1).all():
        return x
    if exponent.error.any():
        return Bounded(x.value, np.full_like(x.error, np.inf))
    square = multiply(node, [x, x], tensors)
    if (exponent.value == 2).all():
        return square
    value, change = carried(lambda v: np.power(v, exponent.value), x, (0.0,))
    allowed = FUNCTION_ERRORS["Pow"]
    return Bounded(value, change + _own(allowed, x, value, change))


def _softmax(node: SourceNode, operands: Operands, _: Tensors) -> Bounded:
    """``exp(x - m) / sum``, with ``m`` the largest: relative errors add up.

    An error ``e`` of every ``x`` is a factor ``exp(2 e)`` at most. The shift is off by
    ``u |x - m|``, weighted in the sum with the exponentials themselves.
    """
    import numpy as np

    (x,) = operands
    axis = node.integer("axis", -1)
    shift = np.abs(x.value - x.value.max(axis=axis, keepdims=True))
    exponentials = np.exp(-shift)
    total = exponentials.sum(axis=axis, keepdims=True)
    value = exponentials / total
    worst = x.error.max(axis=axis, keepdims=True)
    terms = U * (FUNCTION_ERRORS["Exp"].relative + 2 * shift + 4 * worst)
    inside = (exponentials * terms).sum(axis=axis, keepdims=True) / total
    n = x.value.shape[axis]
    relative = np.expm1((1 + 2.0**-6) * (x.error + worst + terms + inside + (n + 4) * U))
    if node.op_type == "Softmax":
        return Bounded(value, value * relative + n * 2.0**-125)  # exponentials may be flushed
    logarithm = np.log(total)
    sizes = shift + logarithm + worst
    own = U * (4 * sizes + FUNCTION_ERRORS["Log"].relative * logarithm)
    return Bounded(-shift - logarithm, x.error + worst + inside + (n + 2) * U + own + 2 * TINY)


def _erf(x: Floats) -> Floats:
    return _by_number(erf)(x)


def _swish(node: SourceNode, operands: Operands, tensors: Tensors) -> Bounded:
    """``x * sigmoid(alpha x)``, as a product of what is correlated."""
    (x,) = operands
    alpha = float(attribute(node, "alpha"))
    inner = x if alpha == 1.0 else rounded(alpha * x.value, abs(alpha) * x.error)
    return multiply(node, [x, FUNCTION_BOUNDS["Sigmoid"](node, [inner], tensors)], tensors)


FUNCTION_BOUNDS: Mapping[str, Bound] = {
    "Celu": _exponential("Celu"),
    "Elu": _exponential("Elu"),
    "Erf": _measured("Erf", _erf),
    "Exp": _measured("Exp", _exp),
    "Gelu": _gelu_of_node,
    "HardSwish": _measured("HardSwish", _hard_swish, (_TURN_OF_HARD_SWISH,)),
    "Log": _measured("Log", _log),
    "LogSoftmax": _softmax,
    "Mish": _measured("Mish", _mish, (_TURN_OF_MISH,)),
    "Pow": _power,
    "Reciprocal": _reciprocal,
    "Selu": _exponential("Selu"),
    "Sigmoid": _measured("Sigmoid", _sigmoid),
    "Softmax": _softmax,
    "Softplus": _measured("Softplus", _softplus),
    "Softsign": _measured("Softsign", _softsign),
    "Sqrt": _sqrt,
    "Swish": _swish,
    "Tanh": _measured("Tanh", _tanh),
}
