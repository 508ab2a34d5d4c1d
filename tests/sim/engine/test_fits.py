"""Staircases as multiply, add and truncate: right on every integer, or not there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.sim.engine.fits import lines_of

TYPES = ("float32", "float64")


@pytest.mark.parametrize("name", TYPES)
@given(seed=st.integers(0, 2**32 - 1))
def test_lines_count_the_thresholds_that_any_integer_reaches(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, levels = int(rng.integers(1, 5)), int(rng.integers(1, 20))
    least = rng.integers(-400, 1, rows)
    most = least + rng.integers(0, 500, rows)
    begin, width = rng.uniform(-400, 200, (rows, 1)), rng.uniform(0.1, 40, (rows, 1))
    table = np.ceil(begin + width * np.arange(levels)).astype(np.int64)
    table = np.clip(table, least[:, None], most[:, None] + 1)
    lines = lines_of(table, least, most, np.dtype(name))
    if lines is None:
        return
    for row in range(rows):
        x = np.arange(least[row], most[row] + 1)
        found = (lines.slopes[row] * x.astype(name) + lines.shifts[row]).astype(np.int64)
        reached = (x[:, None] >= table[row]).sum(axis=1)
        np.testing.assert_array_equal(np.clip(found, 0, levels), reached)


@pytest.mark.parametrize("name", TYPES)
@given(seed=st.integers(0, 2**32 - 1))
def test_equal_steps_always_have_lines(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    width = rng.uniform(3, 60, (6, 1))
    table = np.ceil(rng.uniform(-500, 0, (6, 1)) + width * np.arange(15)).astype(np.int64)
    ends = np.full(6, -1000), np.full(6, 1000)
    assert lines_of(table, *ends, np.dtype(name)) is not None


def test_more_levels_than_float32_tells_apart_need_float64() -> None:
    table = np.ceil(5000.37 * np.arange(1, 256) + 0.11).astype(np.int64)[np.newaxis]
    ends = np.array([-(10**6)]), np.array([2 * 10**6])
    assert lines_of(table, *ends, np.dtype("float32")) is None
    assert lines_of(table, *ends, np.dtype("float64")) is not None


def test_unequal_steps_have_no_lines() -> None:
    ends = np.array([0]), np.array([100])
    assert lines_of(np.array([[10, 20, 90]]), *ends, np.dtype("float64")) is None


def test_levels_that_are_always_or_never_reached_count_alike() -> None:
    table = np.array([[0, 0, 0], [8, 8, 8], [0, 0, 8]])
    lines = lines_of(table, np.zeros(3, np.int64), np.full(3, 7), np.dtype("float32"))
    assert lines is not None
    ends = lines.slopes * np.array([[0], [7]], np.float32) + lines.shifts
    np.testing.assert_array_equal(np.clip(ends.astype(int), 0, 3), [[3, 0, 2]] * 2)
