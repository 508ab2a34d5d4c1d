"""Convolutions, dense layers and matrices: by the fastest kernel that computes them exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.sim.engine.kernels.wide import lower_wide
from lutloom.sim.engine.products import products_of

if TYPE_CHECKING:
    from lutloom.core.graph import Node
    from lutloom.sim.engine.planner import Planner


def lower_sums(planner: Planner, node: Node) -> None:
    """Add the steps of ``node``, and of the staircase behind it where it is computed with it."""
    products = products_of(planner, node)
    lower_wide(planner, products)
