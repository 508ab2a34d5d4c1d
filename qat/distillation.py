"""Distillation: a trained model, the teacher, says more of an image than its label.

With logits z of the model and t of the teacher, a weight w and a temperature T the loss is

    (1 - w) cross_entropy(z, label) + w T^2 KL(softmax(t / T) || softmax(z / T))

(Hinton, Vinyals and Dean, Distilling the Knowledge in a Neural Network, 2015; T^2 keeps the
gradients of the second part as large as those of the first). With outputs A of a layer of the
model and B of one of the teacher, a row for each of N images, there may be added

    g / N^2 ||rows(A A^T) - rows(B B^T)||^2

with g the weight of features, of several layers their mean, and rows of length one: what the
teacher finds alike, the model is to find alike (Tung and Mori, Similarity-Preserving Knowledge
Distillation, ICCV 2019, where g is 3000). The shapes of A and B may differ, so that nothing has to
be learned in between.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import kl_div, log_softmax, normalize

from lutloom.qat.checkpoint import BEST, CHECKPOINTS
from lutloom.qat.errors import TrainingError
from lutloom.qat.recipe_rules import RecipeError
from lutloom.qat.run import values_of
from lutloom.qat.trained import load_trained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from torch import nn

    from lutloom.qat.data import Dataset
    from lutloom.qat.recipe import DistillationSection

    Seen = dict[str, torch.Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Teacher:
    """A trained model that is only asked, and what it counts; ``digest`` is its file's.

    ``features`` are pairs of a layer of the model that learns and one of the teacher.
    """

    model: nn.Module
    weight: float
    temperature: float
    digest: str
    features: tuple[tuple[str, str], ...] = ()
    feature_weight: float = 0.0

    @contextmanager
    def watching(self, model: nn.Module) -> Iterator[Seen]:
        """Note what layers of ``model`` give, for :meth:`loss`."""
        with _outputs(model, [name for name, _ in self.features]) as seen:
            yield seen

    def loss(
        self, of_labels: torch.Tensor, pixels: torch.Tensor, logits: torch.Tensor, seen: Seen
    ) -> torch.Tensor:
        """Return the whole loss of a batch, of which its labels have said their part."""
        names = [name for _, name in self.features]
        with torch.no_grad(), _outputs(self.model, names) as wanted:
            opinion = values_of(self.model(pixels))
        of_opinion = divergence(values_of(logits), opinion, self.temperature)
        loss = (1 - self.weight) * of_labels + self.weight * of_opinion
        for own, name in self.features:
            part = unlikeness(seen[own], wanted[name])
            loss = loss + self.feature_weight / len(self.features) * part
        return loss


def divergence(logits: torch.Tensor, wanted: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return how far logits (N, classes) are from those that are wanted, times T^2."""
    soft = log_softmax(logits / temperature, dim=1)
    target = log_softmax(wanted / temperature, dim=1)
    return kl_div(soft, target, log_target=True, reduction="batchmean") * temperature**2


def unlikeness(features: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Return how differently features (N, ...) and others of any shape tell N images apart."""
    own, others = (
        normalize(rows @ rows.T, dim=1)
        for rows in (features.float().flatten(1), wanted.float().flatten(1))
    )
    return (own - others).square().mean()


@contextmanager
def _outputs(model: nn.Module, names: Iterable[str]) -> Iterator[Seen]:
    """Note the outputs of layers; of one that is used several times, the last."""
    seen: Seen = {}

    def note(name: str) -> Callable[[nn.Module, object, object], None]:
        def keep(_module: nn.Module, _inputs: object, output: object) -> None:
            seen[name] = values_of(output)

        return keep

    hooks = [model.get_submodule(name).register_forward_hook(note(name)) for name in names]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def load_teacher(section: DistillationSection, dataset: Dataset, model: nn.Module) -> Teacher:
    """Return the teacher of a recipe for ``model`` and the images of ``dataset``.

    Raises :class:`TrainingError` if there is none, or one for other images or classes, or if one
    of both has no layer that the recipe names.
    """
    place = Path(section.teacher)
    path = place / CHECKPOINTS / BEST if place.is_dir() else place
    try:
        teacher = load_trained(path, dataset)
    except RuntimeError as error:
        raise TrainingError(
            f"the teacher {path} was trained for other images or classes than those of"
            f" {dataset.name}"
        ) from error
    # Brevitas shares modules between models: a mode of ours would be the teacher's too
    teacher = deepcopy(teacher).eval().requires_grad_(requires_grad=False)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    features = tuple(_pair(name) for name in section.features)
    for own, name in features:
        _check_layer(model, own, "the model")
        _check_layer(teacher, name, "the teacher")
    return Teacher(
        teacher, section.weight, section.temperature, digest, features, section.feature_weight
    )


def _pair(name: str) -> tuple[str, str]:
    """Return the names of a layer in the model and in the teacher."""
    own, colon, other = (part.strip() for part in name.partition(":"))
    return own, other if colon else own


def _check_layer(model: nn.Module, name: str, whose: str) -> None:
    names = [path for path, _ in model.named_modules(remove_duplicate=False) if path]
    if name not in names:
        close = get_close_matches(name, names, n=3) or names[:3]
        raise RecipeError(
            f"distillation.features names {name!r}, a layer that {whose} has not: use names of its"
            f" modules, such as {', '.join(close)}",
            "distillation.features",
        )
