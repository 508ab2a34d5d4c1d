"""Rows of tables, by their numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lutloom.core.ops import Lookup

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.graph import Node
    from lutloom.sim.engine.planner import Planner
    from lutloom.sim.engine.program import Operand


@dataclass(frozen=True, eq=False)
class Rows:
    """``Lookup`` of native/lookup.cpp."""

    x: Operand
    y: int
    elements: int
    first: int
    width: int
    rows: NDArray[np.integer]


def lower_lookup(planner: Planner, node: Node) -> None:
    """Add the step of a ``Lookup``."""
    assert isinstance(node.op, Lookup)
    (value,) = node.inputs
    tensor = planner.type(value)
    x, y = planner.dense(value), planner.make(node.name)
    first, last = tensor.element.lo, tensor.element.hi
    rows = y.storage.encode(node.op.table.int64[first - node.op.first :][: last - first + 1])
    width = rows.shape[1] * rows.dtype.itemsize
    step = Rows(x.operand, y.buffer, tensor.size, first, width, rows)
    planner.add("lookup", step, (x.buffer,), (y.buffer,))
