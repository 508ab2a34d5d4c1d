"""Short runs that leave nothing behind: does a recipe learn at all, and how fast may it?

* overfitting one batch: a net that can't learn a few images by heart won't learn many
* the range test of learning rates (Smith, Cyclical Learning Rates, WACV 2017): the rate grows from
  step to step, and a good one lies where the loss falls fastest, well below where it rises again
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, isfinite, log
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning.pytorch as pl
import torch

from lutloom.qat.batches import shuffled_order
from lutloom.qat.errors import TrainingError
from lutloom.qat.fitting import fit
from lutloom.qat.processes import Orders
from lutloom.qat.trainer import Prepared, classifier_of

if TYPE_CHECKING:
    from lutloom.qat.settings import EpochReport

_LOWEST, _HIGHEST = 1e-6, 10.0
# The loss of a step counts this much less one step later.
_SMOOTHING = 0.9
# Behind so many times the least loss there is nothing more to see.
_DIVERGED = 4.0
_FEWEST_STEPS = 10


@dataclass(frozen=True, slots=True)
class Overfitting:
    """How well one batch is learnt by heart: a report of each step, on those ``images`` alone."""

    images: int
    history: tuple[EpochReport, ...]


@dataclass(frozen=True, slots=True)
class RateSearch:
    """The smoothed losses that rising learning rates lead to, and the rate where they fall most."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]

    @property
    def suggestion(self) -> float:
        """The rate at which the loss falls fastest, on a logarithmic scale of rates."""
        # over several steps: single ones are noisy
        half = max(1, len(self.losses) // 15)
        falls = [
            (behind - before, place)
            for place, (before, behind) in enumerate(
                zip(self.losses[: -2 * half], self.losses[2 * half :], strict=True), start=half
            )
        ]
        return self.rates[min(falls)[1]]


def overfit_batch(prepared: Prepared, steps: int = 200) -> Overfitting:
    """Train the model of a run on the first of its batches alone; each epoch is a step.

    The images are not varied. How many of them are right is counted as for validation.
    """
    module = classifier_of(_on_one_device(prepared, augmentation=""))
    images, labels = module.training_images
    batch = shuffled_order(len(labels), module.run.seed, 0)[: module.run.batch_size]
    recipe = module.run.recipe
    training = replace(recipe.training, epochs=steps, patience=0)
    module.run = replace(module.run, recipe=replace(recipe, training=training))
    module.training_images = module.validation_images = images[batch], labels[batch]
    fit(module, [], Orders(module.run.recipe, Path(), None))
    return Overfitting(len(batch), tuple(module.history))


def find_rate(prepared: Prepared, steps: int = 150) -> RateSearch:
    """Train the model of a run with rising learning rates, until the loss has gone out of hand.

    Raises :class:`TrainingError` if it does so at once.
    """
    module = classifier_of(_on_one_device(prepared))
    rising = _Rising(steps)
    fit(module, [rising], Orders(module.run.recipe, Path(), None), steps=steps)
    if len(rising.losses) < _FEWEST_STEPS:
        raise TrainingError(
            f"the loss goes out of hand at a learning rate of {rising.rate(0):g} already: the data"
            " or the model are at fault"
        )
    return RateSearch(tuple(map(rising.rate, range(len(rising.losses)))), tuple(rising.losses))


class _Rising(pl.Callback):
    """Let the learning rate rise by the same factor each step; keep the smoothed losses."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._sum = 0.0
        self.losses: list[float] = []

    def rate(self, step: int) -> float:
        """Return the learning rate of a step."""
        share = step / (self._steps - 1)
        return exp(log(_LOWEST) + share * (log(_HIGHEST) - log(_LOWEST)))

    def on_train_batch_start(self, trainer: pl.Trainer, *_ignored: Any) -> None:  # noqa: ANN401
        """Set the rate of the step."""
        for optimizer in trainer.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.rate(trainer.global_step)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,  # noqa: ANN401 (Lightning's)
        *_ignored: Any,  # noqa: ANN401
    ) -> None:
        """Keep the loss, and end the search behind the range that is of use."""
        del pl_module
        loss = float(torch.as_tensor(outputs["loss"]))
        self._sum = _SMOOTHING * self._sum + (1 - _SMOOTHING) * loss
        smoothed = self._sum / (1 - _SMOOTHING ** (len(self.losses) + 1))
        if not isfinite(smoothed) or smoothed > _DIVERGED * min([smoothed, *self.losses]):
            trainer.should_stop = True
            return
        self.losses.append(smoothed)


def _on_one_device(prepared: Prepared, augmentation: str | None = None) -> Prepared:
    recipe = prepared.run.recipe
    data = recipe.data if augmentation is None else replace(recipe.data, augmentation=augmentation)
    training = replace(recipe.training, devices=1, nodes=1)
    run = replace(prepared.run, recipe=replace(recipe, data=data, training=training))
    return replace(prepared, run=run)
