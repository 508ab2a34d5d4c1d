"""Enclosures hold what they should: beside balls of 400 bits, and beside rationals."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, pairwise
from math import inf, isinf, nextafter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from flint import arb, ctx
from hypothesis import assume, example, given
from hypothesis import strategies as st

from lutloom.streamline import exact_intervals, interval_functions, intervals
from lutloom.streamline.enclosure import enclose, enclose_exactly, is_monotone, program_of
from lutloom.streamline.errors import ModelError
from lutloom.streamline.exact_intervals import ExactInterval, TooWideError
from lutloom.streamline.expression import Apply, Argument, Expression, Function
from lutloom.streamline.intervals import Interval
from tests.expressions import (
    EXPRESSIONS,
    NODE,
    RATIONAL_EXPRESSIONS,
    SMOOTH,
    ball,
    exact,
    exact_ball,
    number,
)

if TYPE_CHECKING:
    from lutloom.streamline.exact_intervals import End

RANGES = st.one_of(
    st.tuples(st.integers(-20, 20), st.integers(0, 20)),
    st.tuples(st.integers(-(2**62), 2**62), st.integers(0, 2**40)),
).map(lambda pair: (pair[0], pair[0] + pair[1]))


def end(number: float) -> End:
    return number if isinf(number) else Fraction(number)


def enclosed(expression: Expression, lo: int, hi: int) -> tuple[ExactInterval, bool, bool]:
    """Return the enclosure over one range, its ends as exact numbers."""
    ends = (np.array([lo], dtype=np.int64), np.array([hi], dtype=np.int64))
    found, somewhere, everywhere = enclose(program_of(expression), np.zeros(1, np.int64), *ends)
    whole = ExactInterval(
        end(float(found.lo[0])),
        end(float(found.hi[0])),
        bool(found.lo_open[0]),
        bool(found.hi_open[0]),
    )
    return whole, bool(somewhere[0]), bool(everywhere[0])


def lies_in(value: Fraction, x: ExactInterval) -> bool:
    above = x.lo < value or (x.lo == value and not x.lo_open)
    return above and (x.hi > value or (x.hi == value and not x.hi_open))


def may_lie_in(value: arb, x: ExactInterval) -> bool:
    """Return whether some number of the ball lies in ``x``."""
    if not value.is_finite():
        return True
    with ctx.workprec(2000):
        edges = [None if isinstance(edge, float) else exact_ball(edge) for edge in (x.lo, x.hi)]
        return not (
            (edges[0] is not None and value < edges[0])
            or (edges[1] is not None and value > edges[1])
        )


@given(RATIONAL_EXPRESSIONS, RANGES, st.data())
def test_rational_values_lie_in_their_enclosures_open_ends_included(
    expression: Expression, ends: tuple[int, int], data: st.DataObject
) -> None:
    lo, hi = ends
    assume(max(abs(lo), abs(hi)) < 2**62)
    whole, somewhere, everywhere = enclosed(expression, lo, hi)
    x = data.draw(st.integers(lo, hi))
    value = exact(expression, x)
    if value is None:
        assert somewhere
    else:
        assert not everywhere
        assert lies_in(value, whole)
        found = enclose_exactly(program_of(expression), 0, x, x, 64)
        assert (found.lo, found.hi, found.lo_open, found.hi_open) == (value, value, False, False)


@given(EXPRESSIONS, RANGES, st.data())
def test_real_values_lie_in_their_enclosures(
    expression: Expression, ends: tuple[int, int], data: st.DataObject
) -> None:
    lo, hi = ends
    x = data.draw(st.integers(lo, hi))
    whole, somewhere, everywhere = enclosed(expression, lo, hi)
    with ctx.workprec(400):
        value = ball(expression, x)
    if value.is_finite():
        assert not everywhere
        assert may_lie_in(value, whole)
    elif not somewhere:
        # No ball, but a real number: it was too large, or could not be told from a pole.
        assert not everywhere


@given(EXPRESSIONS, st.integers(-30, 30), st.integers(0, 3), st.sampled_from([64, 300]))
def test_real_values_lie_in_their_exact_enclosures(
    expression: Expression, lo: int, length: int, bits: int
) -> None:
    try:
        whole = enclose_exactly(program_of(expression), 0, lo, lo + length, bits)
    except (ModelError, TooWideError):
        return
    for x in range(lo, lo + length + 1):
        with ctx.workprec(1000):
            assert may_lie_in(ball(expression, x), whole)


@given(EXPRESSIONS, st.integers(-30, 30), st.integers(1, 8))
def test_what_is_said_to_be_monotone_is(expression: Expression, lo: int, length: int) -> None:
    ends = (np.array([lo], dtype=np.int64), np.array([lo + length], dtype=np.int64))
    program, channel = program_of(expression), np.zeros(1, dtype=np.int64)
    _, somewhere, _ = enclose(program, channel, *ends)
    if somewhere[0] or not is_monotone(program, channel, *ends)[0]:
        return
    with ctx.workprec(400):
        values = [ball(expression, x) for x in range(lo, lo + length + 1)]
    steps = [b - a for a, b in pairwise(values)]
    certain = [step for step in steps if step.is_finite()]
    assert not (any(step > 0 for step in certain) and any(step < 0 for step in certain))


ENDS = [-inf, -800.0, -40.0, -1.0, -1e-8, -5e-324, 0.0, 5e-324, 1e-300, 0.3, 1.0, 20.0, 710.0, inf]


@pytest.mark.parametrize("function", [*SMOOTH, Function.ABSOLUTE, Function.POWER])
def test_enclosures_of_extreme_ends_are_intervals_that_hold_the_ends(function: Function) -> None:
    for lo, hi in combinations(ENDS, 2):
        if lo > 0 or function not in (Function.LOG, Function.POWER):
            check_ends(function, lo, hi)


def check_ends(function: Function, lo: float, hi: float) -> None:
    x = Interval(np.array([lo]), np.array([hi]), np.isinf([lo]), np.isinf([hi]))
    with np.errstate(all="ignore"):
        y = interval_functions.apply(function, (x,), Fraction(3, 2))
    assert y.lo[0] <= y.hi[0]
    for inner in (lo, hi):
        if isinf(inner):
            continue
        with ctx.workprec(2000):
            part = Apply(function, (number(Fraction(inner)),), NODE, Fraction(3, 2))
            value = ball(part, 0)
        whole = ExactInterval(end(float(y.lo[0])), end(float(y.hi[0])))
        assert may_lie_in(value, whole)


@pytest.mark.parametrize(
    ("function", "limit"),
    [(Function.TANH, 1), (Function.ERF, 1), (Function.SIGMOID, 1)],
)
@pytest.mark.parametrize("x", [40, 1000, 2**40])
def test_limits_are_not_reached_however_near(function: Function, limit: int, x: int) -> None:
    expression = Apply(function, (Argument(),), NODE)
    whole, _, _ = enclosed(expression, x, x)
    assert (whole.hi, whole.hi_open) == (limit, True)
    found = enclose_exactly(program_of(expression), 0, x, x, 64)
    assert found.hi < limit or found.hi_open
    below, _, _ = enclosed(expression, -x, -x)
    least = 0 if function is Function.SIGMOID else -limit
    assert below.lo < least or below.lo_open
    assert below.lo >= least


def test_exponentials_beyond_writing_down_are_known_by_their_size() -> None:
    for x in (2**40, -(2**40)):
        power = enclose_exactly(program_of(Apply(Function.EXP, (Argument(),), NODE)), 0, x, x, 64)
        assert (power.lo > 2**60) if x > 0 else (0 <= power.lo < power.hi < Fraction(1, 2**60))
        plus = enclose_exactly(
            program_of(Apply(Function.SOFTPLUS, (Argument(),), NODE)), 0, x, x, 64
        )
        assert (plus.lo, plus.lo_open) == (max(x, 0), True)
        assert plus.hi < max(x, 0) + Fraction(1, 2**60)


@given(st.fractions())
@example(Fraction(10) ** 400)
@example(Fraction(1, 10**400))
@example(Fraction(2) ** 1024 - 2**970 - 1)
def test_floats_lie_around_every_rational(value: Fraction) -> None:
    lo, hi, is_open = intervals.rational(value)
    assert end(lo) <= value <= end(hi)
    assert is_open == (end(lo) != value)
    assert lo == hi or nextafter(nextafter(lo, inf), inf) >= hi


@given(st.fractions(0, 100), st.sampled_from([Fraction(1, 2), Fraction(3, 4), Fraction(-5, 8)]))
def test_roots_are_rational_where_they_are(root: Fraction, exponent: Fraction) -> None:
    assume(root > 0)
    square = root**exponent.denominator
    found = exact_intervals.power(exact_intervals.point(square), exponent, 64)
    assert (found.lo, found.hi) == (root**exponent.numerator, root**exponent.numerator)
