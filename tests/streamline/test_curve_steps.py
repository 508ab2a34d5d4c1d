"""Random functions behind random quantizers: every level, beside the definition of the function."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from flint import arb, ctx
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lutloom.core.rounding import Rounding
from lutloom.streamline.curve_steps import curve_staircase, reach
from lutloom.streamline.errors import ModelError
from lutloom.streamline.expression import Apply, Expression, Function
from lutloom.streamline.steps import Steps, rounding_steps
from tests.expressions import EXPRESSIONS, NODE, ball, exact, is_rational, number
from tests.functions import fraction

if TYPE_CHECKING:
    from collections.abc import Iterator

FACTORS = [Fraction(1), Fraction(1, 8), Fraction(10), Fraction(0.1), Fraction(-100)]
STEPS = st.one_of(
    st.sampled_from(Rounding).map(lambda mode: rounding_steps(mode, -8, 7)),
    st.lists(st.fractions(-2, 2, max_denominator=16), min_size=1, max_size=5).map(
        lambda table: Steps(tuple(sorted(table)), (True,) * len(table), -1, 2)
    ),
)


def taken(steps: Steps, expression: Expression, x: int) -> int | None:
    """Return how many steps the value takes; None where 3,000 bits do not tell."""
    if is_rational(expression):
        value = exact(expression, x)
        return None if value is None else steps.taken_by(value)
    for bits in (200, 3000):
        with ctx.workprec(bits):
            value_ = ball(expression, x)
            counts = {steps.taken_by(edge) for edge in _edges(value_)}
        if len(counts) == 1:
            return counts.pop()
    return None


def _edges(value: arb) -> Iterator[Fraction]:
    """Yield the ends of a ball, cut to what can be written down; of no number, two far ones."""
    far = arb(1000)
    if not value.is_finite():
        yield from (Fraction(-1000), Fraction(1000))
        return
    for edge in (value.lower(), value.upper()):
        if abs(edge) > far:
            yield Fraction(1000 if edge > 0 else -1000)
        elif edge != 0 and abs(edge) < arb(2) ** -20000:
            yield Fraction(1 if edge > 0 else -1, 2**20000)
        else:
            yield fraction(edge)


@settings(deadline=None)
@given(
    EXPRESSIONS,
    STEPS,
    st.sampled_from(FACTORS),
    st.integers(-40, 40),
    st.integers(0, 60),
    st.sampled_from([1, 2, 3]),
)
def test_every_integer_has_the_level_of_its_real_value(
    expression: Expression, steps: Steps, factor: Fraction, lo: int, count: int, step: int
) -> None:
    expression = Apply(Function.MULTIPLY, (expression, number(factor)), NODE)
    hi = lo + count * step
    try:
        op = curve_staircase(NODE, expression, [steps], ([lo], [hi]), step)
    except ModelError:
        assume(False)  # undefined somewhere, or an exact tie that is no rational
    x = np.arange(lo, hi + 1, step)
    (found,) = op.reference(x[:, np.newaxis])
    least, most = reach(expression, lo, hi)
    for integer, level in zip(x.tolist(), found.ravel().tolist(), strict=True):
        wanted = taken(steps, expression, integer)
        if wanted is not None:
            assert level == steps.first + steps.height * wanted
            assert steps.taken_by(Fraction(least)) <= wanted <= steps.taken_by(Fraction(most))


@given(EXPRESSIONS, STEPS, st.integers(-(2**40), 2**40), st.integers(2, 2**40))
@settings(deadline=None)
def test_steps_of_wide_ranges_lie_where_the_value_changes(
    expression: Expression, steps: Steps, lo: int, width: int
) -> None:
    """Scaled, so that something happens within the range."""
    small = Apply(Function.MULTIPLY, (expression, number(Fraction(16, width))), NODE)
    try:
        op = curve_staircase(NODE, small, [steps], ([lo], [lo + width]), 1)
    except ModelError:
        assume(False)
    thresholds = [int(t) for t in op.thresholds.int64.ravel() if t <= lo + width]
    middles = [lo + width * k // 7 for k in range(8)]
    tried = np.array([t - side for t in thresholds for side in (0, 1)] + middles)
    (found,) = op.reference(tried[:, np.newaxis])
    for integer, level in zip(tried.tolist(), found.ravel().tolist(), strict=True):
        wanted = taken(steps, small, integer)
        assert wanted is None or level == steps.first + steps.height * wanted
