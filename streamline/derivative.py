"""Where an expression surely does not fall, or does not rise: by enclosing its derivative.

The chain rule on intervals, instruction by instruction. Where an expression has a kink (``max``,
``|x|``), every derivative on either side of it is enclosed; by the mean value theorem on the pieces
the expression is monotone all the same. Where it jumps, nothing is said.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from lutloom.streamline.expression import Function
from lutloom.streamline.interval_functions import apply, increasing, power
from lutloom.streamline.intervals import (
    Interval,
    add,
    divide,
    hull,
    multiply,
    point,
    subtract,
    whole,
)

if TYPE_CHECKING:
    from lutloom.streamline.error_free import Bools

Dual = tuple[Interval, Interval]
"""A value and its derivative."""


def derived(function: Function, operands: tuple[Dual, ...], exponent: Fraction) -> Dual:
    """Return ``function`` of ``operands`` with its derivative."""
    value = apply(function, tuple(x for x, _ in operands), exponent)
    return value, _derivative(function, operands, exponent, value)


def _derivative(
    function: Function, operands: tuple[Dual, ...], exponent: Fraction, value: Interval
) -> Interval:
    if len(operands) == 2:
        return _of_two(function, *operands, value)
    ((x, slope),) = operands
    return multiply(_of_one(function, x, exponent, value), slope)


def _of_two(function: Function, left: Dual, right: Dual, value: Interval) -> Interval:
    (x, x_slope), (y, y_slope) = left, right
    match function:
        case Function.ADD:
            return add(x_slope, y_slope)
        case Function.SUBTRACT:
            return subtract(x_slope, y_slope)
        case Function.MULTIPLY:
            return add(multiply(x_slope, y), multiply(x, y_slope))
        case Function.DIVIDE:
            return divide(subtract(x_slope, multiply(value, y_slope)), y)
        case Function.MINIMUM:
            x, y = -x, -y
    # The maximum: of one operand where that is above the other, else of either.
    is_first, is_second = x.lo > y.hi, y.lo > x.hi
    return _chosen(is_first, x_slope, _chosen(is_second, y_slope, hull(x_slope, y_slope)))


def _chosen(which: Bools, x: Interval, y: Interval) -> Interval:
    return Interval(
        np.where(which, x.lo, y.lo),
        np.where(which, x.hi, y.hi),
        np.where(which, x.lo_open, y.lo_open),
        np.where(which, x.hi_open, y.hi_open),
    )


def _of_one(function: Function, x: Interval, exponent: Fraction, value: Interval) -> Interval:
    one = point(np.ones_like(x.lo))
    match function:
        case Function.EXP:
            return value
        case Function.LOG:
            return divide(one, x)
        case Function.TANH:
            return subtract(one, power(value, Fraction(2)))
        case Function.SIGMOID:
            return multiply(value, increasing(Function.SIGMOID, -x))
        case Function.SOFTPLUS:
            return increasing(Function.SIGMOID, x)
        case Function.ERF:
            # 2 / sqrt(pi) exp(-x^2)
            factor = point(np.full_like(x.lo, 1.1283791670955126))
            above = point(np.full_like(x.lo, 1.1283791670955128))
            return multiply(hull(factor, above), increasing(Function.EXP, -power(x, Fraction(2))))
        case Function.POWER:
            factor = point(np.full_like(x.lo, float(exponent)))
            return multiply(factor, power(x, exponent - 1))
        case Function.ABSOLUTE:
            lo, hi = np.where(x.lo >= 0, 1.0, -1.0), np.where(x.hi <= 0, -1.0, 1.0)
            return hull(point(lo), point(hi))
        case _:  # IS_POSITIVE jumps at zero
            flat = point(np.zeros_like(x.lo))
            return _chosen(value.lo == value.hi, flat, whole(x.lo.shape))
