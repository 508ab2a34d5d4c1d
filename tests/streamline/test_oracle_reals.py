"""The oracle's real numbers: rigorous against Arb, exact where they can be, decided or refused."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING, Any

import flint
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lutloom.streamline import oracle_series as series
from lutloom.streamline.oracle_reals import (
    Number,
    Real,
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
from lutloom.streamline.oracle_values import HALF, ONE, ZERO, OracleError

if TYPE_CHECKING:
    from collections.abc import Callable

    Ball = flint.arb

rationals = st.one_of(
    st.fractions(-40, 40, max_denominator=10**6),
    st.floats(-100, 100, width=32).map(Fraction),
    st.floats(-1e-20, 1e-20).map(Fraction),
)
bits = st.sampled_from((2, 8, 64, 65, 300))


def ball(x: Number) -> Ball:
    """Return ``x`` as Arb's number; a Real as the interval that it says it lies in."""
    if isinstance(x, Real):
        low, high = x.enclosure(200)
        return ball(low).union(ball(high))
    return flint.arb(flint.fmpq(x.numerator, x.denominator))


def _softplus_rest(x: Ball) -> Ball:
    return (1 + (-x).exp()).log()


FUNCTIONS: dict[str, tuple[Callable[..., int], Callable[[Ball], Ball], Fraction]] = {
    "erf": (series.erf, lambda x: x.erf(), Fraction(-100)),
    "exp": (series.exp, lambda x: x.exp(), Fraction(-100)),
    "log": (series.log, lambda x: x.log(), Fraction(0)),
    "sigmoid": (series.sigmoid, lambda x: 1 / (1 + (-x).exp()), Fraction(-100)),
    "softplus_rest": (series.softplus_rest, _softplus_rest, Fraction(-100)),
    "sqrt": (series.sqrt, lambda x: x.sqrt(), Fraction(0)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@given(x=rationals, bits=bits)
@example(x=Fraction(1, 10**40), bits=8)
@example(x=Fraction(10**5), bits=64)
def test_a_function_lies_between_its_two_bounds(name: str, x: Fraction, bits: int) -> None:
    ours, theirs, lowest = FUNCTIONS[name]
    if x <= lowest or (name == "exp" and x > 10**4):
        return
    with flint.ctx.workprec(2000):
        exact = theirs(ball(x)) * flint.arb(2) ** bits
        low, high = ours(x, bits, up=False), ours(x, bits, up=True)
        assert not exact < low
        assert not exact > high
    assert high - low <= 4


@given(x=rationals.filter(lambda x: x > 0), exponent=st.floats(-4, 4, width=16))
def test_a_power_lies_between_its_two_bounds(x: Fraction, exponent: float) -> None:
    with flint.ctx.workprec(1000):
        exact = ball(x) ** ball(Fraction(exponent)) * flint.arb(2) ** 64
        low, high = (series.power(x, Fraction(exponent), 64, up=up) for up in (False, True))
        assert not exact < low
        assert not exact > high


@given(bits=st.integers(1, 500))
def test_pi_lies_between_its_two_bounds(bits: int) -> None:
    low, high = series.pi(bits, up=False), series.pi(bits, up=True)
    with flint.ctx.workprec(1000):
        exact = flint.arb.pi() * flint.arb(2) ** bits
        assert low < exact < high
    assert high - low == 1


def test_a_result_that_no_float_holds_is_refused() -> None:
    with pytest.raises(OracleError, match="larger than any number that a float can hold"):
        sign(exp(Fraction(10**6)) - 1)


# Expressions beside Arb's: x, and two functions of it, in every combination.

UNARY: dict[str, tuple[Callable[[Number], Number], Callable[[Ball], Ball]]] = {
    "erf": (erf, lambda x: x.erf()),
    "exp": (lambda x: exp(min(x, ONE)), lambda x: x.min(flint.arb(1)).exp()),
    "inverse": (lambda x: 1 / (1 + x * x), lambda x: 1 / (1 + x * x)),
    "sigmoid": (sigmoid, lambda x: 1 / (1 + (-x).exp())),
    "softplus": (softplus, lambda x: (1 + x.exp()).log()),
    "sqrt": (lambda x: sqrt(abs(x)), lambda x: abs(x).sqrt()),
    "tanh": (tanh, lambda x: x.tanh()),
}
BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda x, y: x + y,
    "multiply": lambda x, y: x * y,
    "subtract": lambda x, y: x - y,
    "scaled": lambda x, y: x / 3 - 2 * y + 1,
}


@given(
    x=st.fractions(-5, 5, max_denominator=100),
    names=st.tuples(*[st.sampled_from(sorted(UNARY))] * 3),
    combination=st.sampled_from(sorted(BINARY)),
)
def test_compositions_enclose_what_arb_encloses(
    x: Fraction, names: tuple[str, str, str], combination: str
) -> None:
    (f, f_ball), (g, g_ball), (h, h_ball) = (UNARY[name] for name in names)
    combine = BINARY[combination]
    with flint.ctx.workprec(500):
        ours = h(combine(f(x), g(x)))
        theirs = h_ball(combine(f_ball(ball(x)), g_ball(ball(x))))
        assert ball(ours).overlaps(theirs)
        assert ball(ours).rad() < 2**-190


# What is rational is a Fraction, and what is equal by construction is equal.


@pytest.mark.parametrize(
    ("found", "exact"),
    [
        (exp(ZERO), ONE),
        (log(ONE), ZERO),
        (erf(ZERO), ZERO),
        (tanh(ZERO), ZERO),
        (sigmoid(ZERO), HALF),
        (sqrt(Fraction(9, 16)), Fraction(3, 4)),
        (exp(log(Fraction(5, 7))), Fraction(5, 7)),
        (log(exp(Fraction(5, 7))), Fraction(5, 7)),
        (sqrt(Fraction(2)) * sqrt(Fraction(2)), Fraction(2)),
        (power(Fraction(8, 27), Fraction(2, 3)), Fraction(4, 9)),
        (power(Fraction(-2), Fraction(-3)), Fraction(-1, 8)),
        (power(ZERO, HALF), ZERO),
        (power(power(Fraction(8), Fraction(3, 2)), Fraction(2)), Fraction(512)),
        (sigmoid(ONE) / sigmoid(ONE), ONE),
        (3 * exp(ONE) / exp(ONE), Fraction(3)),
        (tanh(ONE) + tanh(-ONE), ZERO),
        (erf(ONE) + erf(-ONE), ZERO),
    ],
)
def test_rational_results_are_fractions(found: Number, exact: Fraction) -> None:
    assert isinstance(found, Fraction)
    assert found == exact


def test_probabilities_that_tie_are_equal_and_add_up_to_one() -> None:
    values = [exp(Fraction(n, 3)) for n in (-1, -2, -1)]
    total = sum(values, start=ZERO)
    shares = [value / total for value in values]
    assert shares[0] == shares[2]
    assert shares[0] > shares[1]
    assert sum(shares, start=ZERO) == 1


@given(x=rationals, y=rationals)
def test_order_is_that_of_a_rising_function(x: Fraction, y: Fraction) -> None:
    assert (tanh(x) < tanh(y)) == (x < y)
    assert (exp(-x) >= exp(-y)) == (x <= y)


# Borders that are approached without end are not crossed.


@pytest.mark.parametrize("steep", [50, 10**4, 10**8])
def test_a_limit_is_not_reached(steep: int) -> None:
    x = Fraction(steep)
    assert sigmoid(-x) > ZERO
    assert sigmoid(x) < 1
    assert -1 < tanh(-x) < tanh(x) < 1
    assert erf(x) < 1
    assert x < softplus(x)
    assert softplus(-x) * sigmoid(-x) > ZERO
    assert x * sigmoid(x) < x
    assert tanh(x) * tanh(x + 1) < 1
    down = step_of(256 * sigmoid(x), floor, lambda k: Fraction(k + 1))
    assert down == 255
    third = step_of(300 * (erf(x) - Fraction(1, 3)) * sigmoid(x), floor, lambda k: Fraction(k + 1))
    assert third == 199
    up = step_of(256 * sigmoid(-x), ceil, Fraction)
    assert up == 1


def test_what_is_equal_for_no_reason_that_is_seen_is_an_error() -> None:
    with pytest.raises(
        OracleError, match="16384 bits do not tell a number from its nearest border"
    ):
        sign(1 / (1 + exp(-ONE)) - sigmoid(ONE))


@pytest.mark.parametrize("x", [Fraction(0), Fraction(-1)])
def test_what_is_no_number_is_refused(x: Fraction) -> None:
    with pytest.raises(OracleError, match="is no number"):
        log(x)
    with pytest.raises(OracleError, match="is no number"):
        power(x, Fraction(-1, 2))
    with pytest.raises(OracleError, match="is no number"):
        sqrt(x - 1)


def test_a_constant_of_gelu_is_what_it_is_called() -> None:
    low, high = root_of_two_by_pi().enclosure(60)
    assert low * low < Fraction(2) / Fraction("3.14159265358979323846")
    assert high * high > Fraction(2) / Fraction("3.14159265358979323847")
