"""The model that a recipe names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import torch

from lutloom.qat.models.family import Task
from lutloom.qat.models.registry import (
    build_model,
    canonical_name,
    default_quantization,
    parse_name,
)
from lutloom.qat.quantization_text import parse_quantization
from lutloom.qat.recipe_rules import RecipeError

if TYPE_CHECKING:
    from torch import nn

    from lutloom.qat.quantization import Quantization
    from lutloom.qat.recipe import Recipe

_BITS = re.compile(r"[1-8]W[1-8]A", re.IGNORECASE)


def model_name(recipe: Recipe) -> str:
    """Return the registered spelling of the name of a recipe's model.

    It has the usual bits unless others are said; a family whose quantization the recipe describes
    has none. Raises :class:`~lutloom.qat.errors.TrainingError` for a model that isn't known, or
    is no classifier.
    """
    name = recipe.model.name
    family, _ = parse_name(name)
    if family.task is not Task.CLASSIFICATION:
        raise RecipeError(
            f"model.name is {name!r}, and {family.name} tells no classes apart: train can't teach "
            "it yet, use another model",
            "model.name",
        )
    described = recipe.quantization is not None and not _BITS.search(name)
    return family.name if described else canonical_name(name)


def build_recipe_model(recipe: Recipe, input_shape: tuple[int, ...], classes: int) -> nn.Module:
    """Return the untrained model of a recipe; its weights follow from the recipe's seed.

    Raises :class:`~lutloom.qat.errors.TrainingError` for a model that isn't known, or is none with
    these options, this quantization or this shape.
    """
    name, quantization = recipe.model.name, recipe_quantization(recipe)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.training.seed)
        return build_model(name, input_shape, classes, quantization, **recipe.model.options)


def recipe_quantization(recipe: Recipe) -> Quantization | None:
    """Return the quantization that a recipe describes, None for what the model's name says.

    Raises :class:`~lutloom.qat.errors.TrainingError` for what can't be meant.
    """
    if recipe.quantization is None:
        return None
    name = recipe.model.name
    return parse_quantization(
        recipe.quantization,
        kind=parse_name(name)[0].activations,
        default=default_quantization(name),
    )
