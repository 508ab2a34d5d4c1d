"""What decides the result of a training run, and what a run reports of each epoch."""

from __future__ import annotations

from dataclasses import dataclass

# Below this many images an epoch has so few steps that more epochs and smaller batches are due.
_MANY_IMAGES = 10_000


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """The settings of a run: with the data, they decide every bit of its weights.

    ``model`` is a registered name, ``dataset`` the name of a data set; ``lr`` the highest learning
    rate; ``threads`` the threads of torch, since sums are split between them; ``augmentation`` what
    :func:`~lutloom.qat.augmentation.parse_augmentation` takes.
    """

    model: str
    dataset: str
    images: int
    epochs: int
    batch_size: int
    lr: float
    seed: int
    threads: int
    augmentation: str


@dataclass(frozen=True, slots=True)
class EpochReport:
    """How an epoch went: number from 0, mean training loss, share of validation images right."""

    epoch: int
    loss: float
    accuracy: float


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
