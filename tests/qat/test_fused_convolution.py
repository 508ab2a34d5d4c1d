"""Convolutions of bytes give the bits of those in single precision, or are not made."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("brevitas", reason="needs brevitas")

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import conv2d

from lutloom.qat.fused import convolution, fused
from lutloom.qat.fused.convolution import Window, integer_convolution, mark, marked
from lutloom.qat.fused.quantizers import Levels
from tests.qat.courses import assert_same, course
from tests.qat.networks import SMALL as NETWORKS

needs_bytes = pytest.mark.skipif(
    not convolution._is_fast(), reason="needs a processor with VNNI, and torch to use it"
)
SIGNS = Levels(1.0, -1, 1)
PLAIN = Window((1, 1), (0, 0), (1, 1), 1)

windows = st.builds(
    Window,
    st.tuples(st.integers(1, 3), st.integers(1, 2)),
    st.tuples(st.integers(0, 2), st.integers(0, 1)),
    st.tuples(st.integers(1, 2), st.integers(1, 2)),
    st.sampled_from([1, 2, 4]),
)
scales = st.integers(-7, 3).map(lambda exponent: 2.0**exponent)
of_images = st.one_of(
    st.builds(Levels, scales, st.integers(-128, 0), st.integers(0, 127)),
    st.builds(Levels, scales, st.just(0), st.integers(1, 255)),
)
of_weights = st.builds(Levels, scales, st.integers(-128, 0), st.integers(0, 127))


def drawn(levels: Levels, *shape: int) -> torch.Tensor:
    return torch.randint(levels.low, levels.high + 1, shape) * levels.scale


@needs_bytes
@given(windows, of_images, of_weights, st.integers(0, 9))
@settings(max_examples=60)
def test_values_and_gradients_are_those_of_single_precision(
    window: Window, of_x: Levels, of_w: Levels, seed: int
) -> None:
    torch.manual_seed(seed)
    x = drawn(of_x, 2, 4, 7, 8).contiguous(memory_format=torch.channels_last)
    weights = drawn(of_w, 8, 4 // window.groups, 3, 2)
    found = []
    for in_bytes in (True, False):
        pair = x.clone().requires_grad_(), weights.clone().requires_grad_()
        if in_bytes:
            mark(pair[0], of_x)
            y = integer_convolution(*pair, window, of_w)
            assert y is not None
        else:
            y = conv2d(*pair, None, window.stride, window.padding, window.dilation, window.groups)
        gradient = torch.linspace(-1, 1, y.numel()).reshape(y.shape)
        arranged = gradient.contiguous(memory_format=torch.channels_last)
        found.append([y, *torch.autograd.grad(y, pair, arranged)])
    for ours, theirs in zip(*found, strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    ("of_x", "of_w"),
    [
        (Levels(0.3, -1, 1), SIGNS),
        (SIGNS, Levels(0.3, -1, 1)),
        (SIGNS, None),
        (Levels(1.0, -1, 255), SIGNS),
        (SIGNS, Levels(1.0, -1, 128)),
        # 576 * 255 * 127 is more than 2^24
        (Levels(1.0, 0, 255), Levels(1.0, -127, 127)),
    ],
)
def test_what_is_not_exact_or_does_not_fit_is_left_alone(of_x: Levels, of_w: Levels | None) -> None:
    x = drawn(of_x, 1, 64, 5, 5).contiguous(memory_format=torch.channels_last)
    mark(x, of_x)
    weights = drawn(of_w or SIGNS, 4, 64, 3, 3)
    assert integer_convolution(x, weights, PLAIN, of_w) is None


def test_other_values_than_those_that_were_marked_are_left_alone() -> None:
    x = drawn(SIGNS, 1, 2, 5, 5).contiguous(memory_format=torch.channels_last)
    weights = drawn(SIGNS, 4, 2, 3, 3)
    assert marked(x) is None
    assert integer_convolution(x, weights, PLAIN, SIGNS) is None
    mark(x, SIGNS)
    assert marked(x) == SIGNS
    x.mul_(0.5)
    assert marked(x) is None
    assert integer_convolution(x, weights, PLAIN, SIGNS) is None
    with torch.inference_mode():
        mark(x.clone(), SIGNS)


@needs_bytes
@pytest.mark.parametrize(("name"), ["cnv-1w1a", "cnv-2w2a"])
def test_networks_train_to_the_same_bits_in_bytes(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = NETWORKS[name]
    images = torch.from_numpy(recipe.floats(recipe.integers(4)))
    made: list[torch.Tensor] = []
    in_bytes = convolution._sums

    def counted(*arguments: object) -> torch.Tensor:
        made.append(in_bytes(*arguments))  # type: ignore[arg-type]
        return made[-1]

    monkeypatch.setattr(convolution, "_sums", counted)
    courses = []
    for is_fast in (True, False):
        monkeypatch.setattr(convolution, "_is_fast", lambda fast=is_fast: fast)
        torch.manual_seed(0)
        model = recipe.make()
        courses.append(course(model, images, fused(model)))
    assert_same(*courses)
    # five layers, whose input is signs or ternary, in three steps and an evaluation
    assert len(made) == 5 * 4
