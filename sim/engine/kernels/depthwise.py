"""Convolutions of every channel by itself, of bytes: four rows of a window at a time."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from lutloom.sim.engine.coded import coded_products
from lutloom.sim.engine.kernels.dot import adds_pairs, lanes_of
from lutloom.sim.engine.kernels.emission import Accumulators, Emission, make_result
from lutloom.sim.engine.kernels.pad import padded, places_along

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.windows import Windows
    from lutloom.sim.engine.planner import Planner
    from lutloom.sim.engine.products import Products

_WORD = 4
"""Rows that a lane takes at a time."""


@dataclass(frozen=True, eq=False)
class Depthwise:
    """``Depthwise`` of native/depthwise.cpp."""

    x: int
    y: int
    x_bytes: int
    channels: int
    height: int
    width: int
    columns: int
    kernel: int
    words: int
    stride: int
    dilation: int
    fill: int
    row_places: NDArray[np.int64]
    column_places: NDArray[np.int64]
    weights: NDArray[np.int8]
    classes: NDArray[np.int32]
    emission: Emission


def lower_depthwise(planner: Planner, products: Products) -> bool:
    """Add the step of ``products`` if they are of single channels of an image, and of bytes."""
    import numpy as np

    windows, (channels, _, *width) = products.windows, products.weights.shape
    if windows is None or width != [1, 1] or windows.rank > 2:
        return False
    coded = coded_products(planner, products)
    if coded is None or not coded.is_bytes:
        return False
    is_added = adds_pairs(planner.instructions, coded)
    products = coded.products
    lanes = lanes_of(planner.instructions)
    buffer, (*image, _) = padded(planner, products, None, coded.fill, 1, is_overrun=True)
    y, emission = make_result(planner, Accumulators.of(coded, 1, channels + -channels % lanes))
    slots = _slots(windows.kernel[-2] if windows.rank == 2 else 1, 4 if is_added else 2)
    rows, across = _row_places(windows, image, slots), places_along(windows, image, -1)
    step = Depthwise(
        x=buffer,
        y=y.buffer,
        x_bytes=prod(image) * channels,
        channels=channels,
        height=len(rows),
        width=products.results[-1],
        columns=len(across),
        kernel=windows.kernel[-1],
        words=len(slots) // _WORD,
        stride=windows.stride[-1],
        dilation=windows.dilation[-1],
        fill=coded.fill,
        row_places=np.where(rows < 0, -1, rows * image[-1] * channels),
        column_places=np.where(across < 0, -1, across * channels),
        weights=_panels(coded.weights, windows.kernel[-1], slots, lanes),
        classes=products.classes,
        emission=emission,
    )
    planner.add("depthwise", step, (buffer,), (y.buffer,))
    return True


def _slots(rows: int, used: int) -> NDArray[np.int64]:
    """Return the rows of a window in words of four, ``used`` of which are rows: -1 for none."""
    import numpy as np

    words = -(-rows // used)
    slots = np.full((words, used, _WORD // used), -1)
    slots.reshape(-1, _WORD // used)[:rows, 0] = np.arange(rows)
    return slots.ravel()


def _row_places(
    windows: Windows, image: Sequence[int], slots: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the row of the image that each slot of each row of results sees: -1 for none."""
    import numpy as np

    if windows.rank == 1:
        return np.where(slots < 0, -1, 0)[np.newaxis]
    seen = [windows.pixels(tuple(image), 0, tap) for tap in range(windows.kernel[0])]
    nothing = np.full(len(seen[0]), -1)
    return np.stack([nothing if slot < 0 else seen[slot] for slot in slots], axis=1)


def _panels(
    weights: NDArray[np.int64], kernel: int, slots: NDArray[np.int64], lanes: int
) -> NDArray[np.int8]:
    """Return ``weights [channels, taps, 1, 1]`` as native/depthwise.cpp reads them."""
    import numpy as np

    channels = len(weights)
    rows = weights.reshape(channels, -1, kernel).transpose(2, 1, 0)
    columns, block = channels + -channels % lanes, 4 * lanes
    made = np.zeros((kernel, len(slots), columns), np.int8)
    made[:, slots >= 0, :channels] = rows[:, slots[slots >= 0]]
    words = made.reshape(kernel, -1, _WORD, columns).swapaxes(2, 3)
    parts = [words[:, :, first : first + block].ravel() for first in range(0, columns, block)]
    return np.concatenate(parts)
