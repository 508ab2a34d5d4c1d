"""Staircases of elements that no other step computes on the way."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from lutloom.core.ops import BorderThreshold, Threshold
from lutloom.core.windows import class_indices

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.graph import Node
    from lutloom.core.types import Const
    from lutloom.sim.engine.planner import Planner
    from lutloom.sim.engine.program import Operand


@dataclass(frozen=True, eq=False)
class Levels:
    """``Threshold`` of native/threshold.cpp."""

    x: Operand
    y: Operand
    pixels: int
    channels: int
    levels: int
    classes: NDArray[np.int32]
    thresholds: NDArray[np.int64]
    deltas: NDArray[np.int64]
    base: NDArray[np.int64]


def lower_threshold(planner: Planner, node: Node) -> None:
    """Add the step of a ``Threshold`` or a ``BorderThreshold``."""
    import numpy as np

    assert isinstance(node.op, Threshold | BorderThreshold)
    (value,) = node.inputs
    tensor = planner.type(value)
    x, y = planner.dense(value), planner.make(node.name)
    channels = tensor.channels
    pixels = tensor.size // channels
    levels = node.op.thresholds.shape[-1]
    *_, own = node.op.base.shape
    kinds = prod(node.op.base.shape) // own

    def table(const: Const) -> NDArray[np.int64]:
        """Return ``[classes, levels, channels]``."""
        rows = const.int64.reshape(kinds, own, const.shape[-1])
        wide = np.broadcast_to(rows, (kinds, channels, levels))
        return np.ascontiguousarray(wide.swapaxes(1, 2))

    base = node.op.base.int64.reshape(kinds, own)
    step = Levels(
        x.operand,
        y.operand,
        pixels,
        channels,
        levels,
        classes_of(node.op, tensor.shape, pixels),
        table(node.op.thresholds),
        table(node.op.deltas),
        np.ascontiguousarray(np.broadcast_to(base, (kinds, channels))),
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
