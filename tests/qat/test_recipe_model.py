"""The model that a recipe names has the bits, the options and the quantization that it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("brevitas", reason="needs brevitas")

import torch

from lutloom.qat.errors import TrainingError
from lutloom.qat.recipe import DataSection, ModelSection, Recipe, TrainingSection
from lutloom.qat.recipe_file import find_recipe, recipe_names
from lutloom.qat.recipe_model import build_recipe_model, model_name

SHAPE = (1, 4, 4)
DATA = DataSection("d")


def recipe_of(
    name: str,
    quantization: str | Mapping[str, object] | None = None,
    seed: int = 0,
    **options: int | tuple[int, ...],
) -> Recipe:
    return Recipe(
        ModelSection(name, options), DATA, TrainingSection(seed=seed), quantization=quantization
    )


def weight_bits(recipe: Recipe) -> list[int]:
    model = build_recipe_model(recipe, SHAPE, 3)
    layers: list[Any] = [layer for layer in model.modules() if hasattr(layer, "quant_weight")]
    return [int(layer.quant_weight().bit_width) for layer in layers]


def test_weights_follow_from_the_seed_and_leave_the_generator_alone() -> None:
    before = torch.get_rng_state()
    one, same, other = (
        next(iter(build_recipe_model(recipe_of("TFC", seed=seed), SHAPE, 3).parameters()))
        for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_quantization_takes_the_place_of_the_bits_of_a_name() -> None:
    assert weight_bits(recipe_of("TFC_2W2A")) == [2, 2, 2, 2]
    assert weight_bits(recipe_of("TFC_2W2A", "4W4A")) == [4, 4, 4, 4]
    layers = {"layers": {"*linear0": {"weights": {"kind": "integer", "bits": 8}}}}
    assert weight_bits(recipe_of("TFC_2W2A", layers)) == [8, 2, 2, 2]


def test_options_are_the_family_s() -> None:
    assert len(weight_bits(recipe_of("TFC", hidden=(8, 6)))) == 3
    with pytest.raises(TrainingError, match=r"^TFC has no option 'depth': its options are hidden"):
        weight_bits(recipe_of("TFC", depth=3))


def test_a_name_says_no_bits_where_a_quantization_is_described() -> None:
    assert model_name(recipe_of("tfc-2w2a")) == "TFC_2W2A"
    assert model_name(recipe_of("tfc")) == "TFC_1W1A"
    assert model_name(recipe_of("tfc", "4W4A")) == "TFC"
    assert model_name(recipe_of("tfc-2w2a", {"layers": {}})) == "TFC_2W2A"


def test_what_tells_no_classes_apart_is_not_trained() -> None:
    message = r"^model\.name is 'autoencoder', and AUTOENCODER tells no classes apart: train can't"
    with pytest.raises(TrainingError, match=message):
        model_name(recipe_of("autoencoder"))


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_that_comes_with_lutloom_has_a_model_for_its_data(name: str) -> None:
    recipe = find_recipe(name)
    shape = {"mnist": (1, 28, 28), "cifar10": (3, 32, 32)}[recipe.data.name]
    with torch.device("meta"):
        model = build_recipe_model(recipe, shape, 10)
    assert sum(parameter.numel() for parameter in model.parameters()) > 0
    assert model_name(recipe) == recipe.model.name
