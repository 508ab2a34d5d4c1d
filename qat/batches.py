"""Batches of a data set that lies in memory: no workers, no copies of single images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, eq=False)
class Batches:
    """Pixels (N, C, H, W) float32 and labels (N,) int64, ``size`` at a time.

    ``order`` is the sequence of images (a permutation of N), None the stored one. ``full`` leaves
    out an incomplete batch at the end, which a batch norm would be misled by.
    """

    pixels: torch.Tensor
    labels: torch.Tensor
    size: int
    order: torch.Tensor | None = None
    full: bool = False

    def __len__(self) -> int:
        images = len(self.labels)
        return images // self.size if self.full else -(-images // self.size)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for number in range(len(self)):
            chosen = slice(number * self.size, (number + 1) * self.size)
            if self.order is None:
                yield self.pixels[chosen], self.labels[chosen]
            else:
                index = self.order[chosen]
                yield self.pixels[index], self.labels[index]


def shuffled_order(images: int, seed: int, epoch: int) -> torch.Tensor:
    """Return the order of the images in an epoch: a function of the seed and the epoch alone."""
    generator = torch.Generator().manual_seed(epoch_seed(seed, epoch))
    return torch.randperm(images, generator=generator)


def epoch_seed(seed: int, epoch: int) -> int:
    """Return the seed of everything that is drawn in an epoch.

    It depends on nothing that happened before, so a resumed run draws what an undisturbed one
    does without saving a generator's state.
    """
    return (seed * 1_000_003 + epoch) % 2**63
