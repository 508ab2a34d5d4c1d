"""Data sets in memory: images as the bytes that a camera or a file gives, and their labels.

What a model is trained on is ``input_scale * byte``; the bytes themselves are what the hardware
takes, so they are what is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lutloom.qat.errors import DataError
from lutloom.qat.idx import find_idx, read_idx

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIGITS = "digits"
# of scikit-learn's digits, one in five of each class is a test image
_TEST_PERIOD = 5


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
        scale = self.input_scale
        # one division of exact integers: rounded once
        products = images.astype(np.float64) * scale.numerator
        return (products / scale.denominator).astype(np.float32)


def load_dataset(source: str | Path) -> Dataset:
    """Return the data set ``"digits"`` or the one in a folder of IDX files.

    Raises :class:`DataError` if it is missing or damaged.
    """
    if str(source) == DIGITS:
        return load_digits()
    folder = Path(source)
    if not folder.is_dir():
        raise DataError(
            f"there is no data set {str(source)!r}: use {DIGITS!r} (which needs no files) "
            "or a folder with the four IDX files of MNIST"
        )
    return load_idx_folder(folder)


def load_digits() -> Dataset:
    """Return the 1,797 digits of 8 x 8 pixels in 0 to 16 that scikit-learn ships.

    Of each class, every fifth image in scikit-learn's order is a test image: no random number
    generator decides, so the split is the same everywhere and for ever.
    """
    from sklearn import datasets

    bunch = datasets.load_digits()
    images = np.asarray(bunch.images).astype(np.uint8)[:, None]
    labels = np.asarray(bunch.target).astype(np.uint8)
    is_test = np.zeros(len(labels), dtype=np.bool_)
    for digit in range(10):
        is_test[np.flatnonzero(labels == digit)[::_TEST_PERIOD]] = True
    return Dataset(
        name=DIGITS,
        train_x=_frozen(images[~is_test]),
        train_y=_frozen(labels[~is_test]),
        test_x=_frozen(images[is_test]),
        test_y=_frozen(labels[is_test]),
        classes=10,
        input_scale=Fraction(1, 16),
    )


def load_idx_folder(folder: Path) -> Dataset:
    """Return the data set whose four files lie in ``folder`` under the names of MNIST.

    ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte`` and
    ``t10k-labels-idx1-ubyte``, each plain or with the ending ``.gz``. Raises :class:`DataError` if
    one is missing or damaged, or if they don't belong together.
    """
    train_x, train_y = _read_part(folder, "train")
    test_x, test_y = _read_part(folder, "t10k")
    if train_x.shape[1:] != test_x.shape[1:]:
        raise DataError(
            f"{folder}: images to train with have {_size(train_x)} pixels and those to test "
            f"{_size(test_x)}: the files belong to different data sets"
        )
    classes = int(train_y.max()) + 1
    if int(test_y.max()) >= classes:
        raise DataError(
            f"{folder}: label {int(test_y.max())} is tested, but the largest label to train with "
            f"is {classes - 1}: the files belong to different data sets"
        )
    return Dataset(
        name=folder.resolve().name,
        train_x=train_x,
        train_y=train_y,
        test_x=test_x,
        test_y=test_y,
        classes=classes,
        input_scale=Fraction(1, 255),
    )


def _read_part(folder: Path, part: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    image_path = find_idx(folder, f"{part}-images-idx3-ubyte")
    label_path = find_idx(folder, f"{part}-labels-idx1-ubyte")
    images, labels = read_idx(image_path, 3), read_idx(label_path, 1)
    if len(images) != len(labels):
        raise DataError(
            f"{image_path.name} holds {len(images)} images, but {label_path.name} "
            f"{len(labels)} labels: the files don't belong together"
        )
    if images.size == 0:
        raise DataError(f"{image_path} holds no pixels: fetch the file again")
    return images[:, None], labels


def _size(images: NDArray[np.uint8]) -> str:
    return " x ".join(map(str, images.shape[2:]))


def _frozen(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    array = np.ascontiguousarray(array)
    array.setflags(write=False)
    return array
