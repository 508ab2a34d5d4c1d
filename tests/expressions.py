"""Random expressions, and their values by exact rationals and by balls: no intervals of ours."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
from flint import arb, fmpq
from hypothesis import strategies as st

from lutloom.streamline.expression import Apply, Argument, Expression, Function, Numbers, parts
from lutloom.streamline.source import SourceNode

NODE = SourceNode("f", "F", "", (), (), {})
RATIONAL = [
    Function.ADD,
    Function.SUBTRACT,
    Function.MULTIPLY,
    Function.DIVIDE,
    Function.MINIMUM,
    Function.MAXIMUM,
    Function.ABSOLUTE,
    Function.IS_POSITIVE,
]
TWO = RATIONAL[:6]
SMOOTH = [
    Function.EXP,
    Function.LOG,
    Function.TANH,
    Function.SIGMOID,
    Function.ERF,
    Function.SOFTPLUS,
]
EXPONENTS = [Fraction(n) for n in (-3, -2, -1, 0, 1, 2, 3, 5)]
ROOTS = [Fraction(1, 2), Fraction(-1, 2), Fraction(3, 2), Fraction(0.1)]

NUMBERS = st.one_of(
    st.integers(-8, 8).map(Fraction),
    st.floats(-100, 100, width=32).map(Fraction),
    st.fractions(-10, 10, max_denominator=1000),
    st.sampled_from([Fraction(2) ** 80, Fraction(1, 2**80), Fraction(10) ** 400]),
)


def number(value: Fraction) -> Numbers:
    values = np.empty(1, dtype=object)
    values[0] = value
    return Numbers(values)


def applied(functions: list[Function], exponents: list[Fraction]) -> st.SearchStrategy[Expression]:
    """Return expressions of a few of ``functions`` and powers; parts may be shared."""

    def larger(parts: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
        def of(function: Function) -> st.SearchStrategy[Expression]:
            count = 2 if function in TWO else 1
            operands = st.lists(parts, min_size=count, max_size=count).map(tuple)
            return operands.map(lambda given: Apply(function, given, NODE))

        powers = st.tuples(parts, st.sampled_from(exponents)).map(
            lambda pair: Apply(Function.POWER, (pair[0],), NODE, pair[1])
        )
        twice = parts.map(lambda part: Apply(Function.MULTIPLY, (part, part), NODE))
        return st.one_of(*(of(function) for function in functions), powers, twice)

    return st.recursive(st.one_of(st.just(Argument()), NUMBERS.map(number)), larger, max_leaves=5)


RATIONAL_EXPRESSIONS = applied(RATIONAL, EXPONENTS)
EXPRESSIONS = applied(RATIONAL + SMOOTH, EXPONENTS + ROOTS)


def exact(expression: Expression, x: int) -> Fraction | None:
    """Return the value of a rational expression; None where it has none."""
    match expression:
        case Argument():
            return Fraction(x)
        case Numbers(values):
            value: Fraction = values.ravel()[0]
            return value
    found = [exact(operand, x) for operand in expression.operands]
    given = [value for value in found if value is not None]
    if len(given) < len(found):
        return None
    try:
        return _rational(expression, given)
    except ZeroDivisionError:
        return None


def _rational(expression: Apply, given: list[Fraction]) -> Fraction:
    first, last = given[0], given[-1]
    match expression.function:
        case Function.ADD:
            return first + last
        case Function.SUBTRACT:
            return first - last
        case Function.MULTIPLY:
            return first * last
        case Function.DIVIDE:
            return first / last
        case Function.MINIMUM:
            return min(given)
        case Function.MAXIMUM:
            return max(given)
        case Function.ABSOLUTE:
            return abs(first)
        case Function.IS_POSITIVE:
            return Fraction(first > 0)
    assert expression.function is Function.POWER
    return Fraction(first ** int(expression.exponent))


BALLS: dict[Function, Callable[..., arb]] = {
    Function.ADD: lambda x, y: x + y,
    Function.SUBTRACT: lambda x, y: x - y,
    Function.MULTIPLY: lambda x, y: x * y,
    Function.DIVIDE: lambda x, y: x / y,
    Function.MINIMUM: lambda x, y: x.min(y),
    Function.MAXIMUM: lambda x, y: x.max(y),
    Function.ABSOLUTE: abs,
    Function.IS_POSITIVE: lambda x: arb(1) if x > 0 else arb(0) if x <= 0 else arb(0.5, 0.5),
    Function.EXP: lambda x: x.exp(),
    Function.LOG: lambda x: x.log(),
    Function.TANH: lambda x: x.tanh(),
    Function.SIGMOID: lambda x: 1 / (1 + (-x).exp()),
    Function.ERF: lambda x: x.erf(),
    Function.SOFTPLUS: lambda x: x.exp().log1p(),
}


def exact_ball(value: Fraction) -> arb:
    return arb(fmpq(value.numerator, value.denominator))


def ball(expression: Expression, x: int) -> arb:
    """Return the value as a ball; not finite where it has none, or is beyond measure."""
    match expression:
        case Argument():
            return arb(x)
        case Numbers(values):
            return exact_ball(values.ravel()[0])
    given = [ball(operand, x) for operand in expression.operands]
    if not all(value.is_finite() for value in given):
        return arb("nan")
    if expression.function is not Function.POWER:
        return BALLS[expression.function](*given)
    exponent = expression.exponent
    return given[0] ** (int(exponent) if exponent.denominator == 1 else exact_ball(exponent))


def is_rational(expression: Expression) -> bool:
    """Return whether all functions in ``expression`` give rationals for rationals."""
    return all(
        not isinstance(part, Apply)
        or part.function in RATIONAL
        or (part.function is Function.POWER and part.exponent.denominator == 1)
        for part in parts(expression)
    )
