"""Multipliers as small as proved: against brute force, over every point of small domains."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lutloom.streamline import sum_lines
from lutloom.streamline.multipliers import Narrow, Term, narrowed
from lutloom.streamline.sum_lines import simplest_between
from lutloom.streamline.weighted_floor import greatest

small = st.integers(-30, 30)


@given(st.integers(1, 12), small, small, small, small, st.integers(1, 12))
def test_the_greatest_weighted_floor_is_that_of_a_search(
    count: int, slope: int, height: int, rise: int, start: int, run: int
) -> None:
    values = (slope * x + height * ((rise * x + start) // run) for x in range(count))
    assert greatest(count, slope, height, rise, start, run) == max(values)


@st.composite
def terms(draw: st.DrawFn, most: int) -> Term:
    factors = [st.integers(-4, 4), st.integers(-60, 60), st.integers(-(2**100), 2**100)]
    lo, step = draw(st.integers(-9, 9)), draw(st.integers(1, 3))
    return Term(draw(st.one_of(factors)), lo, lo + step * draw(st.integers(0, most - 1)), step)


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[Term], list[int]]:
    """Draw terms, and thresholds at, beside and between their sums."""
    count = draw(st.integers(1, 4))
    drawn = [draw(terms(8 if count < 3 else 4)) for _ in range(count)]
    sums = sorted({sum(values) for values in product(*map(reach, drawn))})
    near = st.builds(lambda x, shift: x + shift, st.sampled_from(sums), st.integers(-1, 1))
    between = st.integers(sums[0] - 2, sums[-1] + 2)
    return drawn, draw(st.lists(st.one_of(near, between), max_size=5).map(sorted))


def reach(term: Term) -> list[int]:
    return [term.multiplier * q for q in range(term.lo, term.hi + 1, term.step)]


def points(drawn: list[Term]) -> list[tuple[int, ...]]:
    return list(product(*(range(term.lo, term.hi + 1, term.step) for term in drawn)))


@settings(max_examples=400)
@given(problems())
def test_every_point_stays_on_its_side_of_every_threshold(
    problem: tuple[list[Term], list[int]],
) -> None:
    drawn, thresholds = problem
    narrow = narrowed(drawn, thresholds)
    assert narrow is not None
    assert all(a <= b for a, b in pairwise(narrow.thresholds))
    for point in points(drawn):
        before = sum(term.multiplier * q for term, q in zip(drawn, point, strict=True))
        after = sum(m * q for m, q in zip(narrow.multipliers, point, strict=True))
        for old, new in zip(thresholds, narrow.thresholds, strict=True):
            assert (before >= old) == (after >= new)
    assert all(
        abs(m) <= abs(term.multiplier) for m, term in zip(narrow.multipliers, drawn, strict=True)
    )


def tells(multipliers: tuple[int, ...], drawn: list[Term], thresholds: list[int]) -> bool:
    """Say whether some thresholds on the new sum answer what those on the old one do."""
    sides: list[tuple[int, int]] = []
    for point in points(drawn):
        before = sum(term.multiplier * q for term, q in zip(drawn, point, strict=True))
        sides.append((before, sum(m * q for m, q in zip(multipliers, point, strict=True))))
    return all(
        max((new for old, new in sides if old < t), default=-(10**9))
        < min((new for old, new in sides if old >= t), default=10**9)
        for t in thresholds
    )


@settings(max_examples=200)
@given(problems())
def test_no_smaller_multipliers_of_two_terms_would_do(
    problem: tuple[list[Term], list[int]],
) -> None:
    drawn, thresholds = problem[0][:2], problem[1]
    if len(drawn) < 2:
        return
    narrow = narrowed(drawn, thresholds)
    assert narrow is not None
    p, q = narrow.multipliers
    signs = [1 if term.multiplier >= 0 else -1 for term in drawn]
    # Of a pair with a smaller entry the other may not grow beyond what was found.
    for a, b in product(range(min(abs(p), 8) + 1), range(min(abs(q), 8) + 1)):
        if (a, b) != (abs(p), abs(q)):
            assert not tells((signs[0] * a, signs[1] * b), drawn, thresholds)


@settings(max_examples=200)
@given(problems(), st.integers(1, 3))
def test_points_and_staircases_find_the_same_multipliers(
    problem: tuple[list[Term], list[int]], most: int
) -> None:
    """Of a small domain all points beside a threshold are looked at, of others their extremes."""
    drawn, thresholds = problem
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sum_lines, "_MOST_CUTS" if most > 1 else "_MOST_PAIRS", 0)
        followed = narrowed(drawn, thresholds)
    assert narrowed(drawn, thresholds) == followed


@given(st.fractions(0, 9, max_denominator=40), st.fractions(0, 9, max_denominator=40))
def test_the_simplest_fraction_between_two_is_that_of_a_search(
    one: Fraction, two: Fraction
) -> None:
    low, high = min(one, two), max(one, two)
    if low == high:
        assert simplest_between(low, None) == low.numerator // low.denominator + 1
        return
    found = simplest_between(low, high)
    assert low < found < high
    between = (
        Fraction(p, q)
        for q in range(1, found.denominator + 1)
        for p in range(1, 9 * q + 1)
        if low < Fraction(p, q) < high
    )
    assert min(between, key=lambda fraction: (fraction.denominator, fraction)) == found


def test_two_four_bit_values_need_four_bits_instead_of_a_hundred() -> None:
    """Scales of 1 and about 0.7, known to a hundred bits, and a quantizer to two bits."""
    scale = 2**100
    wide = [Term(scale, -8, 7), Term(7 * scale // 10, -8, 7)]
    narrow = narrowed(wide, [-4 * scale, 0, 4 * scale])
    assert narrow == Narrow((10, 7), (-40, 0, 40))


def test_terms_of_millions_of_values_are_followed_as_a_whole() -> None:
    """Accumulators of 25 bits: nothing is enumerated."""
    wide = [Term(3**60, -(2**24), 2**24), Term(2**95 + 1, -(2**24), 2**24)]
    narrow = narrowed(wide, [k * 3**70 for k in range(-7, 8)])
    assert narrow is not None
    assert max(map(abs, narrow.multipliers)) < 2**26


def test_too_many_terms_are_left_alone() -> None:
    assert narrowed([Term(3**k, 0, 255) for k in range(5)], [1000]) is None
