"""Quantizers that are a product and a shift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lutloom.core.multiply_shift import ShiftRounding
from lutloom.core.ops import Requantize
from lutloom.core.ops.requantize import numbers
from lutloom.sim.engine.kernels.periods import period_of, tiled
from lutloom.sim.engine.kernels.table import add_table, codes_of
from lutloom.sim.engine.storage import Layout

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.graph import Node
    from lutloom.core.multiply_shift import Integers
    from lutloom.core.types import IntType
    from lutloom.sim.engine.planner import Planner
    from lutloom.sim.engine.program import Operand

_ROUNDINGS = (*ShiftRounding,)  # in the order of native/requantize.cpp
_NARROW = 62


@dataclass(frozen=True, eq=False)
class Shift:
    """``Requantize`` of native/requantize.cpp."""

    x: Operand
    y: Operand
    elements: int
    period: int
    bits: int
    shift: int
    rounding: int
    m: NDArray[np.integer]
    b: NDArray[np.integer]
    lowest: NDArray[np.integer]
    highest: NDArray[np.integer]


def lower_requantize(planner: Planner, node: Node) -> None:
    """Add the step of a ``Requantize``: a table of bytes, or products."""
    import numpy as np

    assert isinstance(node.op, Requantize)
    (value,) = node.inputs
    tensor = planner.type(value)
    x, y = planner.dense(value), planner.make(node.name)
    if x.storage.layout is Layout.BYTES:
        channels = node.op.channels
        codes = np.broadcast_to(codes_of(x)[:, np.newaxis], (256, channels))
        (levels,) = node.op.reference(codes)
        values = np.ascontiguousarray(np.broadcast_to(levels, codes.shape).T)[np.newaxis]
        add_table(planner, x, y, values, tensor.size, np.zeros(1, np.int32))
        return
    period = period_of(tensor.channels)
    step = Shift(
        x=x.operand,
        y=y.operand,
        elements=tensor.size,
        period=period,
        bits=_bits(node.op, tensor.element),
        shift=node.op.shift,
        rounding=_ROUNDINGS.index(node.op.rounding),
        m=_halves(numbers(node.op.multipliers), period),
        b=_halves(numbers(node.op.biases), period),
        lowest=tiled(node.op.lowest.int64, period),
        highest=tiled(node.op.highest.int64, period),
    )
    planner.add("requantize", step, (x.buffer,), (y.buffer,))


def _bits(op: Requantize, x: IntType) -> int:
    """Return how wide sums have to be, 64 or 128: the ends of ``x`` have the widest ones."""
    m, b = numbers(op.multipliers), numbers(op.biases)
    widest = max(int(abs(end * m + b).max()) for end in (x.lo, x.hi))
    return 64 if max(widest.bit_length(), op.shift) <= _NARROW else 128


def _halves(values: Integers, period: int) -> NDArray[np.integer]:
    """Return the lower and the upper 64 bits of ``values [C]``, modulo 2^128: ``[2, period]``."""
    import numpy as np

    words = [[int(value) >> shift & (2**64 - 1) for value in values] for shift in (0, 64)]
    return tiled(np.array(words, np.uint64).view(np.int64), period)
