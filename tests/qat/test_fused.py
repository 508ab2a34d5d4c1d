"""A fused model computes the very numbers of its Brevitas model: values, gradients, weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("brevitas", reason="needs brevitas")

import torch
from torch import nn

from lutloom.qat.brevitas_parts import (
    QuantConv2d,
    QuantConvTranspose2d,
    QuantIdentity,
    QuantLinear,
    QuantReLU,
    QuantSigmoid,
)
from lutloom.qat.fused import Kept, fused, layers
from lutloom.qat.models.registry import build_model
from lutloom.qat.quantization import (
    ActivationKind,
    ActivationSpec,
    WeightKind,
    WeightSpec,
)
from lutloom.qat.quantizers import activation, weight_quantizer
from tests.qat.courses import assert_same, course
from tests.qat.networks import SMALL, SMALL_BRANCHED
from tests.qat.test_zoo import TINY, tiny

if TYPE_CHECKING:
    from collections.abc import Callable

NETWORKS = {**SMALL, **SMALL_BRANCHED}


def compare(make: Callable[[], nn.Module], images: torch.Tensor) -> tuple[Kept, ...]:
    """Hold fused training against Brevitas'; return what was kept."""
    courses = []
    for fusing in (True, False):
        torch.manual_seed(0)
        model = make()
        faster = fused(model, channels_last=False)
        courses.append(course(model, images, faster if fusing else model))
    assert_same(*courses)
    return faster.kept


@pytest.mark.parametrize(
    "name",
    [
        *("cnv-1w1a", "cnv-2w2a", "vgg10", "resnet18", "squeeze-excite", "attention"),
        *("unet-transposed", "detector", "autoencoder", "resnet50-1w2a"),
    ],
)
def test_networks_train_to_the_same_bits(name: str) -> None:
    recipe = NETWORKS[name]
    images = torch.from_numpy(recipe.floats(recipe.integers(4)))
    assert compare(recipe.make, images) == ()


@pytest.mark.parametrize("name", ["TFC_1W2A", "SFC_1W1A", "SFC_2W2A"])
def test_fully_connected_nets_with_dropout_train_to_the_same_bits(name: str) -> None:
    images = torch.rand(10, 1, 28, 28)
    assert compare(lambda: build_model(name, (1, 28, 28), 10, input_dropout=0.2), images) == ()


@pytest.mark.parametrize("name", ["BIREAL18", "LBCNN"])
def test_families_of_the_zoo_train_to_the_same_bits(name: str) -> None:
    assert compare(lambda: tiny(name), torch.rand(4, *TINY[name].shape)) == ()


def test_a_layer_with_a_quantized_bias_is_kept_and_the_rest_is_fused() -> None:
    recipe = NETWORKS["mobilenet"]
    images = torch.from_numpy(recipe.floats(recipe.integers(4)))
    assert compare(recipe.make, images) == (Kept("classifier", "it quantizes its bias"),)


WEIGHTS = [
    *(WeightSpec(WeightKind.CONSTANT, bits) for bits in (1, 2, 4)),
    WeightSpec(WeightKind.DOREFA, 3),
    *(
        WeightSpec(kind, bits, per_channel=per_channel)
        for per_channel in (False, True)
        for kind, bits in [
            (WeightKind.XNOR, 1),
            (WeightKind.TERNARY, 2),
            (WeightKind.LSQ, 3),
            (WeightKind.PO2, 4),
            (WeightKind.INTEGER, 4),
        ]
    ),
    WeightSpec(WeightKind.A2Q, 4, accumulator_bits=12),
]
ACTIVATIONS = [
    *(
        ActivationSpec(ActivationKind.SIGNED, bits, limit=limit)
        for bits, limit in [(1, 1.0), (1, 0.7), (3, 1.5)]
    ),
    ActivationSpec(ActivationKind.DOREFA, 2),
    ActivationSpec(ActivationKind.RSIGN, 1),
    *(
        ActivationSpec(kind, 2, per_channel=per_channel, limit=1.25)
        for per_channel in (False, True)
        for kind in (ActivationKind.RELU, ActivationKind.LSQ, ActivationKind.PO2)
    ),
]


