"""A data set as image files: ``train/CLASS/*.png`` and ``test/CLASS/*.png``."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lutloom.core.errors import DataFileError
from lutloom.core.images import (
    COLOUR,
    GREY,
    ImageForm,
    ImageList,
    is_grey,
    list_images,
    opened_image,
    read_image,
)
from lutloom.qat.data.dataset import MOST_CLASSES, Dataset, Part, assemble
from lutloom.qat.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

PARTS = ("train", "test")
# Images that wait for a decoder at a time.
_BLOCK = 1024


def load_image_folder(folder: Path) -> Dataset:
    """Return the data set of the images below ``folder``, all of the size of the first.

    In ``train`` and in ``test`` is a folder for each class: in natural order from 0 on, or as
    they are numbered if all names are numbers. If the first image is grey, all are.

    Raises :class:`DataError` for an image that is damaged or of another form, for classes that are
    not in both parts, and without Pillow.
    """
    if find_spec("PIL") is None:
        raise DataError(
            f"{folder} holds images, which Pillow reads: run pip install 'lutloom[images]'"
        )
    try:
        train, test = (list_images(folder / part) for part in PARTS)
        _check_classes(train, test)
        form = _form(train.first)
        return assemble(folder, _part(train, form), _part(test, form))
    except DataFileError as error:
        raise DataError(str(error)) from error


def _check_classes(train: ImageList, test: ImageList) -> None:
    for part in (train, test):
        if part.classes is None:
            raise DataError(
                f"{part.folder} holds images itself: put each into a folder of its class"
            )
        if max(part.classes) >= MOST_CLASSES:
            raise DataError(
                f"{part.folder} has the class {max(part.classes)}: classes are 0 to "
                f"{MOST_CLASSES - 1}"
            )
    for one, other in ((train, test), (test, train)):
        alone = _class_names(one) - _class_names(other)
        if alone:
            raise DataError(
                f"{one.folder} has the class {min(alone)}, and {other.folder} has not: put images "
                "of every class into both"
            )


def _class_names(part: ImageList) -> set[str]:
    assert part.classes is not None
    return set(part.class_names) or set(map(str, part.classes))


def _form(first: Path) -> ImageForm:
    with opened_image(first) as image:
        width, height = image.size
        channels = GREY if is_grey(image) else COLOUR
    return ImageForm(
        height, width, channels, f"the first image, {first}, has", "make all images alike"
    )


def _part(part: ImageList, form: ImageForm) -> Part:
    assert part.classes is not None
    where = str(part.folder)
    return Part(_read(part, form), np.array(part.classes, np.uint8), where, where)


def _read(part: ImageList, form: ImageForm) -> NDArray[np.uint8]:
    """Return all images (N, C, H, W)."""
    images = np.empty((len(part.names), form.channels, form.height, form.width), np.uint8)

    def read(number: int) -> None:
        image = read_image(part.folder / part.names[number], form)
        images[number] = image.transpose(2, 0, 1)

    # Decoders leave the interpreter to others.
    with ThreadPoolExecutor() as pool:
        for first in range(0, len(images), _BLOCK):
            for _ in pool.map(read, range(first, min(first + _BLOCK, len(images)))):
                pass
    return images
