"""In which layout a value is best made: what those that read it take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.core.ops import Conv, Duplicate, Linear, MatVec, MaxPool, Permute, Reshape, Window
from lutloom.sim.engine.kernels.bits import fits_bits
from lutloom.sim.engine.kernels.plane_layout import has_few_levels
from lutloom.sim.engine.kernels.planes import fits_planes
from lutloom.sim.engine.products import weights_of
from lutloom.sim.engine.storage import Layout, dense_storage

if TYPE_CHECKING:
    from lutloom.core.graph import Node
    from lutloom.sim.engine.planner import Planner


def wanted_layout(planner: Planner, value: str) -> Layout:
    """Return the layout that a reader of ``value`` takes, if one takes another than a dense one."""
    readers = planner.graph.users[value]
    if planner.lanes:
        if has_few_levels(planner.type(value).element) and any(
            _takes_planes(planner, value, node) for node in readers
        ):
            return Layout.PLANES
    elif any(_takes_bits(planner, value, node) for node in readers):
        return Layout.BITS
    return dense_storage(planner.stored_type(value)).layout


def _takes_planes(planner: Planner, value: str, node: Node) -> bool:
    """Say whether products read it, perhaps moved."""
    match node.op:
        case Conv() | Linear() | MatVec():
            return fits_planes(weights_of(node.op, planner.type(value).channels))
        case MaxPool() | Reshape() | Duplicate() | Permute() | Window():
            return any(planner.wants(name) is Layout.PLANES for name in node.results)
        case _:
            return False


def _takes_bits(planner: Planner, value: str, node: Node) -> bool:
    x = planner.type(value)
    match node.op:
        case Conv() | Linear() | MatVec():
            return fits_bits(x, weights_of(node.op, x.channels))
        case MaxPool():
            return planner.wants(node.name) is Layout.BITS
        case Reshape() | Duplicate():
            return any(
                keeps_bits(planner, value, name) and planner.wants(name) is Layout.BITS
                for name in node.results
            )
        case _:
            return False


def keeps_bits(planner: Planner, value: str, result: str) -> bool:
    """Say whether the bits of ``value`` are those of ``result``, which has the same elements."""
    x, y = planner.type(value), planner.type(result)
    if x.channels == y.channels:
        return True
    # Rows of whole words, one a pixel, follow each other as the channels of wider pixels do.
    return x.element.count == 2 and not x.channels % 64 and not y.channels % 64
