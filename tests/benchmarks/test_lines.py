"""A line that was proved gives the codes of its staircase, for every sum."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.peers.lines import lines_of
from lutloom.core.types import IntType


@st.composite
def staircases(draw: st.DrawFn) -> tuple[np.ndarray, IntType]:
    low, step = draw(st.integers(-3000, 100)), draw(st.sampled_from([1, 2, 3]))
    sums = IntType(low, low + step * draw(st.integers(1, 1500)), step)
    levels, channels = draw(st.sampled_from([1, 2, 3, 15])), draw(st.integers(1, 3))
    if draw(st.booleans()):
        # As quantizers make them: a line, rounded.
        slopes = draw(st.lists(st.floats(0.01, 400), min_size=channels, max_size=channels))
        offset = draw(st.floats(low, low + 2000))
        rows = [np.ceil(offset + slope * np.arange(levels)) for slope in slopes]
        return np.array(rows, np.int64), sums
    values = st.integers(sums.lo - 5, sums.hi + 5)
    row = st.lists(values, min_size=levels, max_size=levels)
    return np.sort(draw(st.lists(row, min_size=channels, max_size=channels)), axis=1), sums


@given(staircases())
def test_a_line_gives_the_codes_of_all_sums(drawn: tuple[np.ndarray, IntType]) -> None:
    thresholds, sums = drawn
    lines = lines_of(thresholds, sums)
    if lines is None:
        return
    x = np.arange(sums.lo, sums.hi + 1, sums.step)
    counts = (x >= thresholds[:, :, None]).sum(axis=1)
    floats = lines.slope[:, None] * x.astype(np.float32) + lines.offset[:, None]
    assert np.array_equal(np.clip(np.rint(floats), 0, lines.levels), counts)


@given(st.integers(-500, 500), st.integers(2, 15), st.floats(1.5, 60))
def test_quantizers_have_a_line(first: int, levels: int, width: float) -> None:
    thresholds = np.ceil(first + width * np.arange(levels)).astype(np.int64)[None]
    assert lines_of(thresholds, IntType(-2000, 2000)) is not None


def test_no_line_is_claimed_for_a_bend() -> None:
    assert lines_of(np.array([[0, 1, 100]]), IntType(-200, 200)) is None


def test_one_threshold_is_a_bias() -> None:
    lines = lines_of(np.array([[7], [-3]]), IntType(-50, 50))
    assert lines is not None
    assert lines.slope.tolist() == [1, 1]
    assert lines.offset.tolist() == [-6, 4]
