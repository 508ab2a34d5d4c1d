from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from math import gcd

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.core.rational import common_divisor, rationals, sqrt_to_float64

positive = st.fractions(min_value=Fraction(1, 10**12), max_value=10**12)
halves = st.builds(
    lambda m, e: Fraction(m) * Fraction(2) ** e, st.integers(2**53, 2**54), st.integers(-80, 80)
)


@given(positive)
def test_the_root_is_the_nearest_float64(square: Fraction) -> None:
    with localcontext() as context:
        context.prec = 400
        root = (Decimal(square.numerator) / Decimal(square.denominator)).sqrt()
        assert sqrt_to_float64(square) == Fraction(float(root))


@given(halves)
def test_a_root_midway_between_two_floats_goes_to_the_even_one(root: Fraction) -> None:
    """54 bits: every odd one lies midway."""
    assert sqrt_to_float64(root * root) == Fraction(float(root))
    tiny = Fraction(1, 10**60)
    above = sqrt_to_float64(root * root * (1 + tiny))
    below = sqrt_to_float64(root * root * (1 - tiny))
    assert below <= root <= above
    if root.numerator % 2 and Fraction(float(root)) != root:
        assert below != above


@pytest.mark.parametrize("root", [0, 1, Fraction(1, 2), Fraction(3, 7), 2**100, 2**-9])
def test_a_rational_root_is_rounded_once(root: int | Fraction) -> None:
    assert sqrt_to_float64(Fraction(root) ** 2) == Fraction(float(root))


@given(st.lists(st.fractions(max_denominator=10**6), min_size=1, max_size=5))
def test_the_common_divisor_is_the_largest(values: list[Fraction]) -> None:
    step = common_divisor(values)
    if not any(values):
        assert step == 0
        return
    quotients = [value / step for value in values]
    assert step > 0
    assert all(quotient.denominator == 1 for quotient in quotients)
    assert gcd(*map(int, quotients)) == 1


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), max_size=4))
def test_floats_are_taken_exactly(values: list[float]) -> None:
    exact = rationals(np.array(values, dtype=np.float32))
    assert exact.shape == (len(values),)
    assert [float(value) for value in exact] == values
    assert all(isinstance(value, Fraction) for value in exact)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="NaN or infinity"):
        rationals([1.0, value])
