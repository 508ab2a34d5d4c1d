from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.core.ops import Requantize
from lutloom.core.types import Const, IntType, TensorType

small = st.integers(-100, 100)


@given(small, small, st.integers(0, 5), st.integers(-20, 0), st.integers(0, 20), st.booleans())
def test_levels_are_the_clamped_quotient_rounded_down_or_its_ties_to_even(
    m: int, b: int, shift: int, lo: int, hi: int, ties_to_even: bool
) -> None:
    op = Requantize(Const([m]), Const([b]), shift, Const([lo]), Const([hi]), ties_to_even)
    x = np.arange(-40, 41)[:, np.newaxis]
    for number, level in zip(x.ravel().tolist(), op.reference(x)[0].ravel().tolist(), strict=True):
        exact = Fraction(m * number + b, 2**shift)
        # Ties to even of a number is floor of a half more, but on a tie.
        whole = round(exact - Fraction(1, 2)) if ties_to_even else floor(exact)
        assert level == min(max(whole, lo), hi)


def test_channels_have_constants_of_their_own_or_share_them() -> None:
    op = Requantize(Const([1, -2]), Const([3]), 1, Const([-5]), Const([5, 4]))
    x = np.array([[[0, 0], [5, 5], [-20, -20]]])
    assert op.reference(x)[0].tolist() == [[[1, 1], [4, -4], [-5, 4]]]
    assert op.channels == 2
    assert op.infer(TensorType(IntType(-20, 5), (3, 2)))[0] == TensorType(IntType(-5, 4), (3, 2))


def test_a_sum_at_the_ends_of_int64_is_no_wrap() -> None:
    op = Requantize(Const([2**31]), Const([-1]), 32, Const([-(2**31)]), Const([2**31]))
    x = TensorType(IntType(-(2**32) + 1, 2**32), (1,))
    assert op.infer(x)[0].element == IntType(-(2**31), 2**31 - 1)
    assert op.reference(np.array([[2**32]]))[0].tolist() == [[2**31 - 1]]
    with pytest.raises(TypeError, match=r"^a sum x \* m \+ b of int<.*> needs more than 64 bits$"):
        op.infer(TensorType(IntType(0, 2**32 + 1), (1,)))


ONE = Const([1])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            (Const(1), ONE, 0, ONE, ONE),
            r"^multipliers should be \[channels\] or \[1\], not int8\[\]",
        ),
        (
            (ONE, ONE, 0, Const([[1]]), ONE),
            r"^lowest should be \[channels\] or \[1\], not int8\[1,",
        ),
        (
            (Const([1, 2]), ONE, 0, Const([1, 2, 3]), Const([9])),
            r"^the constants are for \[2, 3\] channels: not the same$",
        ),
        ((ONE, ONE, 63, ONE, ONE), r"^the shift should be 0 to 62, not 63$"),
        ((ONE, ONE, -1, ONE, ONE), r"^the shift should be 0 to 62, not -1$"),
        ((ONE, ONE, 0, Const([2]), ONE), r"^a lowest level is above its highest$"),
    ],
)
def test_what_is_no_quantizer_is_refused_with_a_sentence(
    parameters: tuple[Const, Const, int, Const, Const], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        Requantize(*parameters)


def test_constants_for_other_channels_are_refused() -> None:
    op = Requantize(Const([1, 2]), ONE, 0, ONE, ONE)
    with pytest.raises(TypeError, match=r"^the constants are for 2 channels, but the input is int"):
        op.infer(TensorType(IntType(0, 1), (3,)))
