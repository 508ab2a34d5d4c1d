"""Pools beside PyTorch and beside windows cut out by hand, and their types by brute force."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from lutloom.core.ops import MaxPool, SumPool
from lutloom.core.types import BIPOLAR, IntType, TensorType
from tests.graphs import every_tensor
from tests.windows import ELEMENTS, random_image, random_pool, seen

seeds = st.integers(0, 2**32 - 1)


@given(seeds)
def test_the_largest_of_each_window_is_that_of_its_pixels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = random_image(rng)
    op = random_pool(rng, image, MaxPool)
    x = rng.integers(-9, 0, (2, *image, 2))
    wanted = seen(x, op.windows, -10).max(axis=-2)
    assert np.array_equal(op.reference(x)[0], wanted)
    assert op.infer(TensorType(IntType(-9, -1), x.shape[1:]))[0].shape == wanted.shape[1:]


@given(seeds)
def test_sums_are_those_of_the_pixels_within(seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = random_image(rng)
    op = random_pool(rng, image, SumPool)
    x = rng.integers(-9, 10, (2, *image, 2))
    assert np.array_equal(op.reference(x)[0], seen(x, op.windows, 0).sum(axis=-2))


@given(seeds)
def test_pools_are_those_of_pytorch(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rank = int(rng.integers(1, 3))
    image = tuple(int(size) for size in rng.integers(3, 9, rank))
    kernel = tuple(int(size) for size in rng.integers(1, 4, rank))
    stride = tuple(int(size) for size in rng.integers(1, 4, rank))
    padding = tuple(int(rng.integers(size // 2 + 1)) for size in kernel)
    x = rng.integers(-9, 10, (2, *image, 2))
    data = torch.tensor(np.moveaxis(x, -1, 1).astype(np.float64))
    functional = torch.nn.functional
    largest: Any = functional.max_pool2d if rank == 2 else functional.max_pool1d
    mean: Any = functional.avg_pool2d if rank == 2 else functional.avg_pool1d
    parameters = (kernel, stride, (1,) * rank, padding * 2)
    assert np.array_equal(
        MaxPool(*parameters).reference(x)[0],
        np.moveaxis(largest(data, kernel, stride, padding).numpy(), 1, -1),
    )
    means = mean(data, kernel, stride, padding, count_include_pad=True).numpy()
    sums = np.rint(means * np.prod(kernel)).astype(int)
    assert np.array_equal(SumPool(*parameters).reference(x)[0], np.moveaxis(sums, 1, -1))


@given(seeds, st.sampled_from(ELEMENTS), st.sampled_from([MaxPool, SumPool]))
def test_the_type_of_a_pool_is_exact_by_brute_force(
    seed: int, element: IntType, kind: type[MaxPool | SumPool]
) -> None:
    rng = np.random.default_rng(seed)
    image = random_image(rng, most=4)
    x = TensorType(element, (*image, int(rng.integers(1, 3))))
    assume(element.count**x.size <= 3000)
    op = random_pool(rng, image, kind)
    (y,) = op.reference(every_tensor(x))
    assert op.infer(x)[0] == TensorType(IntType.spanning(np.unique(y).tolist()), y.shape[1:])


def test_padding_is_no_zero_to_a_largest() -> None:
    op = MaxPool((2,), (2,), (1,), (1, 0))
    assert op.reference(np.array([[[-3], [-2], [-5]]]))[0].tolist() == [[[-3], [-2]]]
    assert op.infer(TensorType(IntType(-5, -2), (3, 1)))[0].element == IntType(-5, -2)


def test_a_global_sum_has_as_many_terms_as_pixels() -> None:
    op = SumPool((3, 4), (1, 1), (1, 1), (0, 0, 0, 0))
    assert op.infer(TensorType(BIPOLAR, (3, 4, 5)))[0] == TensorType(IntType(-12, 12, 2), (1, 1, 5))


def test_pools_that_do_not_fit_are_refused() -> None:
    x = TensorType(BIPOLAR, (3, 2))
    with pytest.raises(TypeError, match=r"^a window lies in the padding \[2, 0\] altogether$"):
        MaxPool((2,), (1,), (1,), (2, 0)).infer(x)
    for kind in (MaxPool, SumPool):
        with pytest.raises(
            TypeError, match=r"^windows of \[4\] taps, \[1\] apart, do not fit into"
        ):
            kind((4,), (1,), (1,), (0, 0)).infer(x)
        with pytest.raises(TypeError, match=r"^stride should be 1 numbers from 1 to 4194304, not"):
            kind((1,), (0,), (1,), (0, 0)).infer(x)
    assert SumPool((1,), (1,), (1,), (2, 0)).infer(x)[0] == TensorType(IntType(-1, 1), (5, 2))
    with pytest.raises(ValueError, match=r"needs more than 64 bits$"):
        SumPool((4,), (1,), (1,), (0, 0)).infer(TensorType(IntType(0, 2**62), (4, 1)))
