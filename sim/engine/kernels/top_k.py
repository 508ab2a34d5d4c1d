"""The channels of the largest elements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lutloom.core.ops import TopK

if TYPE_CHECKING:
    from lutloom.core.graph import Node
    from lutloom.sim.engine.planner import Planner
    from lutloom.sim.engine.program import Operand


@dataclass(frozen=True, eq=False)
class Largest:
    """``TopK`` of native/top_k.cpp."""

    x: Operand
    y: Operand
    pixels: int
    channels: int
    k: int


def lower_top_k(planner: Planner, node: Node) -> None:
    """Add the step of a ``TopK``."""
    assert isinstance(node.op, TopK)
    (value,) = node.inputs
    tensor = planner.type(value)
    x, y = planner.dense(value), planner.make(node.name)
    pixels = tensor.size // tensor.channels
    step = Largest(x.operand, y.operand, pixels, tensor.channels, node.op.k)
    planner.add("top_k", step, (x.buffer,), (y.buffer,))
