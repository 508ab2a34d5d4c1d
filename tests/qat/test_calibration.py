"""Calibrated networks use their levels, have hostile factors, and tell inputs apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("brevitas", reason="needs brevitas")

import torch

from lutloom.qat.calibration import calibrate, random_images, variety
from lutloom.qat.models.blocks import block, conv2d, linear
from lutloom.qat.quantization import WeightKind, WeightSpec
from lutloom.qat.run import run_model
from tests.qat.bits import activation, signed, weights
from tests.qat.networks import SMALL

NORMS = (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)


@pytest.mark.parametrize(
    "name", ["cnv-1w1a", "cnv-2w2a", "vgg16-2w2a", "vgg10", "kws", "mobilenet"]
)
def test_each_activation_uses_most_of_its_levels_and_classes_vary(name: str) -> None:
    recipe = SMALL[name]
    model = recipe.calibrated()
    found = variety(model, recipe.floats(recipe.integers(32)))
    for use in found.activations:
        assert use.used >= 0.8 * use.levels, use
        assert use.largest < 0.75, use
    assert len(found.classes) >= 4
    assert found.classes[0][1] <= 16
    assert sum(count for _, count in found.classes) == 32


def test_some_factors_are_negative_and_a_few_zero() -> None:
    model = SMALL["vgg16-ds"].calibrated()
    norms = [module for module in model.modules() if isinstance(module, NORMS)]
    gammas = torch.cat([norm.weight.detach() for norm in norms]).numpy()
    assert 0.15 < np.mean(gammas < 0) < 0.35
    assert 0.002 < np.mean(gammas == 0) < 0.06


def test_channels_of_one_activation_differ_in_scale_where_they_may() -> None:
    model = SMALL["mobilenet"].calibrated()
    quantizer: Any = model.get_submodule("features.conv0.quantize")
    assert len(set(quantizer.act_quant.scale().flatten().tolist())) == 4


def test_statistics_are_those_of_the_data() -> None:
    recipe = SMALL["kws"]
    model = recipe.calibrated()
    norm = model.get_submodule("features.conv4.pointwise.norm")
    seen: list[torch.Tensor] = []
    norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model(torch.from_numpy(recipe.floats(recipe.integers(32))))
    for found, wanted in (
        (norm.get_buffer("running_mean"), seen[0].mean((0, 2, 3))),
        (norm.get_buffer("running_var"), seen[0].var((0, 2, 3), unbiased=False)),
    ):
        assert (found - wanted).abs().max() <= 1e-5 * wanted.abs().max()


def test_the_seed_decides() -> None:
    states = [SMALL["cnv-2w2a"].calibrated(seed=seed).state_dict() for seed in (3, 3, 4)]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert any(not torch.equal(states[0][key], states[2][key]) for key in states[0])


def test_a_calibrated_model_stands_in_evaluation_without_hooks() -> None:
    model = SMALL["kws"].calibrated()
    assert not any(module.training for module in model.modules())
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_a_model_without_a_linear_layer_is_calibrated_up_to_its_last_norm() -> None:
    layer = block(conv2d(2, 3, 3, weights(4)), activation(4))
    images = (random_images((2, 8, 8), 16) / 255).astype(np.float32)
    calibrate(layer, images)
    found = variety(layer, images)
    assert found.activations[0].used > 8
    assert sum(count for _, count in found.classes) == 16 * 6 * 6


@pytest.mark.parametrize("shape", [(3, 8, 9), (2, 33), (1, 5, 4), (40,)])
def test_random_images_differ_as_a_whole(shape: tuple[int, ...]) -> None:
    images = random_images(shape, 20)
    assert images.shape == (20, *shape)
    assert images.dtype == np.uint8
    assert np.array_equal(images, random_images(shape, 20))
    means = images.reshape(20, -1).mean(1)
    assert means.std() > 10


def test_weights_that_depend_on_the_bits_of_their_input_are_centred_too() -> None:
    torch.manual_seed(0)
    spec = WeightSpec(WeightKind.A2Q, 6, accumulator_bits=14)
    model = torch.nn.Sequential(signed(4), linear(12, 5, spec))
    data = np.random.default_rng(0).uniform(-0.2, 1, (64, 12)).astype(np.float32)
    before = run_model(model, data)
    calibrate(model, data)
    after = run_model(model, data)
    assert np.abs(after.mean(0)).max() < np.abs(before.mean(0)).max() / 2
