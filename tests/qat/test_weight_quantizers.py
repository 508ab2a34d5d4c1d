"""Weights are what the equation of their paper says in 32-bit floats, ties and zeros included."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from math import frexp, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("brevitas", reason="needs brevitas")

import torch

from lutloom.qat.brevitas_parts import QuantConv2d, QuantConvTranspose2d, QuantIdentity, QuantLinear
from lutloom.qat.errors import TrainingError
from lutloom.qat.quantization import (
    WEIGHT_BITS,
    ActivationKind,
    ActivationSpec,
    WeightKind,
    WeightSpec,
)
from lutloom.qat.quantizers import (
    activation,
    activation_quantizer,
    clip_range,
    clipped_weights,
    fixed_point_quantizer,
    initialize_weights,
    relu_quantizer,
    weight_quantizer,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

BOTH = st.booleans()
FEW = settings(max_examples=50)
LEAST = np.float32(2.0**-20)
ROWS, COLUMNS = 3, 4


def tensors(values: st.SearchStrategy[float]) -> st.SearchStrategy[Floats]:
    """Return what draws weights of three channels."""
    lists = st.lists(values, min_size=ROWS * COLUMNS, max_size=ROWS * COLUMNS)
    return lists.map(lambda drawn: np.array(drawn, np.float32).reshape(ROWS, COLUMNS))


# sums of these are exact, in whatever order
SIXTEENTHS = tensors(st.integers(-64, 64).map(lambda number: number / 16))
WEIGHTS = st.one_of(SIXTEENTHS, tensors(st.floats(-4, 4, width=32)))


def layer_of(weights: Floats, spec: WeightSpec) -> Any:  # noqa: ANN401 (of Brevitas)
    """Return a convolution whose channels are the rows of ``weights``; one for each spec."""
    layer = made(spec)
    layer.weight.data = torch.from_numpy(weights.copy()).reshape(ROWS, 1, 1, COLUMNS)
    return layer


@cache
def made(spec: WeightSpec) -> Any:  # noqa: ANN401 (of Brevitas)
    quantizer = weight_quantizer(spec)
    return QuantConv2d(1, ROWS, (1, COLUMNS), bias=False, weight_quant=quantizer).eval()


def quantized(layer: Any, *quant_input: Any) -> Floats:  # noqa: ANN401 (of Brevitas)
    values: Floats = layer.quant_weight(*quant_input).value.detach().numpy()
    return values.reshape(ROWS, COLUMNS)


def over(reduce: Callable[..., Floats], values: Floats, per_channel: bool) -> Floats:
    return reduce(values, axis=1 if per_channel else None, keepdims=True)


def mean(values: Floats, per_channel: bool) -> Floats:
    total = over(np.sum, values, per_channel)
    return total / np.float32(COLUMNS if per_channel else ROWS * COLUMNS)


@FEW
@given(SIXTEENTHS, BOTH)
def test_xnor_weights_are_signs_times_the_mean(weights: Floats, each: bool) -> None:
    scale = np.maximum(mean(np.abs(weights), each), LEAST)
    expected = np.where(weights >= 0, scale, -scale)
    spec = WeightSpec(WeightKind.XNOR, 1, each)
    assert np.array_equal(quantized(layer_of(weights, spec)), expected)


@FEW
@given(WEIGHTS, BOTH)
def test_ternary_weights_are_kept_above_a_share_of_the_mean(weights: Floats, each: bool) -> None:
    layer = layer_of(weights, WeightSpec(WeightKind.TERNARY, 2, each))
    sizes = np.abs(weights)
    means = layer.weight.abs().mean((1, 2, 3) if each else None).detach().numpy().reshape(-1, 1)
    kept = sizes > np.float32(0.7) * means
    found = quantized(layer)
    assert np.array_equal(np.sign(found), np.sign(weights) * kept)
    for row in range(ROWS) if each else [slice(None)]:
        values = np.abs(found[row])[kept[row]]
        largest, least = (
            sizes[row][kept[row]].max(initial=0),
            sizes[row][kept[row]].min(initial=9),
        )
        assert len(set(values.tolist())) <= 1
        assert all(min(least, largest) * (1 - 2e-6) <= values)
        assert all(values <= max(largest * (1 + 2e-6), LEAST))


@FEW
@given(SIXTEENTHS, BOTH)
def test_ternary_weights_have_the_mean_of_what_is_kept(weights: Floats, each: bool) -> None:
    sizes = np.abs(weights)
    kept = sizes > np.float32(0.7) * mean(sizes, each)
    counts = over(np.sum, kept.astype(np.float32), each)
    scale = np.maximum(over(np.sum, sizes * kept, each) / np.maximum(counts, 1), LEAST)
    expected = np.sign(weights) * kept * scale
    spec = WeightSpec(WeightKind.TERNARY, 2, each)
    assert np.array_equal(quantized(layer_of(weights, spec)), expected)


@FEW
@given(WEIGHTS, st.integers(2, 8))
def test_dorefa_weights_are_odd_multiples_of_a_step(weights: Floats, bits: int) -> None:
    # the tanh itself is torch's: no two libraries round it alike
    bent = torch.from_numpy(weights.copy()).reshape(ROWS, 1, 1, COLUMNS).tanh().numpy()
    levels = np.float32(2**bits - 1)
    share = bent / (2 * np.maximum(np.abs(bent).max(), LEAST)) + np.float32(0.5)
    integers = 2 * np.round(levels * share) - levels
    expected = (integers * np.float32(1 / levels)).reshape(ROWS, COLUMNS)
    layer = layer_of(weights, WeightSpec(WeightKind.DOREFA, bits))
    assert np.array_equal(quantized(layer), expected)
    assert set((integers.ravel() % 2).tolist()) == {1.0}
    assert layer.quant_weight().bit_width == bits + 1


@FEW
@given(SIXTEENTHS)
def test_dorefa_weights_of_one_bit_are_those_of_xnor(weights: Floats) -> None:
    dorefa, xnor = (
        quantized(layer_of(weights, WeightSpec(kind, 1)))
        for kind in (WeightKind.DOREFA, WeightKind.XNOR)
    )
    assert np.array_equal(dorefa, xnor)


STEPS = st.lists(
    st.one_of(st.floats(2.0**-6, 2, width=32), st.sampled_from([0.0, -0.25, 0.5])),
    min_size=ROWS,
    max_size=ROWS,
)


@FEW
@given(WEIGHTS, STEPS, st.integers(2, 8), BOTH)
def test_lsq_weights_are_rounded_by_their_step(
    weights: Floats, steps: list[float], bits: int, each: bool
) -> None:
    layer = layer_of(weights, WeightSpec(WeightKind.LSQ, bits, each))
    step = layer.weight_quant.tensor_quant.scaling_impl.value
    step.data = torch.tensor(steps if each else steps[:1]).reshape(step.shape)
    scale = np.maximum(np.abs(np.array(steps if each else steps[:1], np.float32)), LEAST)[:, None]
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    expected = np.round(np.clip(weights / scale, low, high)) * scale
    assert np.array_equal(quantized(layer), expected)


@FEW
@given(SIXTEENTHS, st.integers(2, 8), BOTH)
def test_the_steps_of_lsq_begin_at_twice_the_mean(weights: Floats, bits: int, each: bool) -> None:
    layer = layer_of(weights, WeightSpec(WeightKind.LSQ, bits, each))
    layer.weight_quant.init_tensor_quant()
    expected = 2 * mean(np.abs(weights), each) / np.float32(sqrt(2 ** (bits - 1) - 1))
    assert np.array_equal(
        layer.weight_quant.tensor_quant.scaling_impl.value.detach().numpy().reshape(-1, 1), expected
    )


def power_above(value: float) -> float:
    """Return the least power of two that is not below."""
    mantissa, exponent = frexp(value)
    return 2.0 ** (exponent - 1 if mantissa == 0.5 else exponent)


@FEW
@given(WEIGHTS, st.integers(2, 8), BOTH, st.sampled_from([WeightKind.INTEGER, WeightKind.PO2]))
def test_scales_follow_the_largest_weight(
    weights: Floats, bits: int, each: bool, kind: WeightKind
) -> None:
    largest = np.maximum(over(np.max, np.abs(weights), each), LEAST)
    most = 2 ** (bits - 1) - 1
    if kind is WeightKind.PO2:
        powers = np.array([[power_above(float(row[0]))] for row in largest], np.float32)
        scale = powers / np.float32(most + 1)
    else:
        scale = largest / np.float32(most)
    expected = np.clip(np.round(weights / scale), -most, most) * scale
    assert np.array_equal(quantized(layer_of(weights, WeightSpec(kind, bits, each))), expected)


def test_powers_of_two_are_found_next_to_one() -> None:
    for exponent in range(-19, 8):
        for factor in (1 - 2.0**-23, 1.0, 1 + 2.0**-20):
            weights = np.full((ROWS, COLUMNS), 2.0**exponent * factor, np.float32)
            layer = layer_of(weights, WeightSpec(WeightKind.PO2, 2))
            scale = layer.quant_weight().scale.item()
            assert scale == power_above(float(weights[0, 0])) / 2, (exponent, factor)


INPUTS = st.one_of(
    st.integers(1, 8).map(lambda bits: (bits, True)), st.integers(2, 8).map(lambda b: (b, False))
)


@cache
def quant_input(bits: int, signed: bool) -> Any:  # noqa: ANN401 (of Brevitas)
    if signed and bits > 1:
        quantizer = fixed_point_quantizer(bits)
    elif signed:
        quantizer = activation_quantizer(1)
    else:
        quantizer = relu_quantizer(bits)
    return QuantIdentity(act_quant=quantizer, return_quant_tensor=True)(
        torch.ones(1, 1, 1, COLUMNS)
    )


@FEW
@given(
    SIXTEENTHS,
    INPUTS,
    st.integers(2, 8),
    st.integers(4, 20),
    st.integers(-4, 4),
    st.integers(-6, 0),
)
def test_a2q_weights_are_truncated_so_that_their_sums_are_bounded(
    weights: Floats, of_input: tuple[int, bool], bits: int, accumulator: int, norm: int, step: int
) -> None:
    layer = layer_of(weights, WeightSpec(WeightKind.A2Q, bits, True, accumulator))
    core = layer.weight_quant.tensor_quant
    # learned in the logarithm: powers of two are exact
    core.pre_scaling_impl.value.data.fill_(norm)
    core.scaling_impl.value.data.fill_(step)
    input_bits, signed = of_input
    bound = np.float32((2 ** (accumulator - 1) - 1) * 2.0 ** (signed - input_bits))
    scale, most = np.float32(2.0**step), 2 ** (bits - 1) - 1
    sums = np.abs(weights).sum(1, keepdims=True)
    divisor = np.maximum(sums / np.minimum(np.float32(2.0**norm) / scale, bound), np.float32(1e-10))
    integers = np.clip(np.trunc(weights / divisor), -most, most)
    found = quantized(layer, quant_input(*of_input))
    assert np.array_equal(found, integers * scale)
    assert (np.abs(integers).sum(1) <= bound).all()


@FEW
@given(
    tensors(st.floats(-4, 4, width=32)),
    INPUTS,
    st.integers(2, 8),
    st.integers(4, 20),
    st.integers(0, 30),
)
def test_a2q_keeps_every_sum_of_products_within_its_bits(
    weights: Floats, of_input: tuple[int, bool], bits: int, accumulator: int, norm: int
) -> None:
    layer = layer_of(weights, WeightSpec(WeightKind.A2Q, bits, True, accumulator))
    core = layer.weight_quant.tensor_quant
    core.scaling_impl.value.data = layer.weight.data.abs().amax((1, 2, 3), keepdim=True).log2() - 3
    core.pre_scaling_impl.value.data.fill_(norm)
    x = quant_input(*of_input)
    values = layer.quant_weight(x)
    integers = np.round((values.value / values.scale).detach().numpy()).reshape(ROWS, COLUMNS)
    input_bits, signed = of_input
    largest = 2**input_bits - 1 if not signed else max(1, 2 ** (input_bits - 1))
    assert np.abs(integers).sum(1).max() * largest < 2 ** (accumulator - 1)


def test_a2q_refuses_an_input_of_unknown_bits() -> None:
    layer = layer_of(np.ones((ROWS, COLUMNS), np.float32), WeightSpec(WeightKind.A2Q, 4, True, 8))
    message = (
        r"^a layer with weights of kind a2q has an input of unknown bits: put a quantizer with one "
        r"scale in front of it, or choose another kind for this layer$"
    )
    with pytest.raises(TrainingError, match=message):
        layer(torch.ones(1, 1, 1, COLUMNS))


def gradient(
    spec: WeightSpec, weights: list[float], wanted: list[float]
) -> tuple[Any, list[float]]:
    """Return a layer of one neuron, and the gradient of its weights for that of its values."""
    layer: Any = QuantLinear(len(weights), 1, bias=False, weight_quant=weight_quantizer(spec))
    layer.weight.data = torch.tensor([weights])
    layer.weight_quant.init_tensor_quant()
    (layer.quant_weight().value * torch.tensor([wanted])).sum().backward()
    return layer, layer.weight.grad[0].tolist()


def test_gradients_of_xnor_go_through_the_signs_and_the_mean() -> None:
    _, found = gradient(WeightSpec(WeightKind.XNOR, 1), [-3.0, 1.0], [1.0, 4.0])
    # mean 2; the sum of sign(w) dq is 3
    assert found == [2.0 * 1 - 3 / 2, 2.0 * 4 + 3 / 2]


def test_gradients_of_ternary_weights_go_straight_through() -> None:
    _, found = gradient(WeightSpec(WeightKind.TERNARY, 2), [-3.0, 0.5, 9.0], [1.0, 4.0, -2.0])
    assert found == [1.0, 4.0, -2.0]


def test_gradients_of_lsq_are_those_of_its_paper() -> None:
    layer, found = gradient(
        # a step of 2 mean / sqrt(h) = 2 with h = 1 and l = -2
        WeightSpec(WeightKind.LSQ, 2),
        [-0.5, 2.75, 0.75, 0.0],
        [1.0, 4.0, 2.0, 8.0],
    )
    assert layer.weight_quant.tensor_quant.scaling_impl.value.item() == 2.0
    assert found == [1.0, 0.0, 2.0, 8.0]
    of_step = 1.0 * 0.25 + 4.0 * 1 + 2.0 * -0.375 + 8.0 * 0
    (step,) = [p for name, p in layer.named_parameters() if name != "weight"]
    assert step.grad.item() == of_step / sqrt(4 * 1)


@pytest.mark.parametrize("kind", WeightKind)
def test_every_kind_quantizes_layers_of_every_shape(kind: WeightKind) -> None:
    torch.manual_seed(0)
    bits = WEIGHT_BITS[kind][1]
    accumulator = 16 if kind is WeightKind.A2Q else None
    scales = [False] if kind in {WeightKind.CONSTANT, WeightKind.DOREFA} else [False, True]
    x = QuantIdentity(act_quant=activation_quantizer(4), return_quant_tensor=True)
    for each in scales:
        spec = WeightSpec(kind, bits, each, accumulator)
        how: dict[str, Any] = {"bias": False, "weight_quant": weight_quantizer(spec)}
        for layer, shape in (
            (QuantLinear(4, 6, **how), (2, 4)),
            (QuantConvTranspose2d(4, 6, 3, **how), (2, 4, 5, 5)),
            (QuantConv2d(4, 4, 3, groups=4, **how), (2, 4, 5, 5)),
        ):
            initialize_weights(layer, spec)
            layer(x(torch.randn(shape))).sum().backward()
            assert all(parameter.grad is not None for parameter in layer.parameters())


@pytest.mark.parametrize("kind", WeightKind)
def test_weights_are_clipped_where_only_their_range_counts(kind: WeightKind) -> None:
    spec = WeightSpec(kind, WEIGHT_BITS[kind][0], False, 8 if kind is WeightKind.A2Q else None)
    layer = layer_of(np.ones((ROWS, COLUMNS), np.float32), spec)
    model = torch.nn.Sequential(torch.nn.Linear(1, 1), layer, torch.nn.BatchNorm1d(1))
    bound = 1.0 if kind in {WeightKind.CONSTANT, WeightKind.XNOR} else None
    assert clip_range(spec) == bound
    found = clipped_weights(model)
    assert len(found) == (bound is not None)
    for weight, to in found:
        assert weight is layer.weight
        assert to == bound


def test_a_state_is_restored_with_what_was_learned() -> None:
    for kind in (WeightKind.LSQ, WeightKind.A2Q):
        torch.manual_seed(0)
        spec = WeightSpec(kind, 4, True, 12 if kind is WeightKind.A2Q else None)
        how: dict[str, Any] = {"bias": False, "weight_quant": weight_quantizer(spec)}
        first, second = (QuantLinear(COLUMNS, ROWS, **how).eval() for _ in range(2))
        for parameter in first.parameters():
            parameter.data += torch.rand_like(parameter)
        second.load_state_dict(first.state_dict())
        x = quant_input(4, True)
        again = [
            layer.quant_weight(*[x] * (kind is WeightKind.A2Q)).value for layer in (first, second)
        ]
        assert torch.equal(*again)


@pytest.mark.parametrize("kind", [*WeightKind, *ActivationKind])
def test_quantizers_share_nothing_that_moves_to_a_device(kind: WeightKind | ActivationKind) -> None:
    def tensors_of() -> set[int]:
        if isinstance(kind, ActivationKind):
            module = activation(ActivationSpec(kind, 1), 2)
        else:
            accumulator = 8 if kind is WeightKind.A2Q else None
            spec = WeightSpec(kind, WEIGHT_BITS[kind][0], accumulator_bits=accumulator)
            module = QuantLinear(3, 2, bias=False, weight_quant=weight_quantizer(spec))
        kept.append(module)
        return {id(tensor) for tensor in (*module.parameters(), *module.buffers())}

    kept: list[torch.nn.Module] = []
    assert not tensors_of() & tensors_of()


@pytest.mark.parametrize("kind", WeightKind)
def test_a_copy_of_a_layer_is_quantized_alike_and_by_itself(kind: WeightKind) -> None:
    accumulator = 14 if kind is WeightKind.A2Q else None
    spec = WeightSpec(kind, WEIGHT_BITS[kind][1], accumulator_bits=accumulator)
    layer = QuantLinear(6, 2, bias=False, weight_quant=weight_quantizer(spec))
    initialize_weights(layer, spec)
    x = quant_input(4, True)
    row = layer.quant_weight(x).value.detach()
    again = deepcopy(layer)
    for parameter in layer.parameters():
        parameter.data = -3 * parameter.data
    assert torch.equal(again.quant_weight(x).value, row)
