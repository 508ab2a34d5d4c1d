"""A folder of images as a model's input: its sub-folders, if it has any, are the classes.

Images are taken as they are: nothing is resized, cropped or turned, since no two libraries do that
alike. Floats are made of bytes as PyTorch makes them (``ToTensor``, ``Normalize``), in float32.
"""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lutloom.extras import require
from lutloom.rows import DataFileError, Rows, ends
from lutloom.sim.toolchain import usable_cores

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from lutloom.core.ports import InputPort

SUFFIXES = frozenset(".bmp .gif .jpeg .jpg .pgm .png .ppm .tif .tiff .webp".split())
_GREY, _COLOUR = 1, 3
_OPAQUE = 255
_MODES = frozenset("1 L P RGB CMYK YCbCr LA PA RGBA".split())


@dataclass(frozen=True, slots=True)
class Pixels:
    """What floats stand for the bytes of an image: ``(byte * white / 255 - mean) / std``.

    ``mean`` and ``std`` are one number for each channel, or one for all. An input that holds the
    bytes themselves takes them as they are.
    """

    white: float = 1.0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def check(self, port: InputPort, channels: int) -> None:
        """Raise ``DataFileError`` unless this fits the images of ``port``."""
        if port.is_raw and self != Pixels():
            raise DataFileError(
                f"the model's input '{port.name}' holds the bytes of images as they are: leave"
                " white, mean and std out"
            )
        for what, numbers in (("mean", self.mean), ("std", self.std)):
            if len(numbers) not in {0, 1, channels}:
                raise DataFileError(
                    f"{what} has {len(numbers)} numbers, and the images have {channels} channels:"
                    " give one for each"
                )
        if not self.white > 0 or not all(number > 0 for number in self.std):
            raise DataFileError("white and std should be positive: every number is divided by std")

    @property
    def are_bytes(self) -> bool:
        """Whether the floats are the bytes themselves."""
        return self.white == _OPAQUE and not self.mean and not self.std

    def floats(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the numbers of ``image [height, width, channels]``, operation by operation as
        PyTorch computes them.
        """
        import numpy as np

        numbers = image.astype(np.float32)
        if self.white != _OPAQUE:
            numbers /= np.float32(_OPAQUE / self.white)
        if self.mean:
            numbers -= np.array(self.mean, np.float32)
        if self.std:
            numbers /= np.array(self.std, np.float32)
        return numbers


def numbers(option: str, text: str | None) -> tuple[float, ...]:
    """Return the numbers that ``option`` lists: ``0.485,0.456,0.406``.

    Raises ``DataFileError`` for anything else.
    """
    try:
        return tuple(float(number) for number in text.split(",")) if text else ()
    except ValueError as error:
        raise DataFileError(
            f"--{option} is '{text}': give a number, or one for each channel, as 0.4,0.5,0.4"
        ) from error


@dataclass(frozen=True, eq=False)
class ImageFolder:
    """The images of a folder, and their classes if it has sub-folders."""

    rows: Rows
    labels: NDArray[np.int64] | None
    class_names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Layout:
    """How one image lies in a model's input; the size of a flat one is that of its first image."""

    shape: tuple[int, ...]
    height: int
    width: int
    channels: int
    is_channels_first: bool


def open_folder(
    path: Path, port: InputPort, pixels: Pixels, threads: int | None = None
) -> ImageFolder:
    """Return the images in ``path``, in natural order, none of which but the first is read yet.

    Sub-folders are classes: in natural order, or as they are numbered if all names are numbers.
    ``threads`` read images at the same time.

    Raises ``DataFileError`` where there are none, or not of the form that ``port`` takes, and
    ``MissingExtraError`` without Pillow.
    """
    import numpy as np

    try:
        images, folders = _images_and_folders(path)
        members = {name: _images_and_folders(path / name)[0] for name in folders}
    except OSError as error:
        raise DataFileError(
            f"the folder {path} can't be read ({error.strerror or error})"
        ) from error
    if images and any(members.values()):
        raise DataFileError(
            f"{path} holds images beside folders of images: put each into the folder of its class"
        )
    labels: NDArray[np.int64] | None = None
    class_names: tuple[str, ...] = ()
    if not images and members:
        _check_members(path, members)
        numbers, class_names = _classes(path, list(members))
        labels = np.repeat(np.array(numbers, np.int64), [len(names) for names in members.values()])
        images = [f"{folder}/{name}" for folder, names in members.items() for name in names]
    if not images:
        known = ", ".join(sorted(SUFFIXES))
        raise DataFileError(f"{path} holds no image: name a folder of files {known}")
    require("images", "PIL")
    layout = _layout(path / images[0], port)
    pixels.check(port, layout.channels)
    return ImageFolder(
        _image_rows(
            path, images, layout, None if port.is_raw or pixels.are_bytes else pixels, threads
        ),
        labels,
        class_names,
    )


def _image_rows(
    folder: Path, names: list[str], layout: _Layout, pixels: Pixels | None, threads: int | None
) -> Rows:
    import numpy as np

    dtype = np.dtype(np.uint8 if pixels is None else np.float32)

    def read(name: str) -> NDArray[Any]:
        image = _read(folder / name, layout)
        numbers = image if pixels is None else pixels.floats(image)
        return (numbers.transpose(2, 0, 1) if layout.is_channels_first else numbers).reshape(
            layout.shape
        )

    def chunks(count: int, size: int) -> Iterator[NDArray[Any]]:
        # Decoders leave the interpreter to others.
        with ThreadPoolExecutor(threads or usable_cores()) as pool:
            for first, end in ends(count, size):
                chunk = np.empty((end - first, *layout.shape), dtype)
                for place, image in zip(chunk, pool.map(read, names[first:end]), strict=True):
                    place[...] = image
                yield chunk

    return Rows((len(names), *layout.shape), dtype, chunks)


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


def natural(name: str) -> tuple[list[str | int], str]:
    """Return what names are sorted by so that ``2.png`` comes before ``10.png``."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return [int(part) if index % 2 else part for index, part in enumerate(parts)], name


def _check_members(path: Path, members: dict[str, list[str]]) -> None:
    for name, images in members.items():
        if not images:
            raise DataFileError(
                f"{path / name} holds no image: every folder in {path} is a class, with images in"
                " it"
            )


def _classes(path: Path, names: list[str]) -> tuple[list[int], tuple[str, ...]]:
    """Return the classes of the folders ``names``, and what all classes are called."""
    if not all(re.fullmatch(r"[0-9]{1,9}", name) for name in names):
        return list(range(len(names))), tuple(names)
    numbers = [int(name) for name in names]
    if len(set(numbers)) < len(numbers):
        raise DataFileError(f"two folders in {path} are one class: their names are equal numbers")
    return numbers, ()


def _layout(first: Path, port: InputPort) -> _Layout:
    """Return how images like ``first`` lie in the model's input."""
    match port.shape:
        case (1 | 3 as channels, height, width):
            return _Layout(port.shape, height, width, channels, is_channels_first=True)
        case (height, width, 1 | 3 as channels):
            return _Layout(port.shape, height, width, channels, is_channels_first=False)
        case (height, width):
            return _Layout(port.shape, height, width, _GREY, is_channels_first=False)
        case (size,):
            with _decoding(first) as image:
                width, height = image.size
            for colours in (_GREY, _COLOUR):
                if width * height * colours == size:
                    return _Layout(port.shape, height, width, colours, is_channels_first=True)
            raise DataFileError(
                f"{first} has {width} x {height} pixels, but the model takes {size} numbers, which"
                " should be one or three a pixel: resize the images as for training"
            )
    raise DataFileError(
        f"the model's input '{port.name}' has the shape {['N', *port.shape]}, which is no image of"
        " one or three channels: save the data with numpy.save"
    )


@contextmanager
def _decoding(path: Path) -> Iterator[Image]:
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


def _read(path: Path, layout: _Layout) -> NDArray[np.uint8]:
    """Return the image in ``path`` as bytes ``[height, width, channels]``."""
    import numpy as np

    with _decoding(path) as image:
        if image.size != (layout.width, layout.height):
            width, height = image.size
            raise DataFileError(
                f"{path} has {width} x {height} pixels, but the model takes {layout.width} x"
                f" {layout.height}: resize the images as for training"
            )
        # Of 16 bits of a colour the decoder would drop half.
        if image.mode not in _MODES or ";16" in str(getattr(image, "tile", "")):
            raise DataFileError(
                f"{path} has pixels of another kind than bytes: save it with 8 bits for each"
                " channel"
            )
        if image.mode in {"1", "L"} and layout.channels == _GREY and not _has_alpha(image):
            return np.asarray(image.convert("L"))[..., np.newaxis]
        colours = _opaque(path, image)
    if layout.channels == _COLOUR:
        return colours
    if (colours != colours[..., :1]).any():
        raise DataFileError(
            f"{path} is in colour, but the model takes one channel: convert it as for training"
        )
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
