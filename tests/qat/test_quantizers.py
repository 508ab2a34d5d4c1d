"""Quantizers with constant scales are what their equation says, ties and zero included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="needs torch")

import torch

from lutloom.qat.brevitas_parts import QuantIdentity, QuantLinear, QuantReLU
from lutloom.qat.quantizers import (
    activation_quantizer,
    fixed_point_quantizer,
    relu_quantizer,
)
from lutloom.qat.quantizers.constant import constant_weights

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

# float32 values, ties of every grid with a power-of-two scale among them
VALUES = st.one_of(
    st.floats(-4, 4, width=32), st.integers(-64, 64).map(lambda eighths: eighths / 16)
)
LIMITS = st.sampled_from([1.0, 0.5, 2.0, 0.7])


def specified(values: list[float], bits: int, limit: float) -> NDArray[np.float32]:
    x = np.array(values, np.float32)
    if bits == 1:
        return np.where(x >= 0, np.float32(limit), np.float32(-limit))
    most = 2 ** (bits - 1) - 1
    scale = np.float32(limit) / np.float32(most)
    integers = np.clip(np.round(x / scale), -most, most).astype(np.float32)
    return integers * scale


@given(st.lists(VALUES, min_size=1, max_size=20), st.integers(1, 5), LIMITS)
def test_activations_are_quantized_as_specified(
    values: list[float], bits: int, limit: float
) -> None:
    quantize = QuantIdentity(act_quant=activation_quantizer(bits, limit)).eval()
    got = quantize(torch.tensor(values)).detach().numpy()
    assert np.array_equal(got, specified(values, bits, limit))


@given(st.lists(VALUES, min_size=1, max_size=20), st.integers(1, 5), LIMITS)
def test_weights_are_quantized_as_specified(values: list[float], bits: int, limit: float) -> None:
    layer = linear(values, bits, limit)
    got = layer.quant_weight().value.detach().numpy()[0]
    assert np.array_equal(got, specified(values, bits, limit))


def linear(values: list[float], bits: int, limit: float) -> Any:  # noqa: ANN401 (untyped)
    quantizer = constant_weights(bits, limit)
    layer = QuantLinear(len(values), 1, bias=False, weight_quant=quantizer).eval()
    layer.weight.data = torch.tensor([values])
    return layer


@given(st.lists(VALUES, min_size=1, max_size=20), st.integers(2, 8))
def test_fixed_point_has_one_more_level_below_zero(values: list[float], bits: int) -> None:
    quantize = QuantIdentity(act_quant=fixed_point_quantizer(bits)).eval()
    got = quantize(torch.tensor(values)).detach().numpy()
    half = 2 ** (bits - 1)
    integers = np.clip(np.round(np.array(values, np.float32) * half), -half, half - 1)
    assert np.array_equal(got * half, integers)


@given(st.lists(VALUES, min_size=1, max_size=20), st.integers(1, 5), LIMITS)
def test_a_relu_has_levels_from_zero_on(values: list[float], bits: int, limit: float) -> None:
    quantize = QuantReLU(act_quant=relu_quantizer(bits, limit)).eval()
    got = quantize(torch.tensor(values)).detach().numpy()
    scale = np.float32(limit) / np.float32(2**bits - 1)
    x = np.array(values, np.float32)
    integers = np.clip(np.round(x / scale), 0, 2**bits - 1).astype(np.float32)
    assert np.array_equal(got, integers * scale)


def test_a_relu_may_have_a_scale_a_channel() -> None:
    quantizer = relu_quantizer(2, 3.0, (1, 2, 1, 1))
    quantize = QuantReLU(act_quant=quantizer).eval()
    (limits,) = quantize.parameters()
    limits.data[0, 1] = 6.0
    got = quantize(torch.full((1, 2, 1, 1), 4.6))
    assert got.flatten().tolist() == [3.0, 4.0]


@pytest.mark.parametrize("bits", [1, 2])
def test_gradients_pass_straight_through_inside_the_range_and_stop_outside(bits: int) -> None:
    quantize = QuantIdentity(act_quant=activation_quantizer(bits))
    x = torch.tensor([-3.0, -0.75, 0.25, 1.0, 3.0], requires_grad=True)
    quantize(x).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, 1.0, 1.0, 1.0, 0.0]


@pytest.mark.parametrize("make", [constant_weights, activation_quantizer])
@pytest.mark.parametrize(
    ("bits", "limit", "message"),
    [
        (0, 1.0, r"^a quantizer of 0 bits: use 1 to 8$"),
        (9, 1.0, r"^a quantizer of 9 bits: use 1 to 8$"),
        (2, 0.0, r"^a quantizer whose largest value is 0.0: use a positive one$"),
        (2, float("nan"), r"^a quantizer whose largest value is nan: use a positive one$"),
    ],
)
def test_impossible_quantizers_are_refused(
    make: Callable[[int, float], object], bits: int, limit: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make(bits, limit)


def test_a_single_bit_of_fixed_point_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^a quantizer of 1 bits: use 2 to 8$"):
        fixed_point_quantizer(1)


def test_an_impossible_relu_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^a quantizer of 0 bits: use 1 to 8$"):
        relu_quantizer(0)
    with pytest.raises(ValueError, match=r"^a quantizer whose largest value is -1.0: "):
        relu_quantizer(2, -1.0)
