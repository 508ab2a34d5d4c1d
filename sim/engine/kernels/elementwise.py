"""Sums and products of whole tensors."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from lutloom.core.ops import Add
from lutloom.sim.engine.kernels.periods import period_of, sum_bits, tiled
from lutloom.sim.engine.program import Operand

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.graph import Node
    from lutloom.sim.engine.planner import Planner


@dataclass(frozen=True, eq=False)
class WeightedSum:
    """``Add`` of native/add.cpp."""

    y: Operand
    inputs: int
    elements: int
    period: int
    bits: int
    x: NDArray[np.int64]
    multipliers: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Product:
    """``Multiply`` of native/multiply.cpp."""

    a: Operand
    b: Operand
    y: Operand
    elements: int
    bits: int


def lower_add(planner: Planner, node: Node) -> None:
    """Add the step of an ``Add``."""
    assert isinstance(node.op, Add)
    x = [planner.dense(name) for name in node.inputs]
    y, tensor = planner.make(node.name), planner.type(node.name)
    period = period_of(tensor.channels)
    step = WeightedSum(
        y=y.operand,
        inputs=len(x),
        elements=tensor.size,
        period=period,
        bits=sum_bits(tensor.element.lo, tensor.element.hi),
        x=_words([kept.operand for kept in x]),
        multipliers=tiled(node.op.multipliers.int64, period),
    )
    planner.add("add", step, tuple(kept.buffer for kept in x), (y.buffer,))


def lower_multiply(planner: Planner, node: Node) -> None:
    """Add the step of a ``Multiply``."""
    a, b = (planner.dense(name) for name in node.inputs)
    y, tensor = planner.make(node.name), planner.type(node.name)
    bits = sum_bits(tensor.element.lo, tensor.element.hi)
    step = Product(a.operand, b.operand, y.operand, tensor.size, bits)
    planner.add("multiply", step, (a.buffer, b.buffer), (y.buffer,))


def _words(operands: Sequence[Operand]) -> NDArray[np.int64]:
    import numpy as np

    names = [field.name for field in fields(Operand)]
    return np.array([[getattr(operand, name) for name in names] for operand in operands], np.int64)
