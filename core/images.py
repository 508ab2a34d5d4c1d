"""Image files as bytes, and folders of them: sub-folders, if there are any, are the classes.

Images are taken as they are: nothing is resized, cropped or turned, since no two libraries do that
alike.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lutloom.core.errors import DataFileError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

SUFFIXES = frozenset(".bmp .gif .jpeg .jpg .pgm .png .ppm .tif .tiff .webp".split())
GREY, COLOUR = 1, 3
_OPAQUE = 255
_MODES = frozenset("1 L P RGB CMYK YCbCr LA PA RGBA".split())


@dataclass(frozen=True, slots=True)
class ImageList:
    """The images below ``folder`` in natural order: ``names`` are their paths from there.

    ``classes`` has the class of each, and is None where the folder holds images itself.
    ``class_names`` are what the classes from 0 on are called, unless their names are numbers.
    """

    folder: Path
    names: tuple[str, ...]
    classes: tuple[int, ...] | None = None
    class_names: tuple[str, ...] = ()

    @property
    def first(self) -> Path:
        """The path of the first image."""
        return self.folder / self.names[0]


@dataclass(frozen=True, slots=True)
class ImageForm:
    """What images should be like: ``origin`` says what has this form, ``remedy`` what to do."""

    height: int
    width: int
    channels: int
    origin: str
    remedy: str


def list_images(folder: Path) -> ImageList:
    """Return the images in ``folder``, none of which is opened.

    Sub-folders are classes: in natural order, or as they are numbered if all names are numbers.
    What has another ending, or begins with a dot, is left out.

    Raises ``DataFileError`` where there are none, and for a class without any.
    """
    try:
        images, folders = _images_and_folders(folder)
        members = {name: _images_and_folders(folder / name)[0] for name in folders}
    except OSError as error:
        raise DataFileError(
            f"the folder {folder} can't be read ({error.strerror or error})"
        ) from error
    if images and any(members.values()):
        raise DataFileError(
            f"{folder} holds images beside folders of images: put each into the folder of its class"
        )
    if images or not members:
        if not images:
            known = ", ".join(sorted(SUFFIXES))
            raise DataFileError(f"{folder} holds no image: name a folder of files {known}")
        return ImageList(folder, tuple(images))
    _check_members(folder, members)
    numbers, class_names = _classes(folder, list(members))
    return ImageList(
        folder,
        tuple(f"{name}/{image}" for name, images in members.items() for image in images),
        tuple(
            number for number, images in zip(numbers, members.values(), strict=True) for _ in images
        ),
        class_names,
    )


def natural(name: str) -> tuple[list[str | int], str]:
    """Return what names are sorted by so that ``2.png`` comes before ``10.png``."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return [int(part) if index % 2 else part for index, part in enumerate(parts)], name


def _images_and_folders(folder: Path) -> tuple[list[str], list[str]]:
    """Return the names of the images and of the folders in ``folder``, in natural order."""
    images, folders = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith((".", "__")):
                continue
            if entry.is_dir():
                folders.append(entry.name)
            elif Path(entry.name).suffix.lower() in SUFFIXES:
                images.append(entry.name)
    return sorted(images, key=natural), sorted(folders, key=natural)


def _check_members(folder: Path, members: dict[str, list[str]]) -> None:
    for name, images in members.items():
        if not images:
            raise DataFileError(
                f"{folder / name} holds no image: every folder in {folder} is a class, with images"
                " in it"
            )


def _classes(folder: Path, names: list[str]) -> tuple[list[int], tuple[str, ...]]:
    """Return the classes of the folders ``names``, and what all classes are called."""
    if not all(re.fullmatch(r"[0-9]{1,9}", name) for name in names):
        return list(range(len(names))), tuple(names)
    numbers = [int(name) for name in names]
    if len(set(numbers)) < len(numbers):
        raise DataFileError(f"two folders in {folder} are one class: their names are equal numbers")
    return numbers, ()


@contextmanager
def opened_image(path: Path) -> Iterator[Image]:
    """Open the image in ``path``; make a ``DataFileError`` of what goes wrong with it."""
    from PIL.Image import open as open_image

    try:
        with open_image(path) as image:
            yield image
    except DataFileError:
        raise
    except Exception as error:  # decoders raise whatever their parts do
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataFileError(
            f"{path} can't be read as an image ({reason}): save it again, or take it out of the"
            " folder"
        ) from error


def is_grey(image: Image) -> bool:
    """Return whether an image has one channel, and none of transparency."""
    return image.mode in {"1", "L"} and not _has_alpha(image)


def read_image(path: Path, form: ImageForm) -> NDArray[np.uint8]:
    """Return the image in ``path`` as bytes ``[height, width, channels]``.

    A grey image does for three channels. Raises ``DataFileError`` for one of another form, and for
    a file that is damaged.
    """
    import numpy as np

    with opened_image(path) as image:
        if image.size != (form.width, form.height):
            width, height = image.size
            raise DataFileError(
                f"{path} has {width} x {height} pixels, but {form.origin} {form.width} x"
                f" {form.height}: {form.remedy}"
            )
        # Of 16 bits of a colour the decoder would drop half.
        if image.mode not in _MODES or ";16" in str(getattr(image, "tile", "")):
            raise DataFileError(
                f"{path} has pixels of another kind than bytes: save it with 8 bits for each"
                " channel"
            )
        if form.channels == GREY and is_grey(image):
            return np.asarray(image.convert("L"))[..., np.newaxis]
        colours = _opaque(path, image)
    if form.channels == COLOUR:
        return colours
    if (colours != colours[..., :1]).any():
        raise DataFileError(f"{path} is in colour, but {form.origin} one channel: {form.remedy}")
    return colours[..., :1]


def _opaque(path: Path, image: Image) -> NDArray[np.uint8]:
    """Return the red, green and blue of ``image``."""
    import numpy as np

    if not _has_alpha(image):
        return np.asarray(image.convert("RGB"))
    pixels = np.asarray(image.convert("RGBA"))
    if (pixels[..., 3] != _OPAQUE).any():
        raise DataFileError(f"{path} is transparent in places: save it without an alpha channel")
    return pixels[..., :3]


def _has_alpha(image: Image) -> bool:
    return image.mode in {"LA", "PA", "RGBA"} or "transparency" in image.info