class Layers(nn.Module):
    """Quantizer, convolution, normalization, quantizer, convolution.

    Brevitas itself fails to add a bias to a convolution of an input with a scale a channel.
    """

    def __init__(self, weights: WeightSpec, activations: ActivationSpec) -> None:
        super().__init__()
        self.first = activation(activations, 3)
        self.conv0 = QuantConv2d(
            3, 6, 3, bias=not activations.per_channel, weight_quant=weight_quantizer(weights)
        )
        self.norm = nn.BatchNorm2d(6)
        self.second = activation(activations, 6)
        self.conv1 = QuantConv2d(6, 5, 2, bias=False, weight_quant=weight_quantizer(weights))

    def forward(self, x: torch.Tensor) -> Any:  # noqa: ANN401 (of Brevitas)
        return self.conv1(self.second(self.norm(self.conv0(self.first(x)))))


def kept_of(weights: WeightSpec, activations: ActivationSpec) -> dict[str, str]:
    images = torch.randn(4, 3, 8, 8) * 2
    images[0, 0, 0] = torch.tensor([0.0, -0.0, 1.0, -1.0, 0.7, -0.7, 1.25, 1.5])
    return {
        kept.name: kept.reason for kept in compare(lambda: Layers(weights, activations), images)
    }


@pytest.mark.parametrize("weights", WEIGHTS, ids=str)
def test_weights_of_every_kind_train_to_the_same_bits(weights: WeightSpec) -> None:
    kept = kept_of(weights, ActivationSpec(ActivationKind.SIGNED, 2))
    own = {
        WeightKind.DOREFA: "its quantizer is DorefaWeights",
        WeightKind.TERNARY: "its quantizer is TernaryWeights",
        WeightKind.A2Q: "its weights are quantized through ",
    }
    expected = own.get(weights.kind)
    assert set(kept) == (set() if expected is None else {"conv0", "conv1"})
    assert expected is None or all(reason.startswith(expected) for reason in kept.values())


@pytest.mark.parametrize("activations", ACTIVATIONS, ids=str)
def test_activations_of_every_kind_train_to_the_same_bits(activations: ActivationSpec) -> None:
    kept = kept_of(WeightSpec(WeightKind.CONSTANT, 1), activations)
    assert set(kept.values()) <= {"its quantizer is ApproximateSignQuant"}
    assert bool(kept) == (activations.kind is ActivationKind.RSIGN)


def small() -> tuple[nn.Module, torch.Tensor]:
    recipe = NETWORKS["cnv-2w2a"]
    torch.manual_seed(0)
    return recipe.make(), torch.from_numpy(recipe.floats(recipe.integers(4)))


def test_behind_a_pass_every_layer_is_brevitas_own() -> None:
    model, images = small()
    faster = fused(model)
    faster(images)
    with pytest.raises(RuntimeError):
        faster(images[:, :1])
    assert not any("forward" in module.__dict__ for module in model.modules())
    assert faster.model is model


def test_loaded_weights_are_what_is_computed_with() -> None:
    recipe = NETWORKS["resnet18"]
    images = torch.from_numpy(recipe.floats(recipe.integers(4)))
    model, other = recipe.make(), recipe.make()
    faster = fused(model, channels_last=False)
    faster(images)
    # Brevitas makes new quantizers here, with new parameters
    model.load_state_dict(other.state_dict())
    assert torch.equal(faster(images), other.train()(images))


def test_a_quantizer_that_is_switched_off_is_not_applied() -> None:
    model, images = small()
    faster = fused(model, channels_last=False)
    model.eval()
    quantized = faster(images)
    for module in model.modules():
        if isinstance(module, QuantConv2d):
            module.weight_quant.disable_quant = True
    plain = faster(images)
    assert torch.equal(plain, model(images))
    assert not torch.equal(plain, quantized)


