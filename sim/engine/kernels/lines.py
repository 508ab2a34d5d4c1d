"""Staircases of many even steps as a multiplication each, where that is proved to be the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lutloom.core.ops import BorderThreshold, Threshold
from lutloom.sim.engine.fits import lines_of
from lutloom.sim.engine.kernels.periods import as_stored, period_of, tiled, written_bits
from lutloom.sim.engine.storage import Layout

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.types import TensorType
    from lutloom.sim.engine.planner import Kept, Planner
    from lutloom.sim.engine.program import Operand

_FEW = 16
"""Up to how many thresholds are compared faster than multiplied."""
_MOST = 2**20
"""Thresholds for which lines are looked for: that takes a second."""
_FAR = 2**61


@dataclass(frozen=True, eq=False)
class Multiplied:
    """``Lines`` of native/lines.cpp."""

    x: Operand
    y: Operand
    elements: int
    period: int
    levels: int
    slopes: NDArray[np.float32]
    shifts: NDArray[np.float32]
    heights: NDArray[np.integer]
    base: NDArray[np.integer]


def lower_lines(
    planner: Planner, op: Threshold | BorderThreshold, tensor: TensorType, x: Kept, y: Kept
) -> bool:
    """Add the step of ``op`` and return True; or False, where it has to be computed otherwise."""
    import numpy as np

    levels, result = op.thresholds.shape[-1], as_stored(y.operand)
    if not _may_be_lines(op, x) or written_bits(result) > 32:
        return False
    lo, step = (y.storage.lo, y.storage.step) if y.storage.layout is Layout.BYTES else (0, 1)
    heights, base = op.deltas.int64[:, 0], op.base.int64
    is_far = max(-op.base.lo, op.base.hi) > _FAR
    if is_far or (heights % step).any() or ((base - lo) % step).any():
        return False
    ends = (tensor.element.lo, tensor.element.hi)
    thresholds = np.clip(op.thresholds.int64, ends[0], ends[1] + 1)
    least, most = (np.full(len(base), end) for end in ends)
    lines = lines_of(thresholds, least, most, np.dtype(np.float32))
    if lines is None:
        return False
    period = period_of(tensor.channels)
    made = Multiplied(
        x=x.operand,
        y=result,
        elements=tensor.size,
        period=period,
        levels=levels,
        slopes=tiled(lines.slopes, period, "f4"),
        shifts=tiled(lines.shifts, period, "f4"),
        heights=tiled(heights // step % 2**32, period, "u4"),
        base=tiled((base - lo) // step % 2**32, period, "u4"),
    )
    planner.add("lines", made, (x.buffer,), (y.buffer,))
    return True


def _may_be_lines(op: Threshold | BorderThreshold, x: Kept) -> bool:
    """Return whether the steps of each channel are as high, many, and of integers of 32 bits."""
    return (
        isinstance(op, Threshold)
        and x.storage.layout in (Layout.INT16, Layout.INT32)
        and op.thresholds.shape[1] > _FEW
        and op.thresholds.int64.size <= _MOST
        and bool((op.deltas.int64 == op.deltas.int64[:, :1]).all())
    )
