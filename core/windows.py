"""Windows that slide over an image: which pixel each tap of each result reads, if any.

Along one axis, tap ``t`` of result ``y`` looks at place ``stride * y + dilation * t - before``.
Pixel ``i`` of the image lies at place ``spacing * i``: a spacing above 1, with which a transposed
convolution is an ordinary one, leaves gaps between the pixels. Places without a pixel are masked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.types import Const, IntArray

    Array: TypeAlias = NDArray[Any]


# How many places an axis may have, windows an image, and taps all kinds of cut-off windows
# together: what a file may claim is far more than any memory holds.
_MOST_PLACES, _MOST_WINDOWS, _MOST_TAPS = 2**22, 2**28, 2**26


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
            if len(entries) != rank or not all(1 <= entry <= _MOST_PLACES for entry in entries):
                raise TypeError(
                    f"{what} should be {rank} numbers from 1 to {_MOST_PLACES}, not {list(entries)}"
                )
        is_far = any(abs(pad) > _MOST_PLACES for pad in self.pads)
        if rank < 1 or len(self.pads) != 2 * rank or is_far:
            raise TypeError(
                f"pads should be {2 * rank} numbers up to {_MOST_PLACES}, not {list(self.pads)}"
            )

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

        Raises ``TypeError`` if the image has another rank, is smaller than a window, or is longer
        along an axis than anything that could be built.
        """
        if len(image) != self.rank:
            raise TypeError(f"windows of {self.rank} axes do not fit an image of {len(image)}")
        counts = []
        for axis, size in enumerate(image):
            places = (size - 1) * self.spacing[axis] + 1
            pads = (self.pads[axis], self.pads[self.rank + axis])
            room, widest = places + sum(pads), places + sum(max(pad, 0) for pad in pads)
            if widest > _MOST_PLACES:
                raise TypeError(
                    f"an axis of {widest} places, padding included, is too long: at most"
                    f" {_MOST_PLACES} are supported"
                )
            free = room - self.dilation[axis] * (self.kernel[axis] - 1) - 1
            if free < 0:
                raise TypeError(
                    f"windows of {list(self.kernel)} taps, {list(self.dilation)} apart, do not fit"
                    f" into {list(image)} pixels with the pads {list(self.pads)}; use a smaller"
                    " kernel, or pad more"
                )
            counts.append(free // self.stride[axis] + 1)
        if prod(counts) > _MOST_WINDOWS:
            raise TypeError(f"{counts} windows are too many: at most {_MOST_WINDOWS} are supported")
        return tuple(counts)

    def pixels(self, image: tuple[int, ...], axis: int, tap: int) -> IntArray:
        """Return the pixel that ``tap`` of every result along ``axis`` sees: -1 if masked."""
        import numpy as np

        starts = self.stride[axis] * np.arange(self.results(image)[axis]) - self.pads[axis]
        pixel, gap = np.divmod(starts + self.dilation[axis] * tap, self.spacing[axis])
        is_there = (gap == 0) & (pixel >= 0) & (pixel < image[axis])
        return np.where(is_there, pixel, -1).astype(np.int64)

    def borders(self, image: tuple[int, ...]) -> Borders:
        """Return which windows have the same masked taps.

        Raises ``TypeError`` where they are cut off in more ways than anything could tell apart.
        """
        return _borders(self, image)

    def along(self, size: int, axis: int, results: int) -> tuple[IntArray, NDArray[np.bool_]]:
        """Return the class of each of the ``results`` along an axis, and their patterns.

        ``[results]`` and ``[classes, kernel]``.

        A pattern follows from its first tap within the image, from the first one behind it, and
        from where between two pixels it begins: no table of all taps of all results is made.
        """
        import numpy as np

        kernel, dilation, spacing = self.kernel[axis], self.dilation[axis], self.spacing[axis]
        starts = self.stride[axis] * np.arange(results) - self.pads[axis]
        places = (size - 1) * spacing + 1
        first = np.clip(-(starts // dilation), 0, kernel)
        behind = np.maximum(np.clip(-((starts - places) // dilation), 0, kernel), first)
        _, ends = np.unique(first * (kernel + 1) + behind, return_inverse=True)
        phase = starts % spacing if size > 1 else 0 * starts
        _, example, kind = np.unique(ends * spacing + phase, return_index=True, return_inverse=True)
        if len(example) * kernel > _MOST_TAPS:
            raise TypeError(
                f"windows of {kernel} taps are cut off in {len(example)} ways along an axis: use a"
                " smaller kernel, or less padding"
            )
        pixel, gap = np.divmod(starts[example][:, None] + dilation * np.arange(kernel), spacing)
        is_there = (gap == 0) & (pixel >= 0) & (pixel < size)
        numbers: dict[bytes, int] = {}
        index = [numbers.setdefault(row.tobytes(), len(numbers)) for row in is_there]
        patterns = np.array([is_there[index.index(number)] for number in numbers.values()])
        return np.array(index)[kind], patterns


# Planners ask for those of the same few windows a hundred times.
@lru_cache(maxsize=256)
def _borders(windows: Windows, image: tuple[int, ...]) -> Borders:
    results = windows.results(image)
    axes = [windows.along(size, axis, results[axis]) for axis, size in enumerate(image)]
    kinds = prod(len(patterns) for _, patterns in axes)
    if kinds * windows.taps > _MOST_TAPS:
        raise TypeError(
            f"windows of {list(windows.kernel)} taps are cut off in {kinds} ways by the pads"
            f" {list(windows.pads)}: use a smaller kernel, or less padding"
        )
    for array in (array for pair in axes for array in pair):
        array.setflags(write=False)
    return Borders(tuple(classes for classes, _ in axes), tuple(masks for _, masks in axes))


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

    @property
    def is_seeing(self) -> bool:
        """Whether any tap sees a pixel anywhere."""
        return all(bool(pattern.any()) for pattern in self.patterns)


def tap_views(x: Array, windows: Windows, fill: int) -> Iterator[Array]:
    """Yield what each tap sees, ``[batch, *results, C]`` each, of ``x [batch, *image, C]``.

    Masked taps see ``fill``. Taps are in row-major order.
    """
    import numpy as np

    image = x.shape[1:-1]
    if windows.borders(image).is_masking:
        # One more row and column, of what masked taps see: index -1 is the last one.
        widths = [(0, 0), *[(0, 1)] * len(image), (0, 0)]
        x = np.pad(x, widths, constant_values=fill)
    yield from _views(x, windows, image, 0)


def _views(x: Array, windows: Windows, image: tuple[int, ...], axis: int) -> Iterator[Array]:
    if axis == windows.rank:
        yield x
        return
    for tap in range(windows.kernel[axis]):
        pixels = windows.pixels(image, axis, tap)
        yield from _views(x.take(pixels, axis=axis + 1), windows, image, axis + 1)


def check_classes(rows: Const, columns: Const, counts: tuple[int, ...]) -> None:
    """Raise ``TypeError`` unless both are classes of places, below ``counts``: one number each."""
    for what, classes, count in zip(("rows", "columns"), (rows, columns), counts, strict=True):
        if len(classes.shape) != 1 or classes.lo < 0 or classes.hi >= count:
            raise TypeError(f"{what} should be classes below {count}, not {classes}")


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
