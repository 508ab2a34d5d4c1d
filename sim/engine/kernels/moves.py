"""Operators that change no integer, and only where it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.core.ops import Permute
from lutloom.sim.engine.kernels.move import move

if TYPE_CHECKING:
    from lutloom.core.graph import Node
    from lutloom.sim.engine.planner import Planner


def lower_reshape(planner: Planner, node: Node) -> None:
    """Let the result be the same memory."""
    planner.keep(node.name, planner.dense(node.inputs[0]))


def lower_permute(planner: Planner, node: Node) -> None:
    """Add the step that transposes."""
    import numpy as np

    assert isinstance(node.op, Permute)
    x = planner.dense(node.inputs[0])
    tensor = planner.type(node.inputs[0])
    y = planner.make(node.name, x.storage)
    places = np.arange(tensor.size).reshape(tensor.shape).transpose(node.op.axes)
    move(planner, x, y, places, elements=tensor.size, width=x.storage.dtype.itemsize)
