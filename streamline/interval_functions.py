"""Functions of enclosures: the primitives of ``expression`` in float64.

``exp``, ``log``, ``tanh``, ``sigmoid``, ``erf``, ``softplus`` and real powers are increasing.
NumPy, its vector library and the C library document errors of a few units in the last place (2^-52
relative); their results are moved outward by 2^-40 relative, and cut to what is known of the
function (``0 < sigmoid < 1`` and the like). Where they are rational, they are exact. Square roots
are rounded to nearest by IEEE 754, like quotients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lutloom.streamline.error_free import rounded_product
from lutloom.streamline.expression import Function
from lutloom.streamline.intervals import (
    Interval,
    absolute,
    add,
    divide,
    holds,
    is_positive,
    maximum,
    minimum,
    multiply,
    outward,
    point,
    subtract,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from fractions import Fraction

    from lutloom.streamline.error_free import Bools, Floats

_MARGIN = 2.0**-40
# Results below the normal range have no relative accuracy.
_TINY = 2.0**-1020


@dataclass(frozen=True, slots=True, eq=False)
class _Increasing:
    """An increasing function: its values in float64, where it is exact, and where it can lie."""

    values: Callable[[Floats], Floats]
    """In float64, to within ``_MARGIN``."""
    exact: tuple[float, float]
    """An argument and its value, both exact."""
    least: Callable[[Floats], Floats]
    """A lower bound that is never attained, but at the exact argument; -inf for none."""
    most: Callable[[Floats], Floats]


def _sigmoid(x: Floats) -> Floats:
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1.0, small) / (1.0 + small))


def _softplus(x: Floats) -> Floats:
    return np.asarray(np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x))))


def _erf(x: Floats) -> Floats:
    from math import erf  # NumPy has none

    return np.asarray(np.frompyfunc(erf, 1, 1)(x), dtype=np.float64)


def _constant(number: float) -> Callable[[Floats], Floats]:
    return lambda x: np.full_like(x, number)


def _odd_least(x: Floats) -> Floats:
    return np.where(x > 0, 0.0, -1.0)


def _odd_most(x: Floats) -> Floats:
    return np.where(x < 0, 0.0, 1.0)


_NOWHERE = (np.nan, np.nan)
_INCREASING: Mapping[Function, _Increasing] = {
    Function.EXP: _Increasing(np.exp, (0.0, 1.0), _constant(0.0), _constant(np.inf)),
    Function.LOG: _Increasing(
        lambda x: np.log(np.maximum(x, 0.0)), (1.0, 0.0), _constant(-np.inf), _constant(np.inf)
    ),
    Function.TANH: _Increasing(np.tanh, (0.0, 0.0), _odd_least, _odd_most),
    Function.SIGMOID: _Increasing(_sigmoid, (0.0, 0.5), _constant(0.0), _constant(1.0)),
    Function.ERF: _Increasing(_erf, (0.0, 0.0), _odd_least, _odd_most),
    Function.SOFTPLUS: _Increasing(
        _softplus, _NOWHERE, lambda x: np.maximum(x, 0.0), _constant(np.inf)
    ),
}


def estimated(function: Function, operands: tuple[Floats, ...], exponent: Fraction) -> Floats:
    """Return ``function`` of floats, about: a guess that nothing may rest on."""
    match function:
        case Function.POWER:
            return np.power(operands[0], float(exponent))
        case Function.IS_POSITIVE:
            return np.where(operands[0] > 0, 1.0, 0.0)
        case Function.ABSOLUTE:
            return np.abs(operands[0])
    if function in _INCREASING:
        return _INCREASING[function].values(operands[0])
    return np.asarray(_OF_TWO[function](*operands))


_OF_TWO: Mapping[Function, Callable[[Floats, Floats], Floats]] = {
    Function.ADD: np.add,
    Function.SUBTRACT: np.subtract,
    Function.MULTIPLY: np.multiply,
    Function.DIVIDE: np.divide,
    Function.MINIMUM: np.minimum,
    Function.MAXIMUM: np.maximum,
}


def increasing(function: Function, x: Interval) -> Interval:
    """Return ``function`` of ``x``, one of those that increase."""
    return _increasing(_INCREASING[function], x)


def _increasing(of: _Increasing, x: Interval) -> Interval:
    lo, lo_exact = _end(of, x.lo, -1.0)
    hi, hi_exact = _end(of, x.hi, 1.0)
    lo = np.where(lo_exact, lo, np.maximum(lo, of.least(x.lo)))
    hi = np.where(hi_exact, hi, np.minimum(hi, of.most(x.hi)))
    return outward(lo, hi, x.lo_open | ~lo_exact, x.hi_open | ~hi_exact)


def _end(of: _Increasing, x: Floats, direction: float) -> tuple[Floats, Bools]:
    """Return the values moved by the margin, and which of them are exact."""
    value = of.values(x)
    moved = np.where(np.isinf(value), value, value + direction * (np.abs(value) * _MARGIN + _TINY))
    argument, exact = of.exact
    is_exact = x == argument
    return np.where(is_exact, exact, moved), np.asarray(is_exact)


def power(x: Interval, exponent: Fraction) -> Interval:
    """``x`` to a rational power; anything where that is not defined."""
    if exponent < 0:
        return divide(_ones(x), power(x, -exponent))
    if exponent.denominator != 1:
        return _real_power(x, exponent)
    count = int(exponent)
    if count == 0:
        return _ones(x)
    if count % 2 == 0:
        return _repeated(absolute(x), count)
    # Odd powers keep signs: each end by itself.
    lo, hi = _repeated(point(x.lo), count), _repeated(point(x.hi), count)
    return Interval(lo.lo, hi.hi, lo.lo_open | x.lo_open, hi.hi_open | x.hi_open)


def _ones(x: Interval) -> Interval:
    return point(np.ones_like(x.lo))


def _repeated(x: Interval, count: int) -> Interval:
    """Return ``x ** count`` by squaring; x does not change its sign."""
    result: Interval | None = None
    square = x
    while count:
        if count & 1:
            result = square if result is None else multiply(result, square)
        count >>= 1
        if count:
            square = multiply(square, square)
    assert result is not None
    return result


def _real_power(x: Interval, exponent: Fraction) -> Interval:
    """Return ``x ** exponent`` for a positive exponent; it increases from 0 on."""
    lo, hi = np.maximum(x.lo, 0.0), np.maximum(x.hi, 0.0)
    lo_open = x.lo_open & (x.lo >= 0)
    cut = Interval(lo, hi, lo_open, x.hi_open)
    if exponent * 2 == 1:
        result = _root(cut)
    else:
        # The exponent is a float32 constant of the model or a quotient of small numbers.
        by = float(exponent)
        of = _Increasing(
            lambda base: np.power(base, by), (1.0, 1.0), _constant(0.0), _constant(np.inf)
        )
        result = _increasing(of, cut)
        result = Interval(
            np.where(lo == 0, 0.0, result.lo),
            np.where(hi == 0, 0.0, result.hi),
            np.where(lo == 0, lo_open, result.lo_open),
            np.where(hi == 0, x.hi_open, result.hi_open),
        )
    outside = x.lo < 0
    return Interval(
        np.where(outside, -np.inf, result.lo),
        np.where(outside, np.inf, result.hi),
        result.lo_open | outside,
        result.hi_open | outside,
    )


def _root(x: Interval) -> Interval:
    lo, hi = np.sqrt(x.lo), np.sqrt(x.hi)
    ends = [rounded_product(root, root) for root in (lo, hi)]
    lo_exact = ends[0][1] & (ends[0][0] == x.lo)
    hi_exact = ends[1][1] & (ends[1][0] == x.hi) & np.isfinite(hi)
    return outward(
        np.where(lo_exact, lo, np.nextafter(lo, -np.inf)),
        np.where(hi_exact, hi, np.nextafter(hi, np.inf)),
        x.lo_open | ~lo_exact,
        x.hi_open | ~hi_exact,
    )


def apply(function: Function, operands: tuple[Interval, ...], exponent: Fraction) -> Interval:
    """Return ``function`` of ``operands``."""
    match function:
        case Function.ADD:
            return add(*operands)
        case Function.SUBTRACT:
            return subtract(*operands)
        case Function.MULTIPLY:
            return multiply(*operands)
        case Function.DIVIDE:
            return divide(*operands)
        case Function.MINIMUM:
            return minimum(*operands)
        case Function.MAXIMUM:
            return maximum(*operands)
        case Function.ABSOLUTE:
            return absolute(*operands)
        case Function.IS_POSITIVE:
            return is_positive(*operands)
        case Function.POWER:
            return power(operands[0], exponent)
        case _:
            return increasing(function, operands[0])


def outside(
    function: Function, operands: tuple[Interval, ...], exponent: Fraction
) -> tuple[Bools, Bools]:
    """Return where some, and where all of the operands have no real result.

    Division and negative powers have none at zero, logarithms below and at zero, real powers
    below zero.
    """
    zero = np.zeros(operands[0].lo.shape, dtype=np.bool_)
    if function is Function.DIVIDE:
        divisor = operands[1]
        some, every = holds(divisor, 0.0), (divisor.lo == 0) & (divisor.hi == 0)
        return some | zero, every | zero
    x = operands[0]
    if function is Function.LOG:
        return np.asarray((x.lo < 0) | ((x.lo == 0) & ~x.lo_open)), np.asarray(x.hi <= 0)
    if function is not Function.POWER:
        return zero, zero
    some, every = zero, zero
    if exponent < 0:
        some, every = holds(x, 0.0), np.asarray((x.lo == 0) & (x.hi == 0))
    if exponent.denominator != 1:
        below = (x.hi < 0) | ((x.hi == 0) & x.hi_open)
        some, every = some | (x.lo < 0), every | below
    return some, every
