"""How a classifier is trained: loss, optimizer, schedule, clipping, accuracy.

Cross-entropy; Adam; the learning rate rises over the first twentieth of the steps and falls along
a cosine to zero; after each step the float weights are clipped to [-1, 1], the range in which
they can change what their quantizer gives.
"""

from __future__ import annotations

from dataclasses import asdict
from math import cos, pi
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
    epoch_seed,
    float_pixels,
    shuffled_order,
)
from lutloom.qat.quantizers import quantized_weights
from lutloom.qat.settings import EpochReport, TrainSettings

if TYPE_CHECKING:
    from fractions import Fraction

    from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig

    Pair = tuple[torch.Tensor, torch.Tensor]

_WARM_UP = 0.05


class Classifier(pl.LightningModule):
    """A model with the way it is trained; ``history`` has a report of each finished epoch.

    ``training`` and ``validation`` are images as bytes and labels; a model takes
    ``input_scale * byte``.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        settings: TrainSettings,
        training: Pair,
        validation: Pair,
        classes: int,
        input_scale: Fraction,
    ) -> None:
        super().__init__()
        self.model = model
        self.settings = settings
        self.history: list[EpochReport] = []
        # looked up once: walking the modules takes as long as a small net's forward pass
        self._clipped = quantized_weights(model)
        self._training = training
        self._validation = validation
        self._input_scale = input_scale
        self._augmentation = parse_augmentation(settings.augmentation)
        self._loss = MeanMetric()
        self._accuracy = MulticlassAccuracy(classes, average="micro")

    def train_dataloader(self) -> Batches:
        """Return the batches of the coming epoch; Lightning asks anew for each."""
        images, labels = self._training
        epoch = self.current_epoch
        order = shuffled_order(len(labels), self.settings.seed, epoch)

        def prepare(chosen: torch.Tensor, batch: int) -> torch.Tensor:
            seed = batch_seed(self.settings.seed, epoch, batch)
            generator = torch.Generator().manual_seed(seed)
            return float_pixels(augment(chosen, self._augmentation, generator), self._input_scale)

        size = self.settings.batch_size
        return Batches(images, labels, size, order, full=True, prepare=prepare)

    def val_dataloader(self) -> Batches:
        """Return the validation images."""
        return Batches(
            *self._validation,
            size=1000,
            prepare=lambda images, _: float_pixels(images, self._input_scale),
        )

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Return Adam and the schedule of its learning rate, step by step."""
        steps = self.settings.epochs * len(self.train_dataloader())
        optimizer = torch.optim.Adam(self.model.parameters(), lr=self.settings.lr, fused=True)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, steps))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step", "frequency": 1},
        }

    def on_train_epoch_start(self) -> None:
        """Seed what is drawn in this epoch (dropout)."""
        torch.manual_seed(epoch_seed(self.settings.seed, self.current_epoch))

    def training_step(self, batch: Pair, _number: int) -> torch.Tensor:
        """Return the loss of a batch."""
        pixels, labels = batch
        loss = cross_entropy(self.model(pixels), labels)
        self._loss.update(loss.detach())
        return loss

    def on_train_batch_end(self, *_ignored: object) -> None:
        """Clip the weights that the step has moved."""
        with torch.no_grad():
            for weight in self._clipped:
                weight.clamp_(-1.0, 1.0)

    def validation_step(self, batch: Pair, _number: int) -> None:
        """Count the validation images of a batch that are classified right."""
        pixels, labels = batch
        self._accuracy.update(self.model(pixels), labels)

    def on_validation_epoch_end(self) -> None:
        """Report the epoch."""
        loss, accuracy = float(self._loss.compute()), float(self._accuracy.compute())
        self.history.append(EpochReport(self.current_epoch, loss, accuracy))
        self._loss.reset()
        self._accuracy.reset()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the settings and the history: plain numbers and strings."""
        checkpoint["lutloom_settings"] = asdict(self.settings)
        checkpoint["lutloom_history"] = [asdict(report) for report in self.history]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the history over."""
        self.history = [EpochReport(**report) for report in checkpoint["lutloom_history"]]


def rate(step: int, steps: int) -> float:
    """Return the learning rate at a step of ``steps``, as a share of the highest."""
    warm_up = max(1, int(_WARM_UP * steps))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + cos(pi * (step - warm_up) / max(1, steps - warm_up)))


def best_epoch(history: list[EpochReport]) -> int:
    """Return the place of the report with the highest accuracy, of equal ones the latest."""
    return max(range(len(history)), key=lambda place: (history[place].accuracy, place))
