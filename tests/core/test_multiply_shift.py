from __future__ import annotations

from fractions import Fraction
from math import ceil, floor, trunc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.core.multiply_shift import (
    NARROW_SUM,
    ShiftRounding,
    Slopes,
    clamps_once,
    fit,
    listed_corners,
    shifted,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from lutloom.core.multiply_shift import Corners, Integers

Corner = tuple[int, int, int]

# Enough for every slope through corners as near to one another as those below.
MOST_SHIFT, MOST_MULTIPLIER = 8, 8 << 8


@st.composite
def corners(draw: st.DrawFn) -> tuple[list[Corner], list[Corner]]:
    """Draw a staircase of a few levels, each from below or from above the level before."""
    xs = sorted(draw(st.lists(st.integers(-9, 9), min_size=1, max_size=5)))
    extra = draw(st.sampled_from([0, 0, 1]))
    lower = [(x, y, extra * (y <= 0)) for y, x in enumerate(xs, draw(st.integers(-3, 2)))]
    return lower, [(x - 1, y, e) for x, y, e in lower]


def least_slope(lower: list[Corner], upper: list[Corner]) -> tuple[int, int] | None:
    """Return the smallest shift and its least multiplier, by trying all of them."""
    for shift in range(MOST_SHIFT + 1):
        for m in range(1, MOST_MULTIPLIER):
            least = max((y << shift) + e - m * x for x, y, e in lower)
            if least < min((y << shift) + e - m * x for x, y, e in upper):
                return shift, m
    return None


def touching_all(lower: list[Corner], upper: list[Corner]) -> Any:  # noqa: ANN401 - a callable
    def touching(channels: Integers, m: Integers, shifts: Integers) -> Corners:
        low, up = np.empty((2, 3, len(channels)), dtype=object)
        for place, (slope, shift) in enumerate(zip(m.tolist(), shifts.tolist(), strict=True)):

            def above(corner: Corner, slope: int = slope, shift: int = shift) -> int:
                x, y, e = corner
                return (y << shift) + e - slope * x

            low[:, place], up[:, place] = max(lower, key=above), min(upper, key=above)
        return low, up

    return touching


@given(corners())
def test_the_shift_is_the_smallest_and_the_multiplier_the_least(
    drawn: tuple[list[Corner], list[Corner]],
) -> None:
    lower, upper = drawn
    found = fit(touching_all(lower, upper), 1, 10, 9, 20)
    wanted = least_slope(lower, upper)
    assert wanted == (None if found is None else (found.shift, found.multipliers[0]))
    if found is not None:
        m, b = int(found.multipliers[0]), int(found.biases[0])
        assert all(m * x + b >= (y << found.shift) + e for x, y, e in lower)
        assert all(m * x + b < (y << found.shift) + e for x, y, e in upper)


@given(st.lists(corners(), min_size=2, max_size=3))
def test_channels_share_the_largest_of_their_shifts(
    drawn: list[tuple[list[Corner], list[Corner]]],
) -> None:
    width = max(len(lower) for lower, _ in drawn)
    # As in tables: rows with fewer corners repeat their last, and all sums are rounded down.
    rows = [
        np.array([side + side[-1:] * (width - len(side)) for side in sides])
        for sides in zip(*drawn, strict=True)
    ]
    (low_x, low_y, _), (up_x, up_y, _) = (np.moveaxis(side, 2, 0) for side in rows)
    found = fit(listed_corners(low_x, low_y, up_x, up_y), len(drawn), 10, 9, NARROW_SUM)
    alone = [
        least_slope([(x, y, 0) for x, y, _ in lower], [(x, y, 0) for x, y, _ in upper])
        for lower, upper in drawn
    ]
    if None in alone:
        assert found is None
        return
    assert found is not None
    assert found.shift == max(slope[0] for slope in alone if slope is not None)
    for m, slope in zip(found.multipliers.tolist(), alone, strict=True):
        assert slope is not None
        assert m == slope[1] << (found.shift - slope[0])


def test_no_slope_is_found_beyond_the_bits_that_are_allowed() -> None:
    lower = [(0, 1, 0), (1001, 2, 0), (2003, 3, 0), (3004, 4, 0)]
    upper = [(x - 1, y, e) for x, y, e in lower]
    found = fit(touching_all(lower, upper), 1, 3004, 4, 40)
    assert found is not None
    assert fit(touching_all(lower, upper), 1, 3004, 4, 8) is None


def test_a_clamp_is_shared_only_where_no_channel_would_leave_its_levels() -> None:
    def shares(lowest: list[int], highest: list[int]) -> bool:
        slopes = Slopes(np.array([4, -4], object), np.array([0, 4], object), 2)
        low, high = (np.array(levels, object) for levels in (lowest, highest))
        ends = (np.array([-3, -3], object), np.array([3, 3], object))
        return clamps_once(slopes, low, high, *ends)

    assert shares([-3, -2], [3, 4])
    assert shares([-2, -2], [2, 2])
    assert not shares([-2, -1], [2, 2])
    assert not shares([-2, -2], [2, 1])


def away(value: Fraction) -> int:
    return ceil(value) if value > 0 else floor(value)


@pytest.mark.parametrize(
    ("rounding", "wanted"),
    [
        (ShiftRounding.DOWN, floor),
        (ShiftRounding.TIES_TO_EVEN, lambda value: round(value - Fraction(1, 2))),
        (ShiftRounding.TO_ZERO, trunc),
        (ShiftRounding.FROM_ZERO, away),
    ],
)
@pytest.mark.parametrize("shift", [0, 1, 3])
def test_sums_are_rounded_as_their_name_says(
    rounding: ShiftRounding, wanted: Callable[[Fraction], int], shift: int
) -> None:
    totals = np.arange(-40, 41)
    expected = [wanted(Fraction(total, 2**shift)) for total in totals.tolist()]
    assert shifted(totals, shift, rounding).tolist() == expected
    assert shifted(totals.astype(object), shift, rounding).tolist() == expected
