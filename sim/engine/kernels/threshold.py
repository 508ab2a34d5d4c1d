"""Staircases of elements that no other step computes on the way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lutloom.core.ops import BorderThreshold, Threshold
from lutloom.core.windows import class_indices
from lutloom.sim.engine.kernels.lines import lower_lines
from lutloom.sim.engine.kernels.periods import as_stored, written_bits
from lutloom.sim.engine.kernels.table import add_table, codes_of
from lutloom.sim.engine.kernels.thermometer import lower_thermometer
from lutloom.sim.engine.program import SLACK
from lutloom.sim.engine.storage import Layout

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.graph import Node
    from lutloom.core.types import IntArray, IntType
    from lutloom.sim.engine.planner import Kept, Planner
    from lutloom.sim.engine.program import Operand

_FEW = 24
"""Up to how many thresholds of a channel are compared with bytes rather than looked up."""
_TOGETHER = 128
"""Elements that are compared at a time."""


@dataclass(frozen=True, eq=False)
class Comparisons:
    """``Threshold`` of native/threshold.cpp."""

    x: Operand
    y: Operand
    pixels: int
    channels: int
    levels: int
    period: int
    kinds: int
    bits: int
    kind_of: NDArray[np.int32]
    limits: NDArray[np.signedinteger]
    heights: NDArray[np.signedinteger]
    base: NDArray[np.signedinteger]


@dataclass(frozen=True, eq=False)
class Staircases:
    """``base + sum over t of heights[t] * (x > limits[t])``.

    ``limits`` and ``heights`` are ``[kinds, C, T]``, ``base [kinds, C]``; C is 1 for what all
    channels share. Limits are of what ``x`` is stored as, sums are taken modulo 2^64.
    """

    limits: IntArray
    heights: IntArray
    base: IntArray

    @property
    def levels(self) -> int:
        """How many thresholds there are."""
        return int(self.limits.shape[2])


def lower_threshold(planner: Planner, node: Node) -> None:
    """Add the step of a ``Threshold`` or a ``BorderThreshold``."""
    assert isinstance(node.op, Threshold | BorderThreshold)
    (value,) = node.inputs
    tensor = planner.type(value)
    x = planner.dense(value)
    kind_of = classes_of(node.op, tensor.shape, tensor.size // tensor.channels)
    if x.storage.layout is Layout.BYTES:
        *_, channels, levels = node.op.thresholds.shape
        if channels == 1 or levels > _FEW:
            values = _levels_of_codes(node.op, x)
            if lower_thermometer(planner, node.name, x, values):
                return
            add_table(planner, x, planner.make(node.name), values, tensor.size, kind_of)
            return
    y = planner.make(node.name)
    if lower_lines(planner, node.op, tensor, x, y):
        return
    stairs, y_operand = _coded(_staircases(node.op, tensor.element, x), y)
    *_, channels = stairs.base.shape
    period = 1 if channels == 1 else tensor.channels
    if len(stairs.base) == 1 and period > 1:
        period *= max(1, _TOGETHER // tensor.channels)
    bits = max(written_bits(as_stored(x.operand)), written_bits(y_operand))
    dtype = {16: "i2", 32: "i4", 64: "i8"}[bits]
    step = Comparisons(
        x=as_stored(x.operand),
        y=y_operand,
        pixels=tensor.size // tensor.channels,
        channels=tensor.channels,
        levels=stairs.levels,
        period=period,
        kinds=len(stairs.base),
        bits=bits,
        kind_of=kind_of,
        limits=_table(stairs.limits, period, dtype),
        heights=_table(stairs.heights, period, dtype),
        base=_table(stairs.base[..., None], period, dtype),
    )
    planner.add("threshold", step, (x.buffer,), (y.buffer,))


def classes_of(
    op: Threshold | BorderThreshold, shape: tuple[int, ...], pixels: int
) -> NDArray[np.int32]:
    """Return which of the tables of ``op`` each pixel of a tensor has, ``[pixels]``."""
    import numpy as np

    if isinstance(op, Threshold):
        return np.zeros(pixels, np.int32)
    rows, columns = class_indices(shape, op.rows, op.columns)
    numbers = np.asarray(rows * op.thresholds.shape[1] + columns)
    return np.ascontiguousarray(np.broadcast_to(numbers, shape[:-1]).ravel(), dtype=np.int32)


def _shared(op: Threshold | BorderThreshold) -> Threshold:
    """Return the staircases of all kinds and channels as those of so many channels."""
    return op.shared if isinstance(op, BorderThreshold) else op


def _levels_of_codes(op: Threshold | BorderThreshold, x: Kept) -> IntArray:
    """Return what becomes of each code, ``[kinds, C, 256]``."""
    import numpy as np

    *_, channels = op.base.shape
    codes = codes_of(x)[:, np.newaxis]
    columns = op.base.int64.size
    (levels,) = _shared(op).reference(np.broadcast_to(codes, (len(codes), columns)))
    return np.ascontiguousarray(levels.T.reshape(-1, channels, len(codes)))


def _staircases(op: Threshold | BorderThreshold, element: IntType, x: Kept) -> Staircases:
    """Return the staircases of ``op`` for integers of ``element``, which are stored as ``x`` is.

    Thresholds that are always reached are a part of the base, those that never are have no height.
    """
    import numpy as np

    *_, channels, levels = op.thresholds.shape
    thresholds = op.thresholds.int64.reshape(op.base.int64.size, levels)
    heights = np.broadcast_to(op.deltas.int64.reshape(len(thresholds), -1), thresholds.shape)
    base = op.base.int64.reshape(-1)
    always, never = thresholds <= element.lo, thresholds > element.hi
    base = base + np.where(always, heights, 0).sum(axis=1)
    heights = np.where(always | never, 0, heights)
    limits = np.where(always | never, element.hi, thresholds - ~always)
    if x.storage.layout is Layout.BYTES:
        limits = (limits - x.storage.lo) // x.storage.step
    counts = (~(always | never)).any(axis=0)
    shape = (len(base) // channels, channels, int(counts.sum()))
    return Staircases(
        limits[:, counts].reshape(shape), heights[:, counts].reshape(shape), base.reshape(shape[:2])
    )


def _coded(stairs: Staircases, y: Kept) -> tuple[Staircases, Operand]:
    """Return staircases of codes, and how they are written; of integers where steps are no codes.

    Codes are computed modulo 2^64, and so in any width that holds them.
    """
    if y.storage.layout is not Layout.BYTES:
        return stairs, y.operand
    lo, step = y.storage.lo, y.storage.step
    base = stairs.base - lo
    if (stairs.heights % step).any() or (base % step).any():
        return stairs, y.operand
    coded = replace(stairs, heights=stairs.heights // step, base=base // step)
    return coded, as_stored(y.operand)


def _table(rows: IntArray, period: int, dtype: str) -> NDArray[np.signedinteger]:
    """Return ``rows [kinds, C, T]`` as ``[kinds, T, period]``, and some room behind."""
    import numpy as np

    times = period // rows.shape[1]
    wide = np.tile(rows.swapaxes(1, 2), (1, 1, times))
    flat = wide.astype(dtype).ravel()
    return np.concatenate([flat, np.zeros(SLACK, dtype)])
