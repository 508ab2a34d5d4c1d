"""Thresholds of whole tables are those of one channel and one step at a time, in rationals."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from lutloom.core.rounding import Rounding
from lutloom.core.types import INT64_MAX, INT64_MIN
from lutloom.streamline.rows import packed
from lutloom.streamline.staircase import Ramp, staircase
from lutloom.streamline.steps import Steps, rounding_steps, sign_steps

if TYPE_CHECKING:
    from lutloom.core.ops import Threshold

Row = tuple[int, tuple[tuple[int, int], ...]]


def row(ramp: Ramp, steps: Steps) -> Row:
    """Return base, thresholds and heights of one channel: the specification."""
    base, live = steps.first, []
    for boundary, inclusive in zip(steps.boundaries, steps.inclusive, strict=True):

        def takes(value: Fraction, boundary: Fraction = boundary, via: bool = inclusive) -> bool:
            return value > boundary or (via and value == boundary)

        if ramp.lower is not None and takes(ramp.lower):
            base += steps.height
        elif ramp.upper is not None and not takes(ramp.upper):
            continue
        elif ramp.slope == 0:
            base += steps.height * takes(ramp.offset)
        else:
            quotient = (boundary - ramp.offset) / ramp.slope
            first = ceil(quotient) if inclusive == (ramp.slope > 0) else floor(quotient) + 1
            at_lo = (ramp.lo >= first) == (ramp.slope > 0)
            base += steps.height * at_lo
            if ramp.lo < first <= ramp.hi:
                live.append((first, steps.height if ramp.slope > 0 else -steps.height))
    return base, tuple(sorted(live))


def rows_of(op: Threshold, ramps: list[Ramp]) -> list[Row]:
    """Return what ``op`` holds for each of ``ramps``, without what no input reaches."""
    heights = np.broadcast_to(op.deltas.int64, op.thresholds.shape)
    highest = max(ramp.hi for ramp in ramps)
    rows = [
        (base, tuple((t, h) for t, h in zip(*pair, strict=True) if t <= highest and h))
        for base, *pair in zip(
            op.base.int64.tolist(),
            op.thresholds.int64.tolist(),
            heights.tolist(),
            strict=True,
        )
    ]
    return rows * len(ramps) if len(rows) == 1 else rows


def check(ramps: list[Ramp], steps: list[Steps]) -> None:
    wanted = [row(ramp, of) for ramp, of in zip(ramps, steps, strict=True)]
    assert rows_of(staircase(ramps, steps), ramps) == wanted


rationals: st.SearchStrategy[Fraction] = st.one_of(
    st.integers(-40, 40).map(Fraction),
    st.fractions(-100, 100, max_denominator=64),
    st.floats(-1e3, 1e3).map(Fraction),
    st.floats(allow_nan=False, allow_infinity=False).map(Fraction),
    st.fractions(),
    st.tuples(st.integers(-(2**90), 2**90), st.integers(-2000, 2000)).map(
        lambda pair: Fraction(pair[0]) * Fraction(2) ** pair[1]
    ),
)


@st.composite
def some_steps(draw: st.DrawFn) -> Steps:
    kind = draw(st.sampled_from(["rounding", "rounding", "sign", "any"]))
    if kind == "sign":
        return sign_steps()
    if kind == "rounding":
        lo = draw(st.one_of(st.integers(-20, 20), st.sampled_from([-(2**31), 2**31 - 20])))
        return rounding_steps(draw(st.sampled_from(Rounding)), lo, lo + draw(st.integers(0, 20)))
    taken = draw(st.lists(st.tuples(rationals, st.booleans()), max_size=6))
    taken.sort(key=lambda pair: (pair[0], not pair[1]))
    return Steps(
        tuple(b for b, _ in taken),
        tuple(i for _, i in taken),
        draw(st.integers(-9, 9)),
        draw(st.sampled_from([1, 2, 5])),
    )


@st.composite
def some_ramps(draw: st.DrawFn, steps: Steps) -> Ramp:
    """Draw any ramp, or one that meets a boundary, or nearly does, in an integer."""
    slope: Fraction = draw(rationals)
    offset: Fraction = draw(rationals)
    ends = st.one_of(st.integers(-300, 300), st.integers(INT64_MIN, INT64_MAX))
    lo, hi = sorted((draw(ends), draw(ends)))
    if steps.boundaries and draw(st.sampled_from([False, True])):
        boundary = draw(st.sampled_from(steps.boundaries))
        nearly = draw(st.sampled_from([0, 0, 1, -1])) * Fraction(1, 2 ** draw(st.integers(1, 90)))
        offset = boundary - slope * (draw(st.integers(lo, hi)) + nearly)
    bounds: st.SearchStrategy[Fraction | None] = st.none() | rationals
    if steps.boundaries:
        bounds |= st.sampled_from(steps.boundaries)
    lower, upper = draw(bounds), draw(bounds)
    if lower is not None and upper is not None:
        lower, upper = min(lower, upper), max(lower, upper)
    return Ramp(slope, offset, lower, upper, lo, hi)


@given(data=st.data(), count=st.integers(1, 5), shared=st.booleans())
def test_a_table_of_thresholds_is_that_of_rationals(
    data: st.DataObject, count: int, shared: bool
) -> None:
    steps = [data.draw(some_steps())] * count
    if not shared:
        steps = [data.draw(some_steps()) for _ in range(count)]
    check([data.draw(some_ramps(of)) for of in steps], steps)


@given(
    exponent=st.integers(-8, 8),
    eighths=st.integers(-64, 64),
    sign=st.sampled_from([-1, 1]),
    mode=st.sampled_from(Rounding),
)
def test_ties_go_where_their_rounding_mode_says(
    exponent: int, eighths: int, sign: int, mode: Rounding
) -> None:
    ramp = Ramp(sign * Fraction(2) ** exponent, Fraction(eighths, 8), None, None, -512, 511)
    check([ramp], [rounding_steps(mode, -8, 7)])


@given(
    quotient=st.integers(2**48, 2**62),
    away=st.fractions(-1, 1, max_denominator=2**70),
    sign=st.sampled_from([-1, 1]),
)
@example(quotient=2**53 + 1, away=Fraction(0), sign=1)
@example(quotient=2**53 - 1, away=Fraction(1, 2**60), sign=-1)
def test_quotients_beyond_53_bits_are_decided_in_integers(
    quotient: int, away: Fraction, sign: int
) -> None:
    ramp = Ramp(Fraction(sign, 3), -sign * (quotient + away) / 3, None, None, 0, INT64_MAX)
    check([ramp], [sign_steps()])


def test_where_float64_falls_beside_a_tie_it_decides_nothing() -> None:
    slopes = [
        Fraction(sign * p, q) for p in range(1, 20) for q in (3, 7, 10, 100) for sign in (1, -1)
    ]
    steps = rounding_steps(Rounding.HALF_EVEN, -8, 7)
    boundary = steps.boundaries[9]
    ramps = [
        Ramp(slope, boundary - slope * integer, None, None, -512, 511)
        for slope in slopes
        for integer in (5, 77, -401)
    ]
    besides = [
        float(1 / ramp.slope) * float(boundary) + float(-ramp.offset / ramp.slope) for ramp in ramps
    ]
    assert any(value != round(value) for value in besides)
    check(ramps, [steps] * len(ramps))


def test_channels_may_differ_in_their_number_of_steps() -> None:
    steps = [rounding_steps(Rounding.HALF_EVEN, 0, count) for count in (3, 3, 0, 700, 1)]
    ramps = [Ramp(Fraction(1, 3), Fraction(c, 7), None, None, -9, 9000) for c in range(5)]
    check(ramps, steps)


def test_a_table_is_the_same_in_whatever_blocks_it_is_computed() -> None:
    steps = [rounding_steps(Rounding.HALF_EVEN, -128, 127)] * 3000
    slopes = np.random.default_rng(0).normal(0, 1, 3000).astype(np.float32).tolist()
    ramps = [Ramp(Fraction(s), Fraction(1, 3), Fraction(0), None, -900, 900) for s in slopes]
    op = staircase(ramps, steps)
    picked = [0, 1027, 1028, 1029, 2999]
    rows = rows_of(op, ramps)
    assert [rows[c] for c in picked] == [row(ramps[c], steps[c]) for c in picked]


def test_equal_channels_share_one_row() -> None:
    ramp = Ramp(Fraction(-1, 3), Fraction(0), Fraction(-1), None, -9, 9)
    op = staircase([ramp] * 4, [rounding_steps(Rounding.FLOOR, -4, 3)] * 4)
    assert (op.thresholds.shape, op.base.shape, op.deltas.shape) == ((1, 4), (1,), (1, 1))


def test_rows_are_filled_where_no_input_comes() -> None:
    counts, none = np.array([0, 2]), np.array([], dtype=np.int64)
    op = packed(np.array([5, 7]), counts, np.array([1, 3]), np.array([2, 2]), 10)
    assert op.thresholds.int64.tolist() == [[11, 11], [1, 3]]
    assert op.deltas.int64.tolist() == [[2], [2]]
    # No threshold lies beyond the last int64, and so a step of height 0 takes its place.
    op = packed(np.array([5, 7]), counts, np.array([1, 3]), np.array([2, -2]), INT64_MAX)
    (y,) = op.reference(np.array([[0, 0], [2, 2], [INT64_MAX, INT64_MAX]]))
    assert y.tolist() == [[5, 7], [5, 9], [5, 7]]
    op = packed(np.array([5]), np.array([0]), none, none, INT64_MAX)
    assert op.reference(np.array([[INT64_MAX]]))[0].tolist() == [[5]]
