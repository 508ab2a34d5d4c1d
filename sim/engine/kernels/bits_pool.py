"""Max pools of thermometer rows: the largest code has every bit that any of them has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lutloom.core.ops import MaxPool
from lutloom.sim.engine.products import seen_pixels
from lutloom.sim.engine.storage import Layout

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.graph import Node
    from lutloom.sim.engine.planner import Planner


@dataclass(frozen=True, eq=False)
class BitsPool:
    """``BitsPool`` of native/bits_pool.cpp."""

    x: int
    y: int
    pixels: int
    results: int
    words: int
    ends: NDArray[np.int64]
    seen: NDArray[np.int64]


def pool_bits(planner: Planner, node: Node) -> bool:
    """Add the step of a ``MaxPool`` and return True, if its result is wanted in bits."""
    assert isinstance(node.op, MaxPool)
    if planner.wants(node.name) is not Layout.BITS:
        return False
    (value,) = node.inputs
    image = planner.type(value).shape[:-1]
    x = planner.bits(value)
    y = planner.make(node.name, x.storage)
    places = seen_pixels(image, node.op.windows)
    there = places >= 0
    pixels = planner.type(value).size // planner.type(value).channels
    step = BitsPool(
        x=x.buffer,
        y=y.buffer,
        pixels=pixels,
        results=len(places),
        words=x.storage.bytes_of(planner.type(value)) // 8 // pixels,
        ends=there.sum(axis=1).cumsum(),
        seen=places[there],
    )
    planner.add("bits_pool", step, (x.buffer,), (y.buffer,))
    return True
