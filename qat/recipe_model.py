"""The model that a recipe names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from lutloom.qat.models import build_model
from lutloom.qat.recipe_rules import RecipeError

if TYPE_CHECKING:
    from torch import nn

    from lutloom.qat.recipe import Recipe


def build_recipe_model(recipe: Recipe, input_shape: tuple[int, ...], classes: int) -> nn.Module:
    """Return the untrained model of a recipe; its weights follow from the recipe's seed.

    Raises :class:`~lutloom.qat.errors.TrainingError` for a model that isn't known, or is none with
    these options.
    """
    for key in recipe.model.options:
        raise RecipeError(
            f"model.{key} is not a key of a recipe: {recipe.model.name} has no options",
            f"model.{key}",
        )
    if recipe.quantization is not None:
        raise RecipeError(
            f"quantization can't be given: {recipe.model.name} says it in its name", "quantization"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.training.seed)
        return build_model(recipe.model.name, input_shape, classes)
