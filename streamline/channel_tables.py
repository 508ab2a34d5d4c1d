"""Numbers that channels have of their own, in operators that work channel by channel."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from lutloom.core.ops import Add, BorderThreshold, Requantize, Threshold
from lutloom.core.types import Const

if TYPE_CHECKING:
    from lutloom.core.types import IntArray

ByChannel: TypeAlias = Add | BorderThreshold | Requantize | Threshold


def own_channels(op: ByChannel) -> int:
    """Return how many channels have numbers of their own; 1 where all share them."""
    match op:
        case Add(multipliers):
            return multipliers.shape[1]
        case Threshold() | BorderThreshold():
            return op.thresholds.shape[-2]
        case Requantize():
            tables = (op.multipliers, op.biases, op.lowest, op.highest)
            return max(table.shape[0] for table in tables)


def with_channels(op: ByChannel, index: IntArray) -> ByChannel:
    """Return ``op`` for data whose channel ``i`` is what channel ``index[i]`` was."""

    def taken(table: Const, axis: int = 0) -> Const:
        if table.shape[axis] == 1:
            return table  # which all channels share
        return Const(table.data.take(index, axis=axis))

    match op:
        case Add(multipliers):
            return Add(taken(multipliers, 1))
        case Threshold(thresholds, base, deltas):
            return Threshold(taken(thresholds), taken(base), taken(deltas))
        case BorderThreshold():
            return replace(
                op,
                thresholds=taken(op.thresholds, 2),
                base=taken(op.base, 2),
                deltas=taken(op.deltas, 2),
            )
        case Requantize():
            return replace(
                op,
                multipliers=taken(op.multipliers),
                biases=taken(op.biases),
                lowest=taken(op.lowest),
                highest=taken(op.highest),
            )
