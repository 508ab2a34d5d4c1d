"""Operators that move elements, or pick the largest, of values that are in planes already."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lutloom.core.ops import (
    Concat,
    Duplicate,
    MaxPool,
    Permute,
    Reshape,
    Slice,
    Split,
    Upsample,
    Window,
)
from lutloom.sim.engine.kernels.plane_layout import can_slice, move_planes
from lutloom.sim.engine.products import seen_pixels
from lutloom.sim.engine.storage import Layout, coded_storage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.graph import Node
    from lutloom.sim.engine.planner import Planner


@dataclass(frozen=True, eq=False)
class PlanePool:
    """``Pool`` of native/plane_pool.cpp."""

    x: int
    y: int
    pixels: int
    taps: int
    planes: int
    places: NDArray[np.int64]


def lower_in_planes(planner: Planner, node: Node) -> bool:
    """Add the steps of ``node`` where what it reads is in planes and can stay there; say so."""
    kept = [planner.kept.get((value, Layout.PLANES)) for value in node.inputs]
    if not any(kept) or not all(can_slice(planner, value) for value in node.inputs):
        return False
    elements = {planner.type(value).element for value in (*node.inputs, *node.results)}
    if len(elements) > 1:
        return False
    match node.op:
        case Reshape() | Duplicate():
            for result in node.results:
                planner.keep(result, planner.planes(node.inputs[0]))
        case Permute() | Slice() | Split() | Upsample() | Concat():
            _move(planner, node, node.op)
        case Window(fill=fill):
            element = elements.pop()
            # A fill that no window sees may be no integer of the result.
            code = (fill - element.lo) // element.step if fill in element else 0
            _move(planner, node, replace(node.op, fill=-1), 2**code - 1)
        case MaxPool():
            _pool(planner, node, node.op)
        case _:
            return False
    return True


def _make(planner: Planner, value: str) -> int:
    storage = coded_storage(planner.type(value).element, Layout.PLANES)
    return planner.make(value, storage).buffer


def _move(
    planner: Planner,
    node: Node,
    op: Permute | Slice | Split | Upsample | Concat | Window,
    fill: int = 0,
) -> None:
    """Add steps that move elements as the reference moves their numbers."""
    import numpy as np

    sizes = [planner.type(value).size for value in node.inputs]
    ends = np.cumsum(sizes)
    numbers = [
        np.arange(end - size, end).reshape(1, *planner.type(value).shape)
        for value, size, end in zip(node.inputs, sizes, ends, strict=True)
    ]
    levels = planner.type(node.name).element.count - 1
    for result, moved in zip(node.results, op.reference(*numbers), strict=True):
        y, places = _make(planner, result), moved.ravel()
        for value, size, end in zip(node.inputs, sizes, ends, strict=True):
            begin = end - size
            mine = (places >= begin) & (places < end)
            chosen = np.where(mine, places - begin, np.where(places < 0, -1, -2))
            x = planner.planes(value).buffer
            move_planes(planner, x, y, chosen, levels=levels, fill=fill)


def _pool(planner: Planner, node: Node, op: MaxPool) -> None:
    """Add the step of a ``MaxPool``."""
    tensor = planner.type(node.inputs[0])
    x, y = planner.planes(node.inputs[0]).buffer, _make(planner, node.name)
    places = seen_pixels(tensor.shape[:-1], op.windows)
    planes = tensor.channels * (tensor.element.count - 1)
    pixels, taps = places.shape
    step = PlanePool(x, y, pixels, taps, planes, places)
    planner.add("plane_pool", step, (x,), (y,), is_whole=True)
