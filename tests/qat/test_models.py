"""Models by name: families, bits and options, and what is said of what can't be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("brevitas", reason="needs brevitas")

import torch
from hypothesis import given
from hypothesis import strategies as st

from lutloom.qat.errors import TrainingError
from lutloom.qat.models import (
    build_model,
    canonical_name,
    default_quantization,
    families,
    model_names,
    parse_name,
)
from lutloom.qat.models.family import Range
from lutloom.qat.models.norm import TensorNorm
from lutloom.qat.quantization import (
    ActivationKind,
    ActivationSpec,
    Quantization,
    WeightKind,
    WeightSpec,
    of_bits,
)
from lutloom.qat.quantizers import clipped_weights

CONNECTED = [name for name in model_names() if name[:3] in {"TFC", "SFC", "LFC"}]
IMAGE = (3, 32, 32)


def test_each_size_comes_in_each_precision() -> None:
    sizes, precisions = ("TFC", "SFC", "LFC"), ("1W1A", "1W2A", "2W2A")
    names = tuple(f"{size}_{bits}" for size in sizes for bits in precisions)
    assert model_names()[:9] == names


@pytest.mark.parametrize(("size", "neurons"), [("TFC", 64), ("SFC", 256), ("LFC", 1024)])
def test_a_net_has_three_hidden_layers_of_its_size(size: str, neurons: int) -> None:
    model = build_model(f"{size}_1W1A", (1, 28, 28), 10)
    shapes = [tuple(weight.shape) for weight, _ in clipped_weights(model)]
    assert shapes == [(neurons, 784), (neurons, neurons), (neurons, neurons), (10, neurons)]


@pytest.mark.parametrize("name", CONNECTED)
def test_weights_and_activations_take_the_levels_that_the_name_says(name: str) -> None:
    levels = {"1": {-1.0, 1.0}, "2": {-1.0, 0.0, 1.0}}
    weight_bits, activation_bits = name[-4], name[-2]
    torch.manual_seed(0)
    model = build_model(name, (1, 4, 4), 10).eval()
    seen: dict[str, set[float]] = {"weight": set(), "activation": set()}
    for path, module in model.named_modules():
        kind = path.rsplit(".", maxsplit=1)[-1]
        if kind in {"act_quant", "weight_quant"}:
            key = "weight" if kind == "weight_quant" else "activation"
            module.register_forward_hook(
                lambda _module, _inputs, result, key=key: seen[key].update(
                    result.value.detach().flatten().tolist()
                )
            )
    model(torch.rand(50, 1, 4, 4))
    assert seen["weight"] == levels[weight_bits]
    assert seen["activation"] == levels[activation_bits]


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("TFC_1W2A", "TFC_1W2A"),
        ("tfc_1w2a", "TFC_1W2A"),
        ("tfc-1w2a", "TFC_1W2A"),
        (" TFC-1W2A", "TFC_1W2A"),
        ("tfc", "TFC_1W1A"),
        ("CNV 1w1a", "CNV_1W1A"),
        ("resnet18-4w4a", "RESNET18_4W4A"),
        ("ResNet-18", "RESNET18_4W4A"),
        ("vgg16", "VGG16_2W2A"),
        ("vgg-16-ds-3w8a", "VGG16_DS_3W8A"),
        ("ds_cnn", "DS_CNN_4W4A"),
    ],
)
def test_a_name_may_be_spelled_in_several_ways(spelling: str, name: str) -> None:
    assert canonical_name(spelling) == name


@given(st.sampled_from(sorted(families())), st.integers(1, 8), st.integers(1, 8))
def test_a_canonical_name_says_the_family_and_its_bits(key: str, weights: int, bits: int) -> None:
    name = f"{key}_{weights}W{bits}A"
    assert canonical_name(name) == name
    assert parse_name(name) == (families()[key], (weights, bits))
    found = default_quantization(name)
    assert (found.weights.bits, found.activations.bits) == (weights, bits)


def test_an_unknown_name_is_answered_with_the_nearest_and_all() -> None:
    message = r"^there is no model 'tfd_1w2a' \(did you mean TFC_1W2A\?\): use one of TFC, SFC, "
    with pytest.raises(TrainingError, match=message):
        build_model("tfd_1w2a", (1, 8, 8), 10)
    message = r"^there is no model 'resnet' \(did you mean RESNET8\?\): use one of TFC, "
    with pytest.raises(TrainingError, match=message):
        canonical_name("resnet")
    for name in ("", "TFC_0W1A", "TFC_1W9A", "1W1A", "TFC_1W1A_1W1A"):
        with pytest.raises(TrainingError, match=f"^there is no model {name!r}"):
            canonical_name(name)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("CNV", (1, 28, 28), r"^CNV takes images of 32x32 pixels, not 1 x 28 x 28: use TFC, SFC, "),
        ("CNV", (640,), r"^CNV takes images of 32x32 pixels, not 640: use TFC, "),
        ("VGG16", (3, 31, 32), r"^VGG16 takes images of at least 32x32 pixels, not 3 x 31 x 32: "),
        (
            "MobileNet-v1",
            (1, 32, 32),
            r"^MOBILENET_V1 takes square images with 3 channels whose sides are multiples of 32, ",
        ),
        ("VGG10", (2, 2, 128), r"^VGG10 takes signals of at least 128 samples, as one row, not "),
    ],
)
def test_a_shape_that_a_family_cannot_take_is_refused(
    name: str, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(TrainingError, match=message):
        build_model(name, shape, 10)


def test_options_change_a_family() -> None:
    model = build_model("TFC", (1, 2, 2), 3, hidden="5-4", dropout=0.5, input_dropout=0.2)
    assert [tuple(weight.shape) for weight, _ in clipped_weights(model)] == [(5, 4), (4, 5), (3, 4)]
    assert sum(isinstance(module, torch.nn.Dropout) for module in model.modules()) == 3
    listed = build_model("TFC", (1, 2, 2), 3, hidden=[5, 4])
    assert [tuple(weight.shape) for weight, _ in clipped_weights(listed)] == [
        (5, 4),
        (4, 5),
        (3, 4),
    ]
    assert build_model("CNV", IMAGE, 4, width=3).get_submodule("norm") is not None


@pytest.mark.parametrize(
    ("name", "option", "value", "message"),
    [
        ("CNV", "depth", 3, r"^CNV has no option 'depth': its options are width$"),
        ("CNV", "width", 0, r"^CNV: width is 0: use a whole number from 1 to 4096, such as 64$"),
        ("CNV", "width", True, r"^CNV: width is True: use a whole number "),
        ("CNV", "width", 2.0, r"^CNV: width is 2.0: use a whole number "),
        (
            "TFC",
            "hidden",
            "64-",
            r"^TFC: hidden is '64-': use 1 to 16 whole numbers from 1 to ",
        ),
        ("TFC", "hidden", [], r"^TFC: hidden is \[\]: .*, such as 64-64-64$"),
        ("TFC", "hidden", [2, "3"], r"^TFC: hidden is \[2, '3'\]: "),
        ("SFC", "dropout", 1, r"^SFC: dropout is 1: use a number from 0 to below 1, such as 0.1$"),
        ("SFC", "dropout", float("nan"), r"^SFC: dropout is nan: "),
        ("SHUFFLENET_V2", "width", 7, r"width is 7: use a multiple of 2 from 2 to 4096"),
        ("RESNET18", "shared", 1, r"^RESNET18: shared is 1: use true or false, such as true$"),
    ],
)
def test_an_option_that_cannot_be_is_refused(
    name: str, option: str, value: object, message: str
) -> None:
    shape = families()[name].input_shape
    with pytest.raises(TrainingError, match=message):
        build_model(name, shape, 10, **{option: value})  # type: ignore[arg-type]


def test_patches_and_heads_have_to_fit() -> None:
    with pytest.raises(TrainingError, match=r"^images of 32x32 pixels can't be parted into "):
        build_model("ATTENTION", IMAGE, 10, patch=5)
    with pytest.raises(TrainingError, match=r"^each of 5 heads has a part of a token's 32 "):
        build_model("ATTENTION", IMAGE, 10, heads=5)


@pytest.mark.parametrize("name", families())
def test_defaults_are_legal_and_of_options_that_there_are(name: str) -> None:
    family = families()[name]
    assert family.shapes.fits(family.input_shape)
    assert all(1 <= bits <= 8 for pair in family.bits for bits in pair)
    for option, default in family.defaults.items():
        assert family.value(option, default) == default


def test_a_range_holds_its_ends() -> None:
    assert Range(1, 3).holds(1)
    assert Range(1, 3).holds(3)
    assert not Range(1, 3, is_open=True).holds(3)
    assert not Range(1, 3).holds((1, 4))
    assert not Range(1, 3, longest=1).holds((1, 1))


def test_overrides_reach_the_layers_that_they_name() -> None:
    four, lsq = WeightSpec(WeightKind.LSQ, 4), ActivationSpec(ActivationKind.LSQ, 3)
    quantization = Quantization(
        *_specs(1, 1),
        weight_overrides={"features.conv[12]": four, "classifier.linear2": four},
        activation_overrides={"features.conv3.quantize": lsq},
    )
    model = build_model("CNV", IMAGE, 10, quantization, width=2)
    bits = {
        name: weight_bits(module)
        for name, module in model.named_modules()
        if hasattr(module, "weight_quant")
    }
    assert {name for name, found in bits.items() if found == 4} == {
        "features.conv1.layer",
        "features.conv2.layer",
        "classifier.linear2",
    }
    assert set(bits.values()) == {1, 4}
    acts = {
        name: int(module.act_quant.bit_width().item())
        for name, module in model.named_modules()
        if hasattr(module, "act_quant")
    }
    assert [name for name, found in acts.items() if found == 3] == ["features.conv3.quantize"]


def test_a_recipe_may_change_the_ends_that_a_family_keeps_wide() -> None:
    two = WeightSpec(WeightKind.CONSTANT, 2)
    widths = []
    for overrides in ({}, {"conv0": two}, {"*": two}, {"conv0.layer": two}):
        quantization = Quantization(*_specs(4, 4), weight_overrides=overrides)
        model = build_model("RESNET18", (3, 8, 8), 10, quantization, width=1)
        widths.append(
            [weight_bits(model.get_submodule(name)) for name in ("conv0.layer", "classifier")]
        )
    assert widths == [[8, 8], [2, 8], [2, 2], [2, 8]]


@pytest.mark.parametrize("name", ["conv7", "quantize_input", "features.conv0.norm"])
def test_an_override_that_no_layer_heeds_is_refused(name: str) -> None:
    spec = WeightSpec(WeightKind.CONSTANT, 2)
    quantization = Quantization(*_specs(1, 1), weight_overrides={name: spec})
    with pytest.raises(TrainingError, match=rf"^CNV has no layer '{name}' with a quantization of "):
        build_model("CNV", IMAGE, 10, quantization, width=2)


def weight_bits(layer: Any) -> int:  # noqa: ANN401 (of Brevitas)
    return int(layer.weight_quant.bit_width().item())


def _specs(weights: int, activations: int) -> tuple[WeightSpec, ActivationSpec]:
    bits = of_bits(weights, activations)
    return bits.weights, bits.activations


def test_a_norm_in_training_uses_the_batch_and_moves_the_running_figures() -> None:
    norm = TensorNorm(eps=0.0, momentum=0.5)
    x = torch.tensor([[3.0, 7.0], [7.0, 3.0]])
    assert norm(x).tolist() == [[-1.0, 1.0], [1.0, -1.0]]
    assert norm.running_mean.tolist() == [2.5]
    assert norm.running_var.item() == np.float32(0.5 + 0.5 * (16 / 3))


def test_a_norm_in_evaluation_uses_the_running_figures() -> None:
    norm = TensorNorm(eps=0.0).eval()
    for parameter, value in {"weight": -2.0, "bias": 0.5}.items():
        norm.get_parameter(parameter).data.fill_(value)
    norm.running_mean.fill_(1.0)
    norm.running_var.fill_(4.0)
    assert norm(torch.tensor([1.0, 3.0])).tolist() == [0.5, -1.5]
    assert (norm.running_mean.item(), norm.running_var.item()) == (1.0, 4.0)
