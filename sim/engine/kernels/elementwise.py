"""Sums and products of whole tensors."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from lutloom.core.ops import Add
from lutloom.sim.engine.kernels.periods import (
    as_stored,
    period_of,
    sum_bits,
    tiled,
    written_bits,
)
from lutloom.sim.engine.program import Operand
from lutloom.sim.engine.storage import Layout

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.graph import Node
    from lutloom.core.multiply_shift import Integers
    from lutloom.sim.engine.planner import Kept, Planner


@dataclass(frozen=True, eq=False)
class WeightedSum:
    """``Add`` of native/add.cpp."""

    y: Operand
    inputs: int
    elements: int
    period: int
    bits: int
    x: NDArray[np.int64]
    multipliers: NDArray[np.integer]
    offsets: NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class Product:
    """``Multiply`` of native/multiply.cpp."""

    a: Operand
    b: Operand
    y: Operand
    elements: int
    bits: int


def lower_add(planner: Planner, node: Node) -> None:
    """Add the step of an ``Add``: of codes, and making codes, as they are stored."""
    assert isinstance(node.op, Add)
    x = [planner.dense(name) for name in node.inputs]
    y, tensor = planner.make(node.name), planner.type(node.name)
    multipliers, offsets, result = _coded(node.op, x, y)
    period = 1 if multipliers.shape[1] == 1 else period_of(tensor.channels)
    bits = written_bits(result)

    def table(rows: Integers) -> NDArray[np.integer]:
        return tiled(rows % 2**bits, period, f"u{bits // 8}")

    step = WeightedSum(
        y=result,
        inputs=len(x),
        elements=tensor.size,
        period=period,
        bits=bits,
        x=_words([as_stored(kept.operand) for kept in x]),
        multipliers=table(multipliers),
        offsets=table(offsets),
    )
    planner.add("add", step, tuple(kept.buffer for kept in x), (y.buffer,))


def _coded(op: Add, x: Sequence[Kept], y: Kept) -> tuple[Integers, Integers, Operand]:
    """Return multipliers ``[inputs, C]`` and offsets ``[C]`` of what is stored, and what is made.

    That is the code of ``y``, unless there is no such sum of codes: then the integer.
    """
    import numpy as np

    lo, step = (np.array([getattr(kept.storage, n) for kept in x], object) for n in ("lo", "step"))
    given = op.multipliers.int64.astype(object)
    multipliers, offsets = given * step[:, np.newaxis], lo @ given
    if y.storage.layout is not Layout.BYTES:
        return multipliers, offsets, y.operand
    above = offsets - y.storage.lo
    if (multipliers % y.storage.step).any() or (above % y.storage.step).any():
        return multipliers, offsets, y.operand
    return multipliers // y.storage.step, above // y.storage.step, as_stored(y.operand)


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
