"""Distillation: a trained model, the teacher, says more of an image than its label.

With logits z of the model and t of the teacher, a weight w and a temperature T the loss is

    (1 - w) cross_entropy(z, label) + w T^2 KL(softmax(t / T) || softmax(z / T))

(Hinton, Vinyals and Dean, Distilling the Knowledge in a Neural Network, 2015; T^2 keeps the
gradients of the second part as large as those of the first).
"""

from __future__ import annotations

import hashlib
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import kl_div, log_softmax

from lutloom.qat.checkpoint import BEST, CHECKPOINTS
from lutloom.qat.errors import TrainingError
from lutloom.qat.run import values_of
from lutloom.qat.trained import load_trained

if TYPE_CHECKING:
    from torch import nn

    from lutloom.qat.data import Dataset
    from lutloom.qat.recipe import DistillationSection


@dataclass(frozen=True, slots=True, eq=False)
class Teacher:
    """A trained model that is only asked, and what its logits count; ``digest`` is its file's."""

    model: nn.Module
    weight: float
    temperature: float
    digest: str

    def loss(self, pixels: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        """Return the second part of the loss of a batch, without its weight."""
        with torch.no_grad():
            wanted = values_of(self.model(pixels))
        soft = log_softmax(values_of(logits) / self.temperature, dim=1)
        target = log_softmax(wanted / self.temperature, dim=1)
        divergence = kl_div(soft, target, log_target=True, reduction="batchmean")
        return divergence * self.temperature**2


def load_teacher(section: DistillationSection, dataset: Dataset) -> Teacher:
    """Return the teacher of a recipe, for the images of ``dataset``.

    Raises :class:`TrainingError` if there is none, or one for other images or classes.
    """
    place = Path(section.teacher)
    path = place / CHECKPOINTS / BEST if place.is_dir() else place
    try:
        model = load_trained(path, dataset)
    except RuntimeError as error:
        raise TrainingError(
            f"the teacher {path} was trained for other images or classes than those of"
            f" {dataset.name}"
        ) from error
    # Brevitas shares modules between models: a mode of ours would be the teacher's too
    model = deepcopy(model).eval().requires_grad_(requires_grad=False)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Teacher(model, section.weight, section.temperature, digest)
