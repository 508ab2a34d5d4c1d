"""How a classifier is trained: loss, batches, clipped weights, accuracy.

Cross-entropy; what optimizes it and how fast is the recipe's. After each step float weights
of a constant range are clipped to it: further out they change nothing of the quantized ones.
"""

from __future__ import annotations

from dataclasses import asdict
from math import isfinite
from typing import TYPE_CHECKING, Any

import lightning.pytorch as pl
import torch
from torch.nn.functional import cross_entropy
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassAccuracy

from lutloom.qat.augmentation import augment, parse_augmentation
from lutloom.qat.batches import (
    Batches,
    batch_seed,
    float_pixels,
    seed_drawing,
    shuffled_order,
    step_seed,
)
from lutloom.qat.errors import TrainingError
from lutloom.qat.fused import fused
from lutloom.qat.optimization import optimizer_of, rate
from lutloom.qat.processes import world
from lutloom.qat.quantizers import clipped_weights
from lutloom.qat.recipe_file import print_recipe
from lutloom.qat.run import values_of
from lutloom.qat.settings import EpochReport, Run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

    from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig

    from lutloom.qat.distillation import Teacher

    Pair = tuple[torch.Tensor, torch.Tensor]


BATCHES = "lutloom_batches"
"""The entry of a checkpoint that says how many batches of an epoch are done."""


