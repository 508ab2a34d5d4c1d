"""Enclosures in float64: sets of reals that surely hold every value of an expression.

An interval holds the reals between two floats; an open end does not belong to it itself. So
``tanh`` of anything is strictly below 1, which float64 alone could not say. Every operation returns
an interval that holds all of ``f(x, y)`` for ``x`` and ``y`` in its operands:

- Sums, differences, products, quotients and square roots are rounded to nearest by IEEE 754. The
  error-free transformations of Knuth and Dekker tell whether a result is exact; where it is not,
  or can't be known, the neighbouring float outside is taken, and the end is open.
- ``exp``, ``log``, ``tanh``, ``sigmoid``, ``erf``, ``softplus`` and real powers are increasing.
  NumPy, its vector library and the C library document errors of a few units in the last place
  (2^-52 relative); their results are moved outward by 2^-40 relative, and cut to what is known of
  the function (``0 < sigmoid < 1`` and the like). Where they are rational, they are exact.

A margin that is too wide costs time only: what float64 leaves open is decided exactly elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nextafter
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from lutloom.streamline.expression import Function

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from fractions import Fraction

    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Bools: TypeAlias = NDArray[np.bool_]

_MARGIN = 2.0**-40
# Results below the normal range have no relative accuracy.
_TINY = 2.0**-1020
_LARGEST = float(np.finfo(np.float64).max)
# Dekker's product is error-free between these magnitudes, with room to spare.
_SMALL_PRODUCT, _LARGE_PRODUCT = 2.0**-900, 2.0**900
_SPLITTER = 2.0**27 + 1


@dataclass(frozen=True, slots=True, eq=False)
class Interval:
    """The reals from ``lo`` to ``hi``, element by element; infinite ends are open."""

    lo: Floats
    hi: Floats
    lo_open: Bools
    hi_open: Bools

    def __neg__(self) -> Interval:
        return Interval(-self.hi, -self.lo, self.hi_open, self.lo_open)

    def __getitem__(self, which: NDArray[np.int64]) -> Interval:
        return Interval(self.lo[which], self.hi[which], self.lo_open[which], self.hi_open[which])


def integers(lo: NDArray[np.int64], hi: NDArray[np.int64]) -> Interval:
    """Return an interval that holds the integers from ``lo`` to ``hi``."""
    exact = 2**53
    least, most = lo.astype(np.float64), hi.astype(np.float64)
    lo_open, hi_open = (lo < -exact) | (lo > exact), (hi < -exact) | (hi > exact)
    return Interval(
        np.where(lo_open, np.nextafter(least, -np.inf), least),
        np.where(hi_open, np.nextafter(most, np.inf), most),
        lo_open,
        hi_open,
    )


def rational(value: Fraction) -> tuple[float, float, bool]:
    """Return the floats around ``value``, and whether it lies strictly between them."""
    try:
        nearest = float(value)
    except OverflowError:
        return (_LARGEST, np.inf, True) if value > 0 else (-np.inf, -_LARGEST, True)
    if nearest == value:  # Python compares a float with a Fraction exactly
        return nearest, nearest, False
    return nextafter(nearest, -inf), nextafter(nearest, inf), True


def _outward(lo: Floats, hi: Floats, lo_open: Bools, hi_open: Bools) -> Interval:
    """Return the interval; what is no number there is any, and an overflow the largest float."""
    lo = np.where(np.isnan(lo), -np.inf, np.minimum(lo, _LARGEST))
    hi = np.where(np.isnan(hi), np.inf, np.maximum(hi, -_LARGEST))
    return Interval(lo, hi, lo_open | np.isinf(lo), hi_open | np.isinf(hi))


def _sum(x: Floats, y: Floats) -> tuple[Floats, Bools]:
    """Return the rounded sums, and which of them are exact (Knuth's TwoSum)."""
    total = x + y
    part = total - x
    error = (x - (total - part)) + (y - part)
    return total, error == 0


def _product(x: Floats, y: Floats) -> tuple[Floats, Bools]:
    """Return the rounded products, and which are known to be exact (Dekker's TwoProduct).

    Zero times infinity is zero: an infinite end stands for large numbers.
    """
    product = x * y
    is_zero = (x == 0) | (y == 0)
    product = np.where(is_zero, 0.0, product)
    size = np.abs(product)
    fits = (size > _SMALL_PRODUCT) & (size < _LARGE_PRODUCT)
    fits &= (np.abs(x) < _LARGE_PRODUCT) & (np.abs(y) < _LARGE_PRODUCT)
    return product, is_zero | (fits & (_product_error(x, y, product) == 0))


def _product_error(x: Floats, y: Floats, product: Floats) -> Floats:
    x_high, y_high = _high_half(x), _high_half(y)
    x_low, y_low = x - x_high, y - y_high
    return np.asarray(
        ((x_high * y_high - product) + x_high * y_low + x_low * y_high) + x_low * y_low
    )


def _high_half(x: Floats) -> Floats:
    shifted = _SPLITTER * x
    return np.asarray(shifted - (shifted - x))


def _quotient(x: Floats, y: Floats) -> tuple[Floats, Bools]:
    """Return the rounded quotients, and which are known to be exact; y is not zero."""
    quotient = np.where(x == 0, 0.0, x / y)
    back, is_exact = _product(quotient, y)
    return quotient, (x == 0) | (is_exact & (back == x) & np.isfinite(y))


def add(x: Interval, y: Interval) -> Interval:
    """``x + y``."""
    lo, lo_exact = _sum(x.lo, y.lo)
    hi, hi_exact = _sum(x.hi, y.hi)
    return _outward(
        np.where(lo_exact, lo, np.nextafter(lo, -np.inf)),
        np.where(hi_exact, hi, np.nextafter(hi, np.inf)),
        x.lo_open | y.lo_open | ~lo_exact,
        x.hi_open | y.hi_open | ~hi_exact,
    )


def subtract(x: Interval, y: Interval) -> Interval:
    """``x - y``."""
    return add(x, -y)


_Operation: TypeAlias = "Callable[[Floats, Floats], tuple[Floats, Bools]]"


def _corners(x: Interval, y: Interval, operation: _Operation) -> Interval:
    """Return the hull of the operation's values at the corners, where its extremes are.

    A corner belongs to the values if both of its ends belong to theirs; a zero does as soon as
    the zero end does, whatever the other.
    """
    lo = hi = None
    lo_open = hi_open = np.zeros((), dtype=np.bool_)
    for a, a_open in ((x.lo, x.lo_open), (x.hi, x.hi_open)):
        for b, b_open in ((y.lo, y.lo_open), (y.hi, y.hi_open)):
            value, exact = operation(a, b)
            is_open = (a_open | b_open) & ~(((a == 0) & ~a_open) | ((b == 0) & ~b_open))
            is_open = is_open | ~exact
            below = np.where(exact, value, np.nextafter(value, -np.inf))
            above = np.where(exact, value, np.nextafter(value, np.inf))
            # The sign is certain, even where the number underflows, or is infinity by infinity.
            sign = np.sign(a) * np.sign(b)
            below = np.where(sign > 0, np.fmax(below, 0.0), _or(below, -np.inf))
            above = np.where(sign < 0, np.fmin(above, 0.0), _or(above, np.inf))
            if lo is None or hi is None:
                lo, hi, lo_open, hi_open = below, above, is_open, is_open
                continue
            lo_open = np.where(
                below == lo, lo_open & is_open, np.where(below < lo, is_open, lo_open)
            )
            hi_open = np.where(
                above == hi, hi_open & is_open, np.where(above > hi, is_open, hi_open)
            )
            lo, hi = np.minimum(lo, below), np.maximum(hi, above)
    assert lo is not None
    assert hi is not None
    return _outward(lo, hi, lo_open, hi_open)


def _or(x: Floats, fallback: float) -> Floats:
    return np.where(np.isnan(x), fallback, x)


def multiply(x: Interval, y: Interval) -> Interval:
    """``x * y``."""
    return _corners(x, y, _product)


def divide(x: Interval, y: Interval) -> Interval:
    """``x / y``; anything where the divisor may be zero."""
    holds_zero = holds(y, 0.0)
    # The quotient is undisturbed where an end of the divisor is an open zero: 1 / (0, 2].
    lo, hi = np.where(y.lo == 0, 0.0, y.lo), np.where(y.hi == 0, -0.0, y.hi)
    with_signs = Interval(lo, hi, y.lo_open, y.hi_open)
    quotient = _corners(x, with_signs, _quotient)
    return Interval(
        np.where(holds_zero, -np.inf, quotient.lo),
        np.where(holds_zero, np.inf, quotient.hi),
        quotient.lo_open | holds_zero,
        quotient.hi_open | holds_zero,
    )


def minimum(x: Interval, y: Interval) -> Interval:
    """``min(x, y)``."""
    return -maximum(-x, -y)


def maximum(x: Interval, y: Interval) -> Interval:
    """``max(x, y)``: at an end where both meet, the lower one needs both, the upper one either."""
    return Interval(
        np.maximum(x.lo, y.lo),
        np.maximum(x.hi, y.hi),
        np.where(x.lo == y.lo, x.lo_open | y.lo_open, np.where(x.lo > y.lo, x.lo_open, y.lo_open)),
        np.where(x.hi == y.hi, x.hi_open & y.hi_open, np.where(x.hi > y.hi, x.hi_open, y.hi_open)),
    )


def absolute(x: Interval) -> Interval:
    """``|x|``."""
    positive = maximum(x, -x)
    has_zero = holds(x, 0.0)
    return Interval(
        np.where(has_zero, 0.0, positive.lo),
        positive.hi,
        positive.lo_open & ~has_zero,
        positive.hi_open,
    )


def is_positive(x: Interval) -> Interval:
    """Return 1 above zero, else 0."""
    always = (x.lo > 0) | ((x.lo == 0) & x.lo_open)
    closed = np.zeros(x.lo.shape, dtype=np.bool_)
    return Interval(np.where(always, 1.0, 0.0), np.where(x.hi > 0, 1.0, 0.0), closed, closed)


def pi_of(shape: tuple[int, ...]) -> Interval:
    """Return pi, which lies above the nearest float."""
    is_open = np.ones(shape, dtype=np.bool_)
    above = float(np.nextafter(np.pi, 4.0))
    return Interval(np.full(shape, np.pi), np.full(shape, above), is_open, is_open)


def whole(shape: tuple[int, ...]) -> Interval:
    """Return all reals."""
    is_open = np.ones(shape, dtype=np.bool_)
    return Interval(np.full(shape, -np.inf), np.full(shape, np.inf), is_open, is_open)


def hull(x: Interval, y: Interval) -> Interval:
    """Return the smallest interval that holds both."""
    return Interval(
        np.minimum(x.lo, y.lo),
        np.maximum(x.hi, y.hi),
        np.where(x.lo == y.lo, x.lo_open & y.lo_open, np.where(x.lo < y.lo, x.lo_open, y.lo_open)),
        np.where(x.hi == y.hi, x.hi_open & y.hi_open, np.where(x.hi > y.hi, x.hi_open, y.hi_open)),
    )


def holds(x: Interval, number: float) -> Bools:
    """Return where ``number`` lies in ``x``."""
    above = (x.lo < number) | ((x.lo == number) & ~x.lo_open)
    below = (x.hi > number) | ((x.hi == number) & ~x.hi_open)
    return np.asarray(above & below)


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
    return _outward(lo, hi, x.lo_open | ~lo_exact, x.hi_open | ~hi_exact)


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


def point(x: Floats) -> Interval:
    """Return the interval of one float, element by element."""
    closed = np.zeros(x.shape, dtype=np.bool_)
    return Interval(x, x, closed, closed)


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
    ends = [_product(root, root) for root in (lo, hi)]
    lo_exact = ends[0][1] & (ends[0][0] == x.lo)
    hi_exact = ends[1][1] & (ends[1][0] == x.hi) & np.isfinite(hi)
    return _outward(
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
