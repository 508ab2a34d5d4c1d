"""Images with what windows see around them, and between pixels, physically there."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.windows import Windows
    from lutloom.sim.engine.planner import Planner
    from lutloom.sim.engine.products import Products


@dataclass(frozen=True, eq=False)
class Pad:
    """``Pad`` of native/pad.cpp."""

    x: int
    y: int
    x_elements: int
    x_width: int
    y_width: int
    fill: int
    segments: int
    sources: NDArray[np.int64]
    lengths: NDArray[np.int64]


def padded(
    planner: Planner,
    products: Products,
    windows: Windows | None,
    fill: int,
    width: int,
    *,
    is_overrun: bool,
) -> tuple[int, tuple[int, ...]]:
    """Return a buffer of elements of ``width`` bytes with all that ``windows`` see, and its shape.

    Places without a pixel are ``fill``, as it is stored. That is the input's own buffer where
    nothing has to be added, unless it is ``is_overrun`` and the caller's, who has no more memory.
    """
    import numpy as np

    x = planner.dense(products.x)
    shape = (*products.image, planner.type(products.x).channels)
    x_width = x.storage.dtype.itemsize
    numbers, wide = _places(shape, windows)
    is_given = is_overrun and x.buffer < len(planner.graph.inputs)
    if numbers is None and x_width == width and not is_given:
        return x.buffer, shape
    if numbers is None:
        sources, lengths = np.zeros(1, np.int64), np.array([prod(shape)])
    else:
        steps = np.diff(numbers)
        goes_on = (steps == 1) & (numbers[:-1] >= 0) | (steps == 0)
        starts = np.flatnonzero(np.concatenate([[True], ~goes_on]))
        sources = np.where(numbers < 0, -1, numbers * shape[-1])[starts]
        lengths = np.diff(np.append(starts, len(numbers))) * shape[-1]
    y = planner.scratch(prod(wide) * width)
    step = Pad(
        x=x.buffer,
        y=y,
        x_elements=prod(shape),
        x_width=x_width,
        y_width=width,
        fill=fill,
        segments=len(sources),
        sources=sources,
        lengths=lengths,
    )
    planner.add("pad", step, (x.buffer,), (y,))
    return y, wide


def _places(
    shape: tuple[int, ...], windows: Windows | None
) -> tuple[NDArray[np.int64] | None, tuple[int, ...]]:
    """Return the pixel of each place that there is for ``windows``, -1 without one, and the shape.

    None instead of pixels where they are those of the image.
    """
    import numpy as np

    image = shape[:-1]
    if windows is None or (not any(windows.pads) and set(windows.spacing) == {1}):
        return None, shape
    numbers = np.zeros(1, np.int64)
    sizes = []
    for axis, size in enumerate(image):
        pixels = places_along(windows, image, axis)
        there = (numbers[:, None] >= 0) & (pixels >= 0)
        numbers = np.where(there, numbers[:, None] * size + pixels, -1).ravel()
        sizes.append(len(pixels))
    return numbers, (*sizes, shape[-1])


def places_along(windows: Windows, image: Sequence[int], axis: int) -> NDArray[np.int64]:
    """Return the pixel of each place along an axis of ``image``, -1 where there is none."""
    import numpy as np

    before, behind = windows.pads[: windows.rank][axis], windows.pads[windows.rank :][axis]
    spacing = windows.spacing[axis]
    places = np.arange(-before, (image[axis] - 1) * spacing + 1 + behind)
    pixels, gaps = np.divmod(places, spacing)
    return np.where((gaps == 0) & (pixels >= 0) & (pixels < image[axis]), pixels, -1)
