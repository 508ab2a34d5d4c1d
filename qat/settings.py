"""What decides the result of a training run, and what a run reports of each epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch

from lutloom.qat.recipe import Recipe
from lutloom.qat.recipe_file import recipe_table
from lutloom.qat.recipe_rules import RecipeError

_T = TypeVar("_T")

# Below this many images an epoch has so few steps that more epochs and smaller batches are due.
_MANY_IMAGES = 10_000
DEFAULT_LR = 0.03
# What may be another in a run that goes on: where data and board are, and how often it is saved.
_MAY_CHANGE = ("title", "data.name", "training.checkpoint_", "board.")


@dataclass(frozen=True)
class Run:
    """A recipe without anything open, and the name and the training images of its data set.

    ``teacher`` is the digest of the teacher's file, if there is one.

    With the data, they decide every bit of the weights.
    """

    recipe: Recipe
    dataset: str
    images: int
    teacher: str = ""

    @property
    def epochs(self) -> int:
        """How often all images are seen."""
        return _known(self.recipe.training.epochs)

    @property
    def batch_size(self) -> int:
        """The images of a step, on all devices together."""
        return _known(self.recipe.training.batch_size)

    @property
    def lr(self) -> float:
        """The highest learning rate."""
        return _known(self.recipe.training.lr)

    @property
    def threads(self) -> int:
        """The threads of torch."""
        return _known(self.recipe.training.threads)

    @property
    def seed(self) -> int:
        """What everything random follows from."""
        return self.recipe.training.seed

    @property
    def augmentation(self) -> str:
        """How images are varied, as :func:`~lutloom.qat.augmentation.parse_augmentation` has it."""
        return _known(self.recipe.data.augmentation)


@dataclass(frozen=True, slots=True)
class EpochReport:
    """How an epoch went: number from 0, mean training loss, share of validation images right."""

    epoch: int
    loss: float
    accuracy: float


def complete(recipe: Recipe, model: str, images: int, weights: int, stored: Run | None) -> Recipe:
    """Return a recipe in which nothing is open.

    ``model`` is the registered name of its model, which has so many ``weights``; the data have
    ``images`` to train with. What is open is as in the run ``stored`` that goes on, or else what
    suits the data and the machine.
    """
    data, training = recipe.data, recipe.training
    before = None if stored is None else stored.recipe
    accelerator = "gpu" if torch.cuda.is_available() else "cpu"
    if training.accelerator == "auto":
        training = replace(training, accelerator=accelerator)
    if training.accelerator == "gpu" and accelerator == "cpu":
        raise RecipeError(
            'training.accelerator is \'gpu\', and torch finds none here: use "auto" or "cpu"',
            "training.accelerator",
        )
    if training.precision == "16-mixed" and training.accelerator == "cpu":
        raise RecipeError(
            'training.precision is \'16-mixed\', which needs a GPU: use "bf16-mixed" or "32"',
            "training.precision",
        )
    if training.epochs == 0 and recipe.start is None:
        raise RecipeError(
            "training.epochs is 0, and there is no [start]: train for at least 1, or give the"
            " checkpoint of a model in floats",
            "training.epochs",
        )
    defaults: dict[str, Any] = {
        "epochs": default_epochs(images),
        "batch_size": default_batch_size(images),
        "lr": DEFAULT_LR,
        "threads": default_threads(weights) or torch.get_num_threads(),
    }
    for name, default in defaults.items():
        if getattr(training, name) is None:
            value = default if before is None else getattr(before.training, name)
            training = replace(training, **{name: value})
    if data.augmentation is None:
        augmentation = "" if before is None else before.data.augmentation
        data = replace(data, augmentation=augmentation)
    return replace(recipe, model=replace(recipe.model, name=model), data=data, training=training)


def differences(stored: Run, asked: Run) -> list[str]:
    """Return what would be another in a run that goes on, in words."""
    before, now = _flat(stored), _flat(asked)
    return [
        f"{key} was {before.get(key)!r} and is now {now.get(key)!r}"
        for key in sorted(before | now)
        if before.get(key) != now.get(key) and not key.startswith(_MAY_CHANGE)
    ]


def _flat(run: Run) -> dict[str, object]:
    own = {"data set": run.dataset, "images": run.images, "the teacher's file": run.teacher}
    return own | dict(_entries("", recipe_table(run.recipe)))


def _entries(prefix: str, table: Mapping[str, object]) -> list[tuple[str, object]]:
    entries: list[tuple[str, object]] = []
    for key, value in table.items():
        if isinstance(value, Mapping):
            entries += _entries(f"{prefix}{key}.", value)
        else:
            entries.append((f"{prefix}{key}", value))
    return entries


def default_epochs(images: int) -> int:
    """Return the epochs of a run over that many images where none are asked for."""
    return 60 if images >= _MANY_IMAGES else 20


def default_batch_size(images: int) -> int:
    """Return the images of a batch where no number is asked for."""
    return 100 if images >= _MANY_IMAGES else 32


def default_threads(weights: int) -> int | None:
    """Return the threads for a model of that many weights; None is torch's own number.

    A step of a small net is too short to be shared: waiting costs more than it saves.
    """
    return 1 if weights < 1_000_000 else None


def _known(value: _T | None) -> _T:
    assert value is not None, "the recipe of a run is complete"
    return value
