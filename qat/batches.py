"""Batches of a data set that lies in memory: no workers, no copies of single images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import torch

_CPU = torch.device("cpu")


def as_stored(images: torch.Tensor, batch: int) -> torch.Tensor:
    """Return images as they are."""
    del batch
    return images


@dataclass(frozen=True, slots=True, eq=False)
class Batches:
    """Images (N, C, H, W) and labels (N,), ``size`` at a time.

    What a model takes is ``prepare(images, number)`` of the batch of that number. ``order`` is the
    sequence of images (a permutation of N), None the stored one. ``full`` leaves out an incomplete
    batch at the end, which a batch norm would be misled by; ``first`` is the number of the batch to
    begin with. Of ``shards`` processes each takes a part of every batch, this one the part with the
    number ``shard``. Batches are put together and prepared on ``device``.
    """

    images: torch.Tensor
    labels: torch.Tensor
    size: int
    order: torch.Tensor | None = None
    full: bool = False
    first: int = 0
    shard: int = 0
    shards: int = 1
    device: torch.device = _CPU
    prepare: Callable[[torch.Tensor, int], torch.Tensor] = as_stored

    def __len__(self) -> int:
        images = len(self.labels)
        return images // self.size if self.full else -(-images // self.size)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        # all of them at once: bytes that a GPU has room for, so that no batch is waited for
        images, labels = self.images.to(self.device), self.labels.to(self.device)
        for number in range(self.first, len(self)):
            first, end = number * self.size, min((number + 1) * self.size, len(self.labels))
            chosen = slice(first + self.shard, end, self.shards)
            index = chosen if self.order is None else self.order[chosen]
            yield self.prepare(images[index], number), labels[index]


def float_pixels(images: torch.Tensor, scale: Fraction) -> torch.Tensor:
    """Return the float32 nearest to ``scale * byte``, as :meth:`Dataset.pixels` computes them.

    Numerator and denominator of ``scale`` are below 2^16, so that all integers here are exact.
    """
    assert max(scale.numerator, scale.denominator) < 2**16
    # Divided by a plain number, a GPU multiplies by its reciprocal, which is rounded twice.
    below = torch.full((), scale.denominator, dtype=torch.float32, device=images.device)
    return images.to(torch.float32).mul_(scale.numerator).div_(below)


def shuffled_order(images: int, seed: int, epoch: int) -> torch.Tensor:
    """Return the order of the images in an epoch: a function of the seed and the epoch alone."""
    generator = torch.Generator().manual_seed(epoch_seed(seed, epoch))
    return torch.randperm(images, generator=generator)


def batch_seed(seed: int, epoch: int, batch: int) -> int:
    """Return the seed of everything that is drawn for the images of a batch of an epoch."""
    return ((epoch_seed(seed, epoch) + 1) * 2_147_483_659 + batch) % 2**63


def step_seed(seed: int, epoch: int, batch: int) -> int:
    """Return the seed of what a model itself draws for a batch of an epoch."""
    return batch_seed(seed, epoch, batch) ^ 2**62


def epoch_seed(seed: int, epoch: int) -> int:
    """Return the seed of everything that is drawn in an epoch.

    It depends on nothing that happened before, so a resumed run draws what an undisturbed one
    does without saving a generator's state.
    """
    return (seed * 1_000_003 + epoch) % 2**63


def seed_drawing(seed: int, device: torch.device) -> None:
    """Seed what is drawn on ``device`` from now on, as ``torch.manual_seed`` does.

    That one asks after all kinds of devices each time, which takes a third of a small net's step.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
