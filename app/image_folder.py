"""A folder of images as a model's input: its sub-folders, if it has any, are the classes.

Images are taken as they are: nothing is resized, cropped or turned, since no two libraries do that
alike. Floats are made of bytes as PyTorch makes them (``ToTensor``, ``Normalize``), in float32.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lutloom.core.counts import counted
from lutloom.core.errors import DataFileError
from lutloom.core.images import (
    COLOUR,
    GREY,
    ImageForm,
    ImageList,
    list_images,
    opened_image,
    read_image,
)
from lutloom.extras import require
from lutloom.rows import Rows, ends
from lutloom.sim.toolchain import usable_cores

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.ports import InputPort

_WHITE = 255
_REMEDY = "prepare the images as for training"


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
                    f"{what} has {counted(len(numbers), 'number')}, and the images have"
                    f" {counted(channels, 'channel')}:"
                    " give one for each"
                )
        if not self.white > 0 or not all(number > 0 for number in self.std):
            raise DataFileError("white and std should be positive: every number is divided by std")

    @property
    def are_bytes(self) -> bool:
        """Whether the floats are the bytes themselves."""
        return self.white == _WHITE and not self.mean and not self.std

    def floats(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the numbers of ``image [height, width, channels]``, operation by operation as
        PyTorch computes them.
        """
        import numpy as np

        numbers = image.astype(np.float32)
        if self.white != _WHITE:
            numbers /= np.float32(_WHITE / self.white)
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
    form: ImageForm
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

    images = list_images(path)
    require("images", "PIL")
    layout = _layout(images.first, port)
    pixels.check(port, layout.form.channels)
    converted = None if port.is_raw or pixels.are_bytes else pixels
    return ImageFolder(
        _image_rows(images, layout, converted, threads),
        None if images.classes is None else np.array(images.classes, np.int64),
        images.class_names,
    )


def _image_rows(
    images: ImageList, layout: _Layout, pixels: Pixels | None, threads: int | None
) -> Rows:
    import numpy as np

    dtype = np.dtype(np.uint8 if pixels is None else np.float32)

    def read(name: str) -> NDArray[Any]:
        image = read_image(images.folder / name, layout.form)
        numbers = image if pixels is None else pixels.floats(image)
        return (numbers.transpose(2, 0, 1) if layout.is_channels_first else numbers).reshape(
            layout.shape
        )

    def chunks(count: int, size: int) -> Iterator[NDArray[Any]]:
        # Decoders leave the interpreter to others.
        with ThreadPoolExecutor(threads or usable_cores()) as pool:
            for first, end in ends(count, size):
                chunk = np.empty((end - first, *layout.shape), dtype)
                for place, image in zip(
                    chunk, pool.map(read, images.names[first:end]), strict=True
                ):
                    place[...] = image
                yield chunk

    return Rows((len(images.names), *layout.shape), dtype, chunks)


def _layout(first: Path, port: InputPort) -> _Layout:
    """Return how images like ``first`` lie in the model's input."""

    def layout(height: int, width: int, channels: int, *, is_channels_first: bool) -> _Layout:
        form = ImageForm(height, width, channels, "the model takes", _REMEDY)
        return _Layout(port.shape, form, is_channels_first)

    match port.shape:
        case (1 | 3 as channels, height, width):
            return layout(height, width, channels, is_channels_first=True)
        case (height, width, 1 | 3 as channels):
            return layout(height, width, channels, is_channels_first=False)
        case (height, width):
            return layout(height, width, GREY, is_channels_first=False)
        case (size,):
            with opened_image(first) as image:
                width, height = image.size
            for colours in (GREY, COLOUR):
                if width * height * colours == size:
                    return layout(height, width, colours, is_channels_first=True)
            raise DataFileError(
                f"{first} has {width} x {height} pixels, but the model takes"
                f" {counted(size, 'number')}, which should be one or three a pixel: {_REMEDY}"
            )
    raise DataFileError(
        f"the model's input '{port.name}' has the shape {['N', *port.shape]}, which is no image of"
        " one or three channels: save the data with numpy.save"
    )