class Classifier(pl.LightningModule):
    """A model with the way it is trained; ``history`` has a report of each finished epoch.

    ``training`` and ``validation`` are images as bytes and labels; a model takes
    ``input_scale * byte``.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        run: Run,
        training: Pair,
        validation: Pair,
        classes: int,
        input_scale: Fraction,
        teacher: Teacher | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.run = run
        self.history: list[EpochReport] = []
        # the same model, faster: what is saved, validated and exported is the one above
        self._fused = fused(model)
        # looked up once: walking the modules takes as long as a small net's forward pass
        self._clipped = clipped_weights(model)
        self.training_images = training
        self.validation_images = validation
        self._input_scale = input_scale
        # no part of the model: neither trained nor saved
        self._teacher = teacher
        self._augmentation = parse_augmentation(run.augmentation)
        self._loss = MeanMetric(nan_strategy="disable")
        self._accuracy = MulticlassAccuracy(classes, average="micro")
        # an epoch that was interrupted, and how many of its batches are done
        self._interrupted, self._batches = 0, 0

    def train_dataloader(self) -> Batches:
        """Return the batches of the coming epoch; Lightning asks anew for each."""
        images, labels = self.training_images
        epoch, seed = self.current_epoch, self.run.seed
        order = shuffled_order(len(labels), seed, epoch)
        first = self._batches if epoch == self._interrupted else 0

        def prepare(chosen: torch.Tensor, batch: int) -> torch.Tensor:
            generator = torch.Generator().manual_seed(batch_seed(seed, epoch, self._place(batch)))
            return float_pixels(augment(chosen, self._augmentation, generator), self._input_scale)

        return Batches(
            images,
            labels,
            self.run.batch_size,
            order,
            full=True,
            first=first,
            shard=self.global_rank,
            shards=world(self.run.recipe),
            device=self.device,
            prepare=prepare,
        )

    def calibration_batches(self, images: int) -> Iterator[torch.Tensor]:
        """Yield pixels of so many images to train with, or of all, as they are."""
        stored, labels = self.training_images
        order = shuffled_order(len(labels), self.run.seed, 0)[:images]
        size = min(self.run.batch_size, len(order))
        for start in range(0, len(order) - size + 1, size):
            chosen = order[start : start + size]
            yield float_pixels(stored[chosen], self._input_scale)

    def validation_accuracy(self) -> float:
        """Return the share of the validation images that are classified right."""
        right = 0
        with torch.inference_mode():
            for pixels, labels in self.val_dataloader():
                right += int((values_of(self.model(pixels)).argmax(1) == labels).sum())
        return right / len(self.validation_images[1])

    def val_dataloader(self) -> Batches:
        """Return the validation images."""
        return Batches(
            *self.validation_images,
            size=1000,
            device=self.device,
            prepare=lambda images, _: float_pixels(images, self._input_scale),
        )

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Return the optimizer and the schedule of its learning rate, step by step."""
        training = self.run.recipe.training
        epoch_steps = len(self.train_dataloader())
        # short trials have steps where the run itself has none
        steps = max(1, self.run.epochs) * epoch_steps
        optimizer = optimizer_of(training, self.model.parameters(), self.run.lr)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: rate(training, step, steps, epoch_steps)
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step", "frequency": 1},
        }

    def on_fit_start(self) -> None:
        """Have the teacher where the model is."""
        if self._teacher is not None:
            self._teacher.model.to(self.device)

    def on_train_batch_start(self, _batch: Pair, number: int) -> None:
        """Seed what is drawn in this step (dropout): whatever went before, it is the same."""
        seed = step_seed(self.run.seed, self.current_epoch, self._place(number))
        seed_drawing(seed, self.device)

    def _place(self, batch: int) -> int:
        """Return a number of its own for what this process does of a batch."""
        return batch * world(self.run.recipe) + self.global_rank

    def training_step(self, batch: Pair, _number: int) -> torch.Tensor:
        """Return the loss of a batch."""
        pixels, labels = batch
        smoothing, teacher = self.run.recipe.training.label_smoothing, self._teacher
        if teacher is None:
            logits = self._fused(pixels)
            loss = cross_entropy(logits, labels, label_smoothing=smoothing)
        else:
            with teacher.watching(self.model) as seen:
                logits = self._fused(pixels)
            loss = cross_entropy(logits, labels, label_smoothing=smoothing)
            loss = teacher.loss(loss, pixels, logits, seen)
        self._loss.update(loss.detach())
        return loss

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 (Lightning's)
        """Take a step, and clip the weights that it has moved."""
        super().optimizer_step(*args, **kwargs)
        with torch.no_grad():
            for weight, bound in self._clipped:
                weight.clamp_(-bound, bound)

    def validation_step(self, batch: Pair, _number: int) -> None:
        """Count the validation images of a batch that are classified right."""
        pixels, labels = batch
        self._accuracy.update(self.model(pixels), labels)

    def on_validation_epoch_end(self) -> None:
        """Report the epoch."""
        loss, accuracy = float(self._loss.compute()), float(self._accuracy.compute())
        if not isfinite(loss):
            raise TrainingError(
                f"the loss of epoch {self.current_epoch + 1} is {loss}: try a lower training.lr, or"
                " a training.gradient_clip"
            )
        self.history.append(EpochReport(self.current_epoch, loss, accuracy))
        self._loss.reset()
        self._accuracy.reset()

    def described_run(self) -> dict[str, Any]:
        """Return what the run is, as its checkpoints have it."""
        return {
            "recipe": print_recipe(self.run.recipe),
            "dataset": self.run.dataset,
            "images": self.run.images,
            "teacher": self.run.teacher,
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what the run is and how far it has come: plain numbers, strings and tensors."""
        checkpoint["lutloom_run"] = self.described_run()
        checkpoint["lutloom_history"] = [asdict(report) for report in self.history]
        # the mean so far, as sum and weight of each process
        loss = torch.stack((self._loss.mean_value, self._loss.weight))
        losses = [loss]
        if self.trainer.world_size > 1:
            losses = [torch.empty_like(loss) for _ in range(self.trainer.world_size)]
            torch.distributed.all_gather(losses, loss)
        checkpoint["lutloom_loss"] = torch.stack(losses).cpu()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take over how far the run has come."""
        self.history = [EpochReport(**report) for report in checkpoint["lutloom_history"]]
        self._interrupted, self._batches = len(self.history), checkpoint[BATCHES]
        total, weight = checkpoint["lutloom_loss"][self.global_rank].to(self.device)
        self._loss.mean_value, self._loss.weight = total, weight


def best_epoch(history: list[EpochReport]) -> int:
    """Return the place of the report with the highest accuracy, of equal ones the latest."""
    return max(range(len(history)), key=lambda place: (history[place].accuracy, place))
