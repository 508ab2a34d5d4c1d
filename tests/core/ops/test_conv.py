"""Convolutions beside PyTorch, and their types beside all that can come out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from lutloom.core.ops import Conv, Depthwise
from lutloom.core.types import BIPOLAR, INT64_MAX, Const, IntType, TensorType
from tests.graphs import every_tensor
from tests.windows import (
    ELEMENTS,
    random_conv,
    random_depthwise,
    random_image,
    random_windows,
    seen,
)

if TYPE_CHECKING:
    from lutloom.core.types import IntArray

seeds = st.integers(0, 2**32 - 1)


def by_torch(x: IntArray, op: Conv) -> IntArray:
    """Convolve the padded image by PyTorch, in float64: exact for small integers."""
    windows = op.windows
    frame = np.pad(x, [(0, 0), *[(4, 4)] * windows.rank, (0, 0)], constant_values=op.fill)
    rank, image = windows.rank, x.shape[1:-1]
    if windows.spacing != (1,) * rank:
        sizes = [(size - 1) * gap + 1 for size, gap in zip(image, windows.spacing, strict=True)]
        frame = np.full((len(x), *(size + 8 for size in sizes), x.shape[-1]), op.fill)
        spots = [slice(4, 4 + n, gap) for n, gap in zip(sizes, windows.spacing, strict=True)]
        frame[(slice(None), *spots)] = x
    for axis in range(rank):
        before, after = windows.pads[axis], windows.pads[rank + axis]
        end = frame.shape[axis + 1] - (4 - after)
        frame = np.take(frame, range(4 - before, end), axis + 1)
    data = torch.tensor(np.moveaxis(frame, -1, 1).astype(np.float64))
    weights = np.moveaxis(op.weights.int64, (-1, -2), (0, 1)).astype(np.float64)
    convolve: Any = torch.nn.functional.conv2d if rank == 2 else torch.nn.functional.conv1d
    y = convolve(data, torch.tensor(weights), None, op.stride, 0, op.dilation, op.groups)
    return np.asarray(np.moveaxis(y.numpy(), 1, -1).astype(np.int64))


@given(seeds)
def test_convolutions_are_those_of_pytorch(seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = random_image(rng)
    groups = int(rng.choice([1, 1, 2, 3]))
    channels = groups * int(rng.integers(1, 4))
    windows = random_windows(rng, image)
    op = random_conv(rng, windows, channels, groups, int(rng.choice([0, 0, 1, -2])))
    x = rng.integers(-9, 10, (2, *image, channels))
    (y,) = op.reference(x)
    assert np.array_equal(y, by_torch(x, op))
    (type_,) = op.infer(TensorType(IntType(-9, 9), x.shape[1:]))
    assert type_.shape == y.shape[1:]
    assert type_.element.holds(y).all()


@given(seeds)
def test_transposed_convolutions_are_those_of_pytorch(seed: int) -> None:
    """By ``spacing``, a flipped kernel and padding ``dilation (kernel - 1) - padding``."""
    rng = np.random.default_rng(seed)
    rank, groups = int(rng.integers(1, 3)), int(rng.choice([1, 1, 2]))
    image = tuple(int(size) for size in rng.integers(1, 6, rank))
    kernel, stride, dilation = (
        tuple(int(n) for n in rng.integers(1, most, rank)) for most in (5, 4, 3)
    )
    more = tuple(int(rng.integers(max(s, d))) for s, d in zip(stride, dilation, strict=True))
    padding = tuple(int(n) for n in rng.integers(0, 3, rank))
    reaches = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    results = [
        (size - 1) * s - 2 * p + reach + m + 1
        for size, s, p, reach, m in zip(image, stride, padding, reaches, more, strict=True)
    ]
    assume(min(results) > 0)
    inputs, outputs = 2 * groups, 3 * groups
    weights = rng.integers(-4, 5, (inputs, outputs // groups, *kernel))
    # [groups, C, M, *kernel] to [*kernel, C, groups * M], flipped along the kernel.
    split = weights.reshape(groups, 2, 3, *kernel)
    flipped = np.flip(split, tuple(range(3, 3 + rank)))
    arranged = np.moveaxis(flipped, (1, 0, 2), (-3, -2, -1)).reshape(*kernel, 2, outputs)
    befores = tuple(reach - p for reach, p in zip(reaches, padding, strict=True))
    afters = tuple(before + m for before, m in zip(befores, more, strict=True))
    op = Conv(Const(arranged), (1,) * rank, dilation, befores + afters, stride, groups, 0)
    x = rng.integers(-9, 10, (2, *image, inputs))
    functional = torch.nn.functional
    convolve: Any = functional.conv_transpose2d if rank == 2 else functional.conv_transpose1d
    wanted = convolve(
        torch.tensor(np.moveaxis(x, -1, 1).astype(np.float64)),
        torch.tensor(weights.astype(np.float64)),
        None,
        stride,
        padding,
        more,
        groups,
        dilation,
    ).numpy()
    assert np.array_equal(op.reference(x)[0], np.moveaxis(wanted, 1, -1))


@given(seeds, st.sampled_from(ELEMENTS))
def test_the_type_of_a_convolution_is_exact_by_brute_force(seed: int, element: IntType) -> None:
    rng = np.random.default_rng(seed)
    image = random_image(rng, most=4)
    groups = int(rng.choice([1, 1, 2]))
    x = TensorType(element, (*image, groups * int(rng.integers(1, 3))))
    assume(element.count**x.size <= 3000)
    op = random_conv(rng, random_windows(rng, image), x.channels, groups, int(rng.integers(-3, 4)))
    (y,) = op.reference(every_tensor(x))
    (type_,) = op.infer(x)
    assert type_ == TensorType(IntType.spanning(np.unique(y).tolist()), y.shape[1:])


@given(seeds, st.sampled_from(ELEMENTS))
def test_a_depthwise_process_is_a_convolution_of_one_channel_a_group(
    seed: int, element: IntType
) -> None:
    rng = np.random.default_rng(seed)
    image = random_image(rng, most=5)
    x = TensorType(element, (*image, int(rng.integers(1, 4))))
    windows = random_windows(rng, image)
    fill = int(rng.integers(-3, 4))
    op = random_depthwise(rng, windows, x.channels, fill)
    weights = op.weights.int64
    data = rng.integers(element.count, size=(4, *x.shape)) * element.step + element.lo
    wanted = (seen(data, windows, fill) * weights.reshape(-1, x.channels)).sum(axis=-2)
    assert np.array_equal(op.reference(data)[0], wanted)
    places = (windows.stride, windows.dilation, windows.pads, windows.spacing)
    conv = Conv(Const(weights[..., np.newaxis, :]), *places, x.channels, fill)
    assert np.array_equal(conv.reference(data)[0], wanted)
    assert op.infer(x) == conv.infer(x)


def test_a_padded_bipolar_convolution_has_sums_of_either_parity() -> None:
    weights = Const(np.ones((3, 3, 1, 1), int))
    x = TensorType(BIPOLAR, (4, 4, 1))
    plain = Conv(weights, (1, 1), (1, 1), (0, 0, 0, 0), (1, 1), 1, 0)
    assert plain.infer(x)[0].element == IntType(-9, 9, 2)
    padded = Conv(weights, (1, 1), (1, 1), (1, 1, 1, 1), (1, 1), 1, 0)
    assert padded.infer(x)[0].element == IntType(-9, 9)
    (y,) = padded.reference(np.ones((1, 4, 4, 1), int))
    assert y[0, ..., 0].tolist() == [[4, 6, 6, 4], [6, 9, 9, 6], [6, 9, 9, 6], [4, 6, 6, 4]]
    as_minus_one = Conv(weights, (1, 1), (1, 1), (1, 1, 1, 1), (1, 1), 1, -1)
    assert as_minus_one.infer(x)[0].element == IntType(-9, 9, 2)


def test_sums_beyond_float_precision_are_exact() -> None:
    """In float32 below 2^24, in float64 below 2^53, in int64 beyond."""
    for width in (10, 24, 40):
        weights = np.array([[[2**width - 1]], [[1]]])
        op = Conv(Const(weights), (1,), (1,), (0, 0), (1,), 1, 0)
        for value in (2**13 - 1, 2**14 + 1, 2**22 + 1):
            x = np.array([[[value], [-1]]])
            assert op.reference(x)[0].item() == value * (2**width - 1) - 1


def test_sums_beyond_64_bits_are_refused() -> None:
    x = TensorType(IntType(0, 2**40), (4, 1))

    def conv(weights: Const, fill: int) -> Conv:
        return Conv(weights, (1,), (1,), (1, 1), (1,), 1, fill)

    with pytest.raises(ValueError, match=r"needs more than 64 bits$"):
        conv(Const([[[2**30]], [[1]], [[1]]]), 0).infer(x)
    with pytest.raises(ValueError, match=r"needs more than 64 bits$"):
        conv(Const([[[3]], [[1]], [[1]]]), INT64_MAX).infer(x)
    wide = conv(Const([[[INT64_MAX]], [[INT64_MAX]], [[1]]]), 0)
    with pytest.raises(ValueError, match=r"needs more than 64 bits$"):
        wide.infer(TensorType(IntType(-1, 1), (4, 1)))
    assert wide.infer(TensorType(IntType(0, 0), (4, 1)))[0].element == IntType(0, 0)


ONE = Const(np.ones((1, 1, 1), int))


@pytest.mark.parametrize(
    ("weights", "parameters", "message"),
    [
        (Const([[1]]), ((1,), (1,), (0, 0), (1,), 1, 0), r"^weights should be \[\*kernel, channel"),
        (Const(np.zeros((3, 0, 1), int)), ((1,), (1,), (0, 0), (1,), 1, 0), r"^weights should be"),
        (ONE, ((1,), (1,), (0, 0), (1,), 2, 0), r"^2 groups do not divide the outputs of int8\[1"),
        (ONE, ((1,), (1,), (0, 0), (1,), 0, 0), r"^0 groups do not divide the outputs of int8\[1"),
        (ONE, ((0,), (1,), (0, 0), (1,), 1, 0), r"^stride should be 1 numbers from 1 to 4194304, "),
        (ONE, ((1,), (1,), (0,), (1,), 1, 0), r"^pads should be 2 numbers up to 4194304, not \[0"),
        (
            Const(np.ones((1, 2, 1), int)),
            ((1,), (1,), (0, 0), (1,), 1, 0),
            r"^the weights are for 2 channels, but the input is int<0\.\.1>\[5,1\]$",
        ),
        (
            Const(np.ones((7, 1, 1), int)),
            ((1,), (1,), (0, 0), (1,), 1, 0),
            r"^windows of \[7\] taps, \[1\] apart, do not fit into \[5\] pixels with the pads \[0,",
        ),
    ],
)
def test_a_convolution_that_does_not_fit_is_refused(
    weights: Const, parameters: tuple[Any, ...], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        Conv(weights, *parameters).infer(TensorType(IntType(0, 1), (5, 1)))


def test_a_depthwise_process_for_other_channels_is_refused() -> None:
    op = Depthwise(Const([[1, 2]]), (1,), (1,), (0, 0), (1,), 0)
    with pytest.raises(TypeError, match=r"^the weights are for 2 channels, the input int<0\.\.1>"):
        op.infer(TensorType(IntType(0, 1), (5, 1)))
