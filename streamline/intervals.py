"""Arithmetic of enclosures in float64: sets of reals that surely hold every value.

An interval holds the reals between two floats; an open end does not belong to it itself. So
``tanh`` of anything is strictly below 1, which float64 alone could not say. Every operation returns
an interval that holds all of ``f(x, y)`` for ``x`` and ``y`` in its operands.

Sums, differences, products and quotients are rounded to nearest by IEEE 754. Where a result is not
exact, or can't be known to be (``error_free``), the neighbouring float outside is taken, and the
end is open.

A margin that is too wide costs time only: what float64 leaves open is decided exactly elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nextafter
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from lutloom.streamline.error_free import rounded_product, rounded_quotient, rounded_sum

if TYPE_CHECKING:
    from collections.abc import Callable
    from fractions import Fraction

    from numpy.typing import NDArray

    from lutloom.streamline.error_free import Bools, Floats

_LARGEST = float(np.finfo(np.float64).max)


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


def outward(lo: Floats, hi: Floats, lo_open: Bools, hi_open: Bools) -> Interval:
    """Return the interval; what is no number there is any, and an overflow the largest float."""
    lo = np.where(np.isnan(lo), -np.inf, np.minimum(lo, _LARGEST))
    hi = np.where(np.isnan(hi), np.inf, np.maximum(hi, -_LARGEST))
    return Interval(lo, hi, lo_open | np.isinf(lo), hi_open | np.isinf(hi))


def add(x: Interval, y: Interval) -> Interval:
    """``x + y``."""
    lo, lo_exact = rounded_sum(x.lo, y.lo)
    hi, hi_exact = rounded_sum(x.hi, y.hi)
    return outward(
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
    return outward(lo, hi, lo_open, hi_open)


def _or(x: Floats, fallback: float) -> Floats:
    return np.where(np.isnan(x), fallback, x)


def multiply(x: Interval, y: Interval) -> Interval:
    """``x * y``."""
    return _corners(x, y, rounded_product)


def divide(x: Interval, y: Interval) -> Interval:
    """``x / y``; anything where the divisor may be zero."""
    holds_zero = holds(y, 0.0)
    # The quotient is undisturbed where an end of the divisor is an open zero: 1 / (0, 2].
    lo, hi = np.where(y.lo == 0, 0.0, y.lo), np.where(y.hi == 0, -0.0, y.hi)
    with_signs = Interval(lo, hi, y.lo_open, y.hi_open)
    quotient = _corners(x, with_signs, rounded_quotient)
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


def point(x: Floats) -> Interval:
    """Return the interval of one float, element by element."""
    closed = np.zeros(x.shape, dtype=np.bool_)
    return Interval(x, x, closed, closed)


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
