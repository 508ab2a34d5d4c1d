"""What people write for integers and rationals is read exactly, or not at all."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.core.number_text import LONGEST_NUMBER, integers_of, rational_of
from lutloom.core.types import BIPOLAR, IntType


@pytest.mark.parametrize("bits", [1, 7, 8, 31, 32])
def test_integers_of_some_bits_are_all_of_them(bits: int) -> None:
    assert integers_of(f"uint{bits}") == IntType(0, 2**bits - 1)
    assert integers_of(f"INT{bits}") == IntType(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


@given(st.integers(-(2**31), 2**32 - 2), st.integers(1, 2**32))
def test_a_range_is_read_where_32_bits_hold_it(low: int, more: int) -> None:
    expected = IntType(low, low + more) if low + more < 2**32 else None
    assert integers_of(f"{low}..{low + more}") == expected


def test_bipolar_is_one_and_minus_one() -> None:
    assert integers_of("Bipolar") == BIPOLAR


@pytest.mark.parametrize("text", ["", "uint", "uint0", "int33", "9..0", "3..3", "0..", "float32"])
def test_what_means_no_integers_is_none(text: str) -> None:
    assert integers_of(text) is None


@given(st.fractions(max_denominator=10**9))
def test_a_rational_is_read_as_it_is_written(number: Fraction) -> None:
    assert rational_of(str(number)) == number


@pytest.mark.parametrize(
    "text", ["", "x", "1/0", "nan", "inf", "1e9999", "1e99", "1" * (LONGEST_NUMBER + 1)]
)
def test_what_no_float32_holds_is_none(text: str) -> None:
    assert rational_of(text) is None
