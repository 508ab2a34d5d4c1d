"""Integers in the order of reals: every point of small domains, and sizes of large ones."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lutloom.streamline.ranking import Line, Ranks, ranks

floats = st.floats(-2, 2, width=32).map(Fraction)
ratios = st.builds(Fraction, st.integers(-6, 6), st.sampled_from([1, 2, 3]))


@st.composite
def lines(draw: st.DrawFn) -> list[Line]:
    """Draw up to four channels, with ties among them more often than not."""

    def line() -> Line:
        lo, step = draw(st.integers(-5, 5)), draw(st.integers(1, 2))
        hi = lo + step * draw(st.integers(0, 4))
        return Line(draw(floats | ratios), draw(floats | ratios), lo, hi, step)

    return [line() for _ in range(draw(st.integers(1, 4)))]


@settings(max_examples=300)
@given(lines(), st.booleans())
def test_the_integers_are_in_the_order_of_the_reals_and_ties_go_where_they_should(
    drawn: list[Line], last: bool
) -> None:
    found = ranks(drawn, last=last)
    if found is None:  # numbers of 10^-45 besides others
        return
    assert found.bits(drawn) <= 62
    channels = range(len(drawn))
    for point in product(*(range(line.lo, line.hi + 1, line.step) for line in drawn)):
        reals = [line.slope * q + line.offset for line, q in zip(drawn, point, strict=True)]
        integers = [
            m * q + bias for m, bias, q in zip(found.multipliers, found.biases, point, strict=True)
        ]
        wanted = sorted(channels, key=lambda c: (-reals[c], -c if last else c))
        assert wanted == sorted(channels, key=lambda c: (-integers[c], c))


def random_lines(channels: int, reach: int, *, biased: bool) -> list[Line]:
    rng = np.random.default_rng(0)
    scales = rng.uniform(0.1, 1, (2, channels)).astype(np.float32)
    offsets = rng.normal(0, 1, channels).astype(np.float32) * biased
    return [
        Line(Fraction(float(a)) * Fraction(float(b)), Fraction(float(c)), -reach, reach, 1)
        for a, b, c in zip(*scales, offsets, strict=True)
    ]


def test_products_of_float32_scales_take_far_fewer_than_their_exact_bits() -> None:
    drawn = random_lines(10, 512, biased=True)
    found = ranks(drawn)
    assert found is not None
    assert found.bits(drawn) == 33


@pytest.mark.parametrize("last", [False, True])
def test_ties_among_wide_numbers_get_room(last: bool) -> None:
    """All channels are equal at 5. Rounded, they would not be: the biases see to the winner."""
    drawn = [replace(line, offset=-5 * line.slope) for line in random_lines(8, 30, biased=False)]
    found = ranks(drawn, last=last)
    assert found is not None
    assert found.bits(drawn) < 50
    at_five = [5 * m + bias for m, bias in zip(found.multipliers, found.biases, strict=True)]
    assert at_five == sorted(at_five, reverse=not last)
    for channel, line in enumerate(drawn):
        # One step apart, the reals are no tie any more.
        for q in (4, 6):
            moved = q * found.multipliers[channel] + found.biases[channel]
            assert all(
                (moved > other) == (q == 6) for c, other in enumerate(at_five) if c != channel
            )
        assert line.slope > 0


def test_equal_scales_of_opposite_signs_are_exact() -> None:
    third = Fraction(1, 3)
    drawn = [Line(s * third, Fraction(0), -8, 7, 1) for s in (1, -1, 0)]
    assert ranks(drawn) == Ranks((1, -1, 0), (0, 0, 0))


def test_what_takes_too_many_bits_is_left_to_the_host() -> None:
    tiny = Fraction(1, 2**200)
    drawn = [Line(Fraction(1), Fraction(0), -9, 9, 1), Line(tiny, tiny, -9, 9, 1)]
    drawn.append(Line(Fraction(1, 3) * tiny, Fraction(0), -9, 9, 1))
    assert ranks(drawn) is None


@pytest.mark.parametrize("apart", range(44, 66))
def test_no_integers_of_more_than_62_bits_are_offered(apart: int) -> None:
    """Scales that differ in their last bit only, and a third that has nothing to do with them."""
    near = [Fraction(1), 1 + Fraction(1, 2**apart), 1 + Fraction(1, 3 * 2**apart)]
    drawn = [Line(slope, Fraction(0), -1000, 1000, 1) for slope in near]
    found = ranks(drawn)
    assert (found is None) == (apart > 50)
    assert found is None or found.bits(drawn) <= 62