@pytest.mark.parametrize("name", ["cnv-1w1a", "cnv-2w2a"])
def test_the_products_of_the_first_layers_are_exact_in_any_order(name: str) -> None:
    recipe = NETWORKS[name]
    model = recipe.make()
    images = torch.from_numpy(recipe.floats(recipe.integers(4)))
    sums: list[torch.Tensor] = []
    layer = model.get_submodule("features.conv0.layer")
    layer.register_forward_hook(lambda _, __, y: sums.append(y))
    for channels_last in (False, True):
        fused(model, channels_last=channels_last)(images)
    assert torch.equal(*sums)
    assert sums[1].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", ["cnv-1w1a", "resnet18"])
def test_mixed_precision_trains_to_the_same_bits(name: str) -> None:
    recipe = NETWORKS[name]
    images = torch.from_numpy(recipe.floats(recipe.integers(4)))
    courses = []
    for fusing in (True, False):
        torch.manual_seed(0)
        model = recipe.make()
        compute = fused(model, channels_last=False) if fusing else model
        with torch.autocast("cpu", torch.bfloat16):
            courses.append(course(model, images, compute))
    assert_same(*courses)


def test_a_model_whose_quantizers_brevitas_compiles_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(layers, "JIT_ENABLED", True)
    model, images = small()
    faster = fused(model)
    assert {kept.reason for kept in faster.kept} == {
        "Brevitas compiles its quantizers, as BREVITAS_JIT says"
    }
    assert torch.equal(faster(images), model(images))


class Doubled(QuantConv2d):  # type: ignore[misc]
    """A layer of somebody's own."""

    def forward(self, x: Any) -> Any:  # noqa: ANN401 (of Brevitas)
        return 2 * super().forward(x)


def test_layers_with_a_forward_pass_of_their_own_keep_it() -> None:
    quantizer = weight_quantizer(WeightSpec(WeightKind.CONSTANT, 1))
    layers_ = [kind(3, 3, 3, bias=False, weight_quant=quantizer) for kind in (Doubled, QuantConv2d)]
    model = nn.Sequential(*layers_)
    replaced = layers_[1].forward
    layers_[1].forward = lambda x: 3 * replaced(x)  # type: ignore[method-assign]
    faster, images = fused(model), torch.rand(2, 3, 9, 9)
    assert [kept.reason for kept in faster.kept] == ["its forward pass is one of its own"] * 2
    assert torch.equal(faster(images), model(images))
    assert "forward" in layers_[1].__dict__


def of_defaults() -> nn.Module:
    """Return a model of Brevitas' own quantizers: 8 bits, with scales that follow the values."""
    return nn.Sequential(
        QuantIdentity(return_quant_tensor=True),
        QuantConv2d(3, 6, 3, stride=2, padding="same"),
        nn.BatchNorm2d(6),
        QuantReLU(return_quant_tensor=True),
        QuantConvTranspose2d(6, 4, 3, groups=2, stride=2),
        QuantSigmoid(),
        nn.Flatten(),
        QuantLinear(4 * 9 * 9, 5, bias=True),
    )


def test_brevitas_default_quantizers_train_to_the_same_bits() -> None:
    assert compare(of_defaults, torch.randn(4, 3, 8, 8)) == ()


def test_a_quantizer_that_begins_later_is_kept_as_it_is() -> None:
    quantizer = weight_quantizer(WeightSpec(WeightKind.CONSTANT, 1)).let(quant_delay_steps=2)

    def make() -> nn.Module:
        return nn.Sequential(QuantConv2d(3, 6, 3, bias=False, weight_quant=quantizer))

    assert compare(make, torch.rand(2, 3, 8, 8)) == (Kept("0", "its quantizer is BinaryQuant"),)
