"""Convolutions, dense layers and matrices: by the fastest kernel that computes them exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.sim.engine.kernels.bits import lower_bits
from lutloom.sim.engine.kernels.depthwise import lower_depthwise
from lutloom.sim.engine.kernels.dot import lower_dot
from lutloom.sim.engine.kernels.planes import lower_planes
from lutloom.sim.engine.kernels.wide import lower_wide
from lutloom.sim.engine.products import products_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from lutloom.core.graph import Node
    from lutloom.sim.engine.planner import Planner
    from lutloom.sim.engine.products import Products

_TIERS: tuple[Callable[[Planner, Products], bool], ...] = (
    lower_planes,
    lower_bits,
    lower_depthwise,
    lower_dot,
    lower_wide,
)
"""Each adds the steps of products and returns True, or leaves them to the next; the last one takes
any."""


def lower_sums(planner: Planner, node: Node) -> None:
    """Add the steps of ``node``, and of the staircase behind it where it is computed with it."""
    products = products_of(planner, node)
    planner.products += products.pixels * products.outputs * products.fan_in
    for lower in _TIERS:
        if lower(planner, products):
            return
