from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.core.exact import conv, matmul
from lutloom.core.sums import WeightSums
from lutloom.core.types import BIPOLAR, Const, IntType
from lutloom.core.windows import Windows

magnitudes = st.sampled_from([1, 2**12, 2**23, 2**24 + 1, 2**26 + 1, 2**40, 2**52 + 1])


@given(magnitudes, magnitudes, st.integers(0, 2**32 - 1))
def test_products_are_exact_at_every_magnitude(x_size: int, w_size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(-x_size, x_size, (3, 4), endpoint=True)
    w = rng.integers(-w_size, w_size, (4, 2), endpoint=True)
    exact = x.astype(object) @ w.astype(object)
    if abs(exact).max() < 2**63:
        assert (matmul(x, w) == exact).all()


@pytest.mark.parametrize("edge", [2**24, 2**53])
def test_products_just_beyond_a_float_are_exact(edge: int) -> None:
    x = np.array([[edge // 2 + 1, edge // 2]], dtype=np.int64)
    ones = np.ones((2, 1), dtype=np.int8)
    assert matmul(x, ones).tolist() == [[edge + 1]]
    assert matmul(-x, ones).tolist() == [[-edge - 1]]


@pytest.mark.parametrize("edge", [2**24, 2**53])
@pytest.mark.parametrize("groups", [1, 2])
def test_what_a_type_says_of_magnitudes_is_believed_up_to_the_last_integer(
    edge: int, groups: int
) -> None:
    largest = edge // 2 + 1
    x = np.array([[[largest], [largest - 1]]], dtype=np.int64).repeat(groups, axis=2)
    ones = np.ones((2, 1, groups), dtype=np.int8)
    windows = Windows((2,), (1,), (1,), (0, 0), (1,))
    sums = conv(x, ones, windows, groups, 0, largest=largest)
    assert sums.tolist() == [[[edge + 1] * groups]]
    assert matmul(x[:, :, 0], ones[:, :, 0], largest=largest).tolist() == [[edge + 1]]


def test_what_masked_taps_see_counts_as_well() -> None:
    windows = Windows((2,), (1,), (1,), (0, 1), (1,))
    x, ones = np.array([[[1]]], dtype=np.int64), np.ones((2, 1, 1), dtype=np.int8)
    assert conv(x, ones, windows, 1, 2**24, largest=1).tolist() == [[[2**24 + 1]]]


def test_huge_weights_do_not_pass_for_small_ones() -> None:
    w = np.array([[2**62 + 1], [-(2**62) - 1], [2**62 + 1], [-(2**62)]])
    assert matmul(np.ones((1, 4), dtype=np.int64), w).tolist() == [[1]]


def test_an_empty_batch_has_an_empty_product() -> None:
    assert matmul(np.zeros((0, 3), dtype=np.int64), np.ones((3, 2), np.int8)).shape == (0, 2)


types = st.sampled_from([BIPOLAR, IntType(0, 1), IntType(-2, 1), IntType(3, 3), IntType(-3, 5, 4)])


@given(types, st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 3))
def test_accumulators_are_as_narrow_as_the_weights_allow(
    x: IntType, seed: int, fan_in: int, outputs: int
) -> None:
    w = np.random.default_rng(seed).integers(-4, 4, (fan_in, outputs), endpoint=True)
    values = np.arange(x.lo, x.hi + 1, x.step)
    inputs = np.stack(np.meshgrid(*[values] * fan_in), axis=-1).reshape(-1, fan_in)
    sums = inputs @ w
    of = WeightSums.of(Const(w), axis=0)
    assert of.reach(x) == IntType.spanning(sums.ravel().tolist())
    assert of.bounds(x) == (sums.min(axis=0).tolist(), sums.max(axis=0).tolist())


def test_sums_that_leave_64_bits_are_refused() -> None:
    of = WeightSums.of(Const(np.full((8, 1), 2**61)), axis=0)
    assert of.positive.tolist() == [2**64]
    with pytest.raises(ValueError, match="needs more than 64 bits"):
        of.reach(IntType(0, 1))
