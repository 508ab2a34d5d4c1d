"""Images as the bytes that a camera or a file gives, and their labels.

What a model is trained on is ``input_scale * byte``; the bytes themselves are what the hardware
takes, so they are what is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from lutloom.qat.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

MOST_CLASSES = 256
_WHITE = 255


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Images (N, C, H, W) and labels (N,), all uint8, in a part to train with and one to test.

    ``input_scale * byte`` is the pixel in [0, 1] that a model takes; labels are 0 to
    ``classes - 1``.
    """

    name: str
    train_x: NDArray[np.uint8]
    train_y: NDArray[np.uint8]
    test_x: NDArray[np.uint8]
    test_y: NDArray[np.uint8]
    classes: int
    input_scale: Fraction

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape (C, H, W) of one image."""
        return self.train_x.shape[1:]

    def pixels(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the float pixels of images: the float32 nearest to ``input_scale * byte``."""
        # one division of exact integers: rounded once
        products = np.arange(256, dtype=np.float64) * self.input_scale.numerator
        table = (products / self.input_scale.denominator).astype(np.float32)
        return table[images]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The images (N, C, H, W) to train with or to test, their labels (N,), and where both are."""

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    images_from: str
    labels_from: str


def assemble(
    where: Path,
    train: Part,
    test: Part,
    *,
    name: str | None = None,
    classes: int | None = None,
) -> Dataset:
    """Return the data set that two parts make, of pixels ``byte / 255``.

    It is called as the file or folder ``where`` unless it has a ``name``, and has as many
    ``classes`` as there are labels to train with unless that is given. Raises :class:`DataError`
    if the parts don't belong together.
    """
    for part in (train, test):
        if len(part.images) != len(part.labels):
            raise DataError(
                f"{part.images_from} holds {len(part.images)} images, but {part.labels_from} "
                f"{len(part.labels)} labels: they don't belong together"
            )
        if part.images.size == 0:
            raise DataError(f"{part.images_from} holds no pixels: fetch the file again")
    if train.images.shape[1:] != test.images.shape[1:]:
        raise DataError(
            f"{where}: images to train with have {_size(train)} pixels and those to test "
            f"{_size(test)}: they are of different data sets"
        )
    classes = classes or int(train.labels.max()) + 1
    if classes < 2:
        raise DataError(f"{where} has images of one class only: two at least are to be told apart")
    for part, verb in ((train, "trained"), (test, "tested")):
        if int(part.labels.max()) >= classes:
            raise DataError(
                f"{where}: label {int(part.labels.max())} is {verb}, but the largest label to "
                f"train with is {classes - 1}: they are of different data sets"
            )
    return Dataset(
        name=name or where.resolve().name,
        train_x=frozen(train.images),
        train_y=frozen(train.labels),
        test_x=frozen(test.images),
        test_y=frozen(test.labels),
        classes=classes,
        input_scale=Fraction(1, _WHITE),
    )


def frozen(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an array in C order that nobody writes to."""
    array = np.ascontiguousarray(array)
    array.setflags(write=False)
    return array


def _size(part: Part) -> str:
    return " x ".join(map(str, part.images.shape[1:]))
