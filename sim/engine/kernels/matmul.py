"""Products of two matrices that both depend on the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lutloom.core.graph import Node
    from lutloom.core.types import IntType
    from lutloom.sim.engine.planner import Planner
    from lutloom.sim.engine.program import Operand


@dataclass(frozen=True, eq=False)
class Matrices:
    """``MatMul`` of native/matmul.cpp."""

    a: Operand
    b: Operand
    y: Operand
    matrices: int
    rows: int
    columns: int
    terms: int
    bits: int
    a_values: int
    b_values: int


def lower_matmul(planner: Planner, node: Node) -> None:
    """Add the step of a ``MatMul``."""
    left, right = node.inputs
    a_type, b_type, y_type = (planner.type(name) for name in (left, right, node.name))
    narrow = all(_fits(t.element, 16) for t in (a_type, b_type)) and _fits(y_type.element, 32)
    bits = 16 if narrow else 64
    a, b, y = planner.dense(left), planner.dense(right), planner.make(node.name)
    a_values, b_values = (planner.scratch(t.size * bits // 8) for t in (a_type, b_type))
    *_, rows, terms = a_type.shape
    step = Matrices(
        a=a.operand,
        b=b.operand,
        y=y.operand,
        matrices=a_type.size // (rows * terms),
        rows=rows,
        columns=b_type.shape[-2],
        terms=terms,
        bits=bits,
        a_values=a_values,
        b_values=b_values,
    )
    planner.add("matmul", step, (a.buffer, b.buffer), (y.buffer, a_values, b_values))


def _fits(element: IntType, bits: int) -> bool:
    most: int = 2 ** (bits - 1)
    return -most <= element.lo and element.hi < most
