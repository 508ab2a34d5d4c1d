"""Random variations of the images to train with, a batch of bytes at a time.

* crop by p: zeros are put around an image, p at each edge, and an image of its size is cut out
* shift by s: an image is moved by up to s pixels each way, and its edges are repeated
* rotate by r, zoom by z, shear by s: an image is turned by up to r degrees each way, is up to z
  percent wider or narrower, and taller or shorter, and slanted by up to s degrees
* flip: of all images, half are mirrored left to right

All are gathers of whole batches, on whatever device these lie. What is drawn comes from a generator
of the CPU: the same seed gives the same images on every device.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import pad

from lutloom.qat.errors import TrainingError
from lutloom.qat.warping import random_warp

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How images are varied, 0 for not at all.

    ``crop`` and ``shift`` are pixels, ``rotate`` and ``shear`` degrees, ``zoom`` percent.
    """

    crop: int = 0
    shift: int = 0
    rotate: int = 0
    zoom: int = 0
    shear: int = 0
    flip: bool = False

    def __str__(self) -> str:
        sizes = [f"{name}={getattr(self, name)}" for name in _UNITS if getattr(self, name)]
        return ",".join([*sizes, _FLIP] if self.flip else sizes)

    def check(self, shape: Sequence[int]) -> None:
        """Raise :class:`TrainingError` if images of a shape (C, H, W) can't be varied so."""
        for name in _PIXELS:
            if getattr(self, name) >= min(shape[1:]):
                raise TrainingError(
                    f"{name}={getattr(self, name)} may leave nothing of images of "
                    f"{' x '.join(map(str, shape[1:]))} pixels: use less"
                )


_PIXELS = ("crop", "shift")
_UNITS = {
    "crop": "PIXELS",
    "shift": "PIXELS",
    "rotate": "DEGREES",
    "zoom": "PERCENT",
    "shear": "DEGREES",
}
_MOST = {"rotate": 180, "zoom": 90, "shear": 60}
_FLIP = "flip"


def parse_augmentation(text: str) -> Augmentation:
    """Return what a setting says: ``crop=4,shift=2,rotate=10,flip``, say; nothing is ``""``.

    Raises :class:`TrainingError` for anything else.
    """
    found: dict[str, int] = {}
    for word in text.split(",") if text else ():
        name, sign, size = word.strip().partition("=")
        is_size = name in _UNITS and size.isascii() and size.isdecimal() and int(size) > 0
        is_flip = name == _FLIP and not sign
        if name in found or not (is_size or is_flip):
            sizes = ", ".join(f"{name}={unit}" for name, unit in _UNITS.items())
            raise TrainingError(
                f"the augmentation is {text!r}: use {sizes} and flip, each once and separated by"
                " commas"
            )
        if is_size and int(size) > _MOST.get(name, int(size)):
            most = f"{_MOST[name]} {_UNITS[name].lower()}"
            raise TrainingError(f"the augmentation is {text!r}: {name} is at most {most}")
        found[name] = 1 if is_flip else int(size)
    given = {name: found[name] for name in _UNITS if name in found}
    return Augmentation(**given, flip=_FLIP in found)


def augment(images: torch.Tensor, how: Augmentation, generator: torch.Generator) -> torch.Tensor:
    """Return images (N, C, H, W) of any type, of whole numbers, each varied in its own way."""
    if how.crop:
        images = random_crop(images, how.crop, generator)
    if how.shift:
        images = random_shift(images, how.shift, generator)
    if how.rotate or how.zoom or how.shear:
        images = random_warp(images, how.rotate, how.zoom, how.shear, generator)
    if how.flip:
        images = random_flip(images, generator)
    return images


def random_crop(images: torch.Tensor, padding: int, generator: torch.Generator) -> torch.Tensor:
    """Return crops of their own size of images (N, C, H, W) with ``padding`` zeros around them."""
    number = len(images)
    offsets = torch.randint(0, 2 * padding + 1, (2, number, 1), generator=generator)
    rows, columns = _places(offsets, images)
    return _gather(pad(images, 4 * [padding]), rows, columns)


def random_shift(images: torch.Tensor, most: int, generator: torch.Generator) -> torch.Tensor:
    """Return images (N, C, H, W) moved by up to ``most`` pixels, with their edges repeated."""
    number, _, height, width = images.shape
    offsets = torch.randint(-most, most + 1, (2, number, 1), generator=generator)
    rows, columns = _places(offsets, images)
    return _gather(images, rows.clamp(0, height - 1), columns.clamp(0, width - 1))


def random_flip(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return images (N, C, H, W), about half of which are mirrored left to right."""
    is_mirrored = torch.randint(0, 2, (len(images), 1, 1, 1), generator=generator) == 1
    return torch.where(is_mirrored.to(images.device), images.flip(-1), images)


def _places(offsets: torch.Tensor, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the rows (N, H) and columns (N, W) that start at ``offsets`` (2, N, 1)."""
    # the few numbers that are drawn move to the images, not the many places
    starts = offsets.to(images.device)
    height, width = (torch.arange(size, device=images.device) for size in images.shape[2:])
    return starts[0] + height, starts[1] + width


def _gather(images: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Return ``y[n, c, i, j] = images[n, c, rows[n, i], columns[n, j]]``."""
    number, channels, _, width = images.shape
    places = (rows[:, :, None] * width + columns[:, None, :]).flatten(1)
    places = places[:, None].expand(-1, channels, -1)
    taken = images.flatten(2).gather(2, places)
    return taken.view(number, channels, rows.shape[1], columns.shape[1])
