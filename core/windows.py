"""Windows that slide over an image: which pixel each tap of each result reads, if any.

Along one axis, tap ``t`` of result ``y`` looks at place ``stride * y + dilation * t - before``.
Pixel ``i`` of the image lies at place ``spacing * i``: a spacing above 1, with which a transposed
convolution is an ordinary one, leaves gaps between the pixels. Places without a pixel are masked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.types import Const, IntArray

    Array: TypeAlias = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows over the spatial axes of a channels-last image; one entry an axis.

    ``pads`` are the places before each axis, then those behind each: as ONNX has them. A negative
    one leaves pixels out.

    Raises ``TypeError`` for entries that are no windows.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: tuple[int, ...]
    spacing: tuple[int, ...]

    def __post_init__(self) -> None:
        rank = len(self.kernel)
        for what in ("kernel", "stride", "dilation", "spacing"):
            entries: tuple[int, ...] = getattr(self, what)
            if len(entries) != rank or any(entry < 1 for entry in entries):
                raise TypeError(f"{what} should be {rank} positive numbers, not {list(entries)}")
        if rank < 1 or len(self.pads) != 2 * rank:
            raise TypeError(f"pads should be {2 * rank} numbers, not {list(self.pads)}")

    @property
    def rank(self) -> int:
        """How many spatial axes there are."""
        return len(self.kernel)

    @property
    def taps(self) -> int:
        """How many taps a window has."""
        return prod(self.kernel)

    def results(self, image: tuple[int, ...]) -> tuple[int, ...]:
        """Return how many windows there are along each axis of an ``image`` of that many pixels.

        Raises ``TypeError`` if the image has another rank, or is smaller than a window.
        """
        if len(image) != self.rank:
            raise TypeError(f"windows of {self.rank} axes do not fit an image of {len(image)}")
        counts = []
        for axis, size in enumerate(image):
            places = (size - 1) * self.spacing[axis] + 1
            room = places + self.pads[axis] + self.pads[self.rank + axis]
            free = room - self.dilation[axis] * (self.kernel[axis] - 1) - 1
            if free < 0:
                raise TypeError(
                    f"windows of {list(self.kernel)} taps, {list(self.dilation)} apart, do not fit"
                    f" into {list(image)} pixels with the pads {list(self.pads)}"
                )
            counts.append(free // self.stride[axis] + 1)
        return tuple(counts)

    def pixels(self, image: tuple[int, ...]) -> tuple[IntArray, ...]:
        """Return the pixel of every tap along each axis, ``[results, kernel]``: -1 if masked."""
        import numpy as np

        tables = []
        for axis, results in enumerate(self.results(image)):
            starts = self.stride[axis] * np.arange(results) - self.pads[axis]
            places = starts[:, None] + self.dilation[axis] * np.arange(self.kernel[axis])
            pixel, gap = np.divmod(places, self.spacing[axis])
            is_there = (gap == 0) & (pixel >= 0) & (pixel < image[axis])
            tables.append(np.where(is_there, pixel, -1).astype(np.int64))
        return tuple(tables)

    def borders(self, image: tuple[int, ...]) -> Borders:
        """Return which windows have the same masked taps."""
        import numpy as np

        classes, patterns = [], []
        for table in self.pixels(image):
            distinct, index = np.unique(table >= 0, axis=0, return_inverse=True)
            classes.append(index.reshape(-1).astype(np.int64))
            patterns.append(distinct)
        return Borders(tuple(classes), tuple(patterns))


@dataclass(frozen=True, eq=False)
class Borders:
    """Windows by which of their taps are masked: along each axis, independently.

    ``classes[axis] [results]`` numbers the classes of the windows along an axis;
    ``patterns[axis] [classes, kernel]`` says which taps see a pixel.
    """

    classes: tuple[IntArray, ...]
    patterns: tuple[NDArray[np.bool_], ...]

    @property
    def masks(self) -> NDArray[np.bool_]:
        """Which taps see a pixel, ``[classes of axis 0, of axis 1, ..., taps]``."""
        import numpy as np

        masks = np.ones((1,), dtype=bool)
        rank = len(self.patterns)
        for axis, pattern in enumerate(self.patterns):
            shape = [1] * (2 * rank)
            shape[axis], shape[rank + axis] = pattern.shape
            masks = masks & pattern.reshape(shape)
        return np.asarray(masks).reshape(*(p.shape[0] for p in self.patterns), -1)

    @property
    def is_masking(self) -> bool:
        """Whether any tap is masked anywhere."""
        return not all(pattern.all() for pattern in self.patterns)


def tap_views(x: Array, windows: Windows, fill: int) -> Iterator[Array]:
    """Yield what each tap sees, ``[batch, *results, C]`` each, of ``x [batch, *image, C]``.

    Masked taps see ``fill``. Taps are in row-major order.
    """
    import numpy as np

    image = x.shape[1:-1]
    tables = windows.pixels(image)
    if any((table < 0).any() for table in tables):
        # One more row and column, of what masked taps see: index -1 is the last one.
        widths = [(0, 0), *[(0, 1)] * len(image), (0, 0)]
        x = np.pad(x, widths, constant_values=fill)
    for tap in np.ndindex(*windows.kernel):
        view = x
        for axis, (table, t) in enumerate(zip(tables, tap, strict=True), start=1):
            view = view.take(table[:, t], axis=axis)
        yield view


def class_indices(shape: tuple[int, ...], rows: Const, columns: Const) -> tuple[Array, Array]:
    """Return the classes of all places of a channels-last tensor, ``[H, 1]`` and ``[W]``.

    A tensor ``[W, C]`` has one row, one of ``[C]`` one column too, and no axes in the result.

    Raises ``TypeError`` if there are neither as many classes as places along an axis, nor one.
    """
    import numpy as np

    places = shape[:-1]
    sizes = (*[1] * (2 - len(places)), *places)
    for what, classes, size in zip(("rows", "columns"), (rows, columns), sizes[-2:], strict=True):
        if classes.shape not in {(1,), (size,)} or len(places) > 2:
            raise TypeError(
                f"{what} are classes of {classes.shape[0]} places, not of {list(shape)}"
            )
    height, width = (
        np.broadcast_to(c.int64, (size,)) for c, size in zip((rows, columns), sizes, strict=True)
    )
    match len(places):
        case 2:
            return height[:, None], width
        case 1:
            return height[0], width
        case _:
            return height[0], width[0]
