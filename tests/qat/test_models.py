"""The models: nine names, and what each computes."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs torch")

import torch

from lutloom.qat.errors import TrainingError
from lutloom.qat.models import build_model, canonical_name, model_names
from lutloom.qat.models.norm import TensorNorm
from lutloom.qat.quantizers import quantized_weights


def test_each_size_comes_in_each_precision() -> None:
    sizes, precisions = ("TFC", "SFC", "LFC"), ("1W1A", "1W2A", "2W2A")
    assert model_names() == tuple(f"{size}_{bits}" for size in sizes for bits in precisions)


@pytest.mark.parametrize(("size", "neurons"), [("TFC", 64), ("SFC", 256), ("LFC", 1024)])
def test_a_net_has_three_hidden_layers_of_its_size(size: str, neurons: int) -> None:
    model = build_model(f"{size}_1W1A", (1, 28, 28), 10)
    shapes = [tuple(weight.shape) for weight in quantized_weights(model)]
    assert shapes == [(neurons, 784), (neurons, neurons), (neurons, neurons), (10, neurons)]


@pytest.mark.parametrize("name", model_names())
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


@pytest.mark.parametrize("spelling", ["TFC_1W2A", "tfc_1w2a", "tfc-1w2a", " TFC-1W2A"])
def test_a_name_may_be_spelled_in_several_ways(spelling: str) -> None:
    assert canonical_name(spelling) == "TFC_1W2A"


def test_an_unknown_name_is_answered_with_the_nearest_and_all() -> None:
    message = r"^there is no model 'tfc_1w3a' \(did you mean TFC_1W2A\?\): use one of TFC_1W1A, "
    with pytest.raises(TrainingError, match=message):
        build_model("tfc_1w3a", (1, 8, 8), 10)
    with pytest.raises(TrainingError, match=r"^there is no model 'resnet': use one of TFC_1W1A, "):
        canonical_name("resnet")


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
