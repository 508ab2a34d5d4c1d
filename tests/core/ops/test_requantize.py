from __future__ import annotations

from fractions import Fraction
from math import ceil, floor, trunc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.core.ops.requantize import Requantize, digits, numbers
from lutloom.core.types import Const, IntType, TensorType
from tests.graphs import rounding_flags


def exact(values: list[int]) -> Any:  # noqa: ANN401 - an array of objects
    return np.array(values, dtype=object)


small = st.integers(-100, 100)


@given(small, small, st.integers(0, 5), st.integers(-20, 0), st.integers(0, 20), st.integers(0, 3))
def test_levels_are_the_clamped_quotient_rounded_in_one_of_four_ways(
    m: int, b: int, shift: int, lo: int, hi: int, way: int
) -> None:
    flags = rounding_flags(way)
    op = Requantize(Const([[m]]), Const([[b]]), shift, Const([lo]), Const([hi]), *flags)
    x = np.arange(-40, 41)[:, np.newaxis]
    for number, level in zip(x.ravel().tolist(), op.reference(x)[0].ravel().tolist(), strict=True):
        exact = Fraction(m * number + b, 2**shift)
        # Ties to even of a number is floor of a half more, but on a tie.
        whole = (
            floor(exact),
            round(exact - Fraction(1, 2)),
            trunc(exact),
            ceil(exact) if exact > 0 else floor(exact),
        )[way]
        assert level == min(max(whole, lo), hi)


def test_channels_have_constants_of_their_own_or_share_them() -> None:
    op = Requantize(Const([[1], [-2]]), Const([[3]]), 1, Const([-5]), Const([5, 4]))
    x = np.array([[[0, 0], [5, 5], [-20, -20]]])
    assert op.reference(x)[0].tolist() == [[[1, 1], [4, -4], [-5, 4]]]
    assert op.channels == 2
    assert op.infer(TensorType(IntType(-20, 5), (3, 2)))[0] == TensorType(IntType(-5, 4), (3, 2))


def test_sums_beyond_int64_are_no_wrap() -> None:
    op = Requantize(digits(exact([3**50])), digits(exact([-1])), 80, Const([-9]), Const([9]))
    assert op.multipliers.shape == (1, 2)
    x = np.array([[-(2**12)], [0], [2**12], [1]])
    wanted = [min(max((3**50 * n - 1) >> 80, -9), 9) for n in x.ravel().tolist()]
    assert op.reference(x)[0].ravel().tolist() == wanted
    assert op.infer(TensorType(IntType(-(2**12), 2**12), (1,)))[0].element == IntType(-9, 9)
    with pytest.raises(
        TypeError, match=r"^a sum x \* m \+ b of int<0\.\.32768> needs 95 bits: over"
    ):
        op.infer(TensorType(IntType(0, 2**15), (1,)))


@given(st.lists(st.integers(-(2**93), 2**93), min_size=1, max_size=4))
def test_digits_are_the_numbers(values: list[int]) -> None:
    const = digits(exact(values))
    assert numbers(const).tolist() == (values[:1] if len(set(values)) == 1 else values)


ONE, UNIT = Const([1]), Const([[1]])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ((ONE, UNIT, 0, ONE, ONE), r"^multipliers should be \[channels, digits\], not int8\[1\]#"),
        (
            (UNIT, Const(np.zeros((1, 0), int)), 0, ONE, ONE),
            r"^biases should be \[channels, digits\], not int8\[1,0",
        ),
        ((UNIT, UNIT, 0, UNIT, ONE), r"^lowest should be \[channels\], not int8\[1,1\]#"),
        (
            (Const([[1], [2]]), UNIT, 0, Const([1, 2, 3]), Const([9])),
            r"^the constants are for \[2, 3\] channels: not the same$",
        ),
        ((UNIT, UNIT, 95, ONE, ONE), r"^the shift should be 0 to 94, not 95$"),
        ((UNIT, UNIT, -1, ONE, ONE), r"^the shift should be 0 to 94, not -1$"),
        ((UNIT, UNIT, 0, Const([2]), ONE), r"^a lowest level is above its highest$"),
    ],
)
def test_what_is_no_quantizer_is_refused_with_a_sentence(
    parameters: tuple[Const, Const, int, Const, Const], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        Requantize(*parameters)


def test_a_shift_rounds_in_one_way() -> None:
    with pytest.raises(TypeError, match=r"^the shift rounds in one way only$"):
        Requantize(UNIT, UNIT, 1, ONE, ONE, to_zero=True, from_zero=True)


def test_constants_for_other_channels_are_refused() -> None:
    op = Requantize(Const([[1], [2]]), UNIT, 0, ONE, ONE)
    with pytest.raises(TypeError, match=r"^the constants are for 2 channels, but the input is int"):
        op.infer(TensorType(IntType(0, 1), (3,)))
