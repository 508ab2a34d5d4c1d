"""Functions of a byte, whatever they are, as tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.types import IntArray
    from lutloom.sim.engine.planner import Kept, Planner

_CODES = 256


@dataclass(frozen=True, eq=False)
class Table:
    """``Table`` of native/table.cpp."""

    x: int
    y: int
    width: int
    pixels: int
    channels: int
    kinds: int
    kind_of: NDArray[np.int32]
    rows: NDArray[np.integer]


def codes_of(x: Kept) -> IntArray:
    """Return what the codes of ``x``, which is kept in bytes, stand for: ``[256]``."""
    import numpy as np

    return x.storage.lo + x.storage.step * np.minimum(np.arange(_CODES), x.storage.levels)


def add_table(
    planner: Planner, x: Kept, y: Kept, values: IntArray, elements: int, kind_of: NDArray[np.int32]
) -> None:
    """Add a step that makes ``y`` of the bytes of ``x``: ``values [kinds, channels, 256]``.

    Channels may be 1 for all. ``kind_of [pixels]`` says whose table a pixel has.
    """
    import numpy as np

    kinds, channels, _ = values.shape
    rows = y.storage.encode(values)
    pixels = elements // channels
    if kinds > 1 and channels == 1:
        kind_of = np.repeat(kind_of, pixels // len(kind_of))
    step = Table(x.buffer, y.buffer, rows.dtype.itemsize, pixels, channels, kinds, kind_of, rows)
    planner.add("table", step, (x.buffer,), (y.buffer,))
