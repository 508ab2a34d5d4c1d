"""Few codes of bytes, in bits or planes at once: no byte is written for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.sim.engine.kernels.pack import add_pack
from lutloom.sim.engine.kernels.plane_layout import add_to_planes
from lutloom.sim.engine.storage import Layout, coded_storage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.types import IntArray
    from lutloom.sim.engine.planner import Kept, Planner


def lower_thermometer(planner: Planner, value: str, x: Kept, values: IntArray) -> bool:
    """Add the step that makes ``value`` of the bytes of ``x`` where its readers take no bytes.

    ``values [kinds, channels, 256]`` say what becomes of each byte. Returns whether it did: not
    where they fall, or are not the same everywhere.
    """
    layout = planner.wants(value)
    if layout.is_dense:
        return False
    tensor = planner.type(value)
    storage = coded_storage(tensor.element, layout)
    first = _first_bytes(
        values, [storage.lo + storage.step * n for n in range(1, storage.levels + 1)]
    )
    if first is None:
        return False
    y = planner.make(value, storage)
    if layout is Layout.BITS:
        add_pack(planner, tensor, x, y, first)
    else:
        add_to_planes(planner, x, y.buffer, tensor.size, first)
    return True


def _first_bytes(values: IntArray, levels: list[int]) -> NDArray[np.uint8] | None:
    """Return the first byte that reaches each level; None where no byte says so."""
    import numpy as np

    *_, row = values.reshape(-1, values.shape[-1])
    if (values != row).any() or (np.diff(row) < 0).any():
        return None
    first = np.searchsorted(row, levels)
    # What is behind the last element is 0 for the kernels, and has to reach none.
    if first.min() == 0 or first.max() == len(row):
        return None
    return first.astype(np.uint8)
