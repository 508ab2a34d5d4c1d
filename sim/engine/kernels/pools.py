"""The largest integers of windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lutloom.core.ops import MaxPool
from lutloom.sim.engine.kernels.bits_pool import pool_bits
from lutloom.sim.engine.products import seen_pixels

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.graph import Node
    from lutloom.sim.engine.planner import Planner


@dataclass(frozen=True, eq=False)
class Largest:
    """``MaxPool`` of native/max_pool.cpp."""

    x: int
    y: int
    width: int
    x_elements: int
    results: int
    channels: int
    ends: NDArray[np.int64]
    seen: NDArray[np.int64]


def lower_max_pool(planner: Planner, node: Node) -> None:
    """Add the step of a ``MaxPool``: of codes as they are, which ascend with the integers."""
    assert isinstance(node.op, MaxPool)
    if pool_bits(planner, node):
        return
    (value,) = node.inputs
    tensor = planner.type(value)
    x = planner.dense(value)
    y = planner.make(node.name, x.storage)
    places = seen_pixels(tensor.shape[:-1], node.op.windows)
    there = places >= 0
    step = Largest(
        x=x.buffer,
        y=y.buffer,
        width=x.storage.dtype.itemsize,
        x_elements=tensor.size,
        results=len(places),
        channels=tensor.channels,
        ends=there.sum(axis=1).cumsum(),
        seen=places[there],
    )
    planner.add("max_pool", step, (x.buffer,), (y.buffer,))
