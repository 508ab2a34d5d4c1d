"""Operators with more channels: what they do to those that are there stays the same.

What a product reads of an added channel is multiplied by zero. An added channel of a result is a
copy of the last one of its run, by copies of its weights and thresholds: so no value has any other
integers than before, and every type stays. Where an added channel has to carry zeros, its weights
or levels are zeros instead.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from lutloom.core.ops import (
    Add,
    BorderThreshold,
    Depthwise,
    Lookup,
    MatVec,
    Requantize,
    Reshape,
    Threshold,
)
from lutloom.core.types import Const, TensorType

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.op import Op
    from lutloom.core.types import IntArray


@dataclass(frozen=True)
class Runs:
    """How the last dimension of a value grows: runs of ``channels`` to ``padded`` ones each."""

    channels: int
    padded: int

    def length(self, before: int) -> int:
        """Return what a dimension of ``before`` elements grows to."""
        return before // self.channels * self.padded

    def widened(self, tensor: TensorType) -> TensorType:
        """Return the type of the value with its added channels."""
        if self.padded == self.channels:
            return tensor
        return TensorType(tensor.element, (*tensor.shape[:-1], self.length(tensor.shape[-1])))

    def sources(self, before: int) -> IntArray:
        """Return of which element each is a copy, ``[length]``: added ones of their run's last."""
        import numpy as np

        places = np.minimum(np.arange(self.padded), self.channels - 1)
        starts = np.arange(0, before, self.channels)[:, np.newaxis]
        found: IntArray = (starts + places).reshape(-1)
        return found

    def added(self, before: int) -> NDArray[np.bool_]:
        """Return which elements are added ones, ``[length]``."""
        import numpy as np

        is_added = np.arange(self.padded) >= self.channels
        return np.tile(is_added, before // self.channels)

    def real(self, values: IntArray) -> IntArray:
        """Return ``values [..., L]`` without the added channels."""
        *leading, last = values.shape
        rows = values.reshape(*leading, last // self.padded, self.padded)[..., : self.channels]
        return rows.reshape(*leading, last // self.padded * self.channels)


@dataclass(frozen=True)
class _Growth:
    """How a dimension of ``before`` elements of an operator's constants grows.

    ``is_zero`` says that its result's added channels carry zeros.
    """

    runs: Runs
    before: int
    is_zero: bool

    @cached_property
    def sources(self) -> IntArray:
        return self.runs.sources(self.before)

    @cached_property
    def added(self) -> NDArray[np.bool_]:
        return self.runs.added(self.before)

    def wide(self, const: Const, axis: int) -> NDArray[np.integer]:
        """Return the entries of ``const`` with copies along ``axis``, its own for each element."""
        data = const.data
        if data.shape[axis] != self.before:
            data = data.repeat(self.before, axis)
        return data.take(self.sources, axis)

    def copied(self, const: Const, axis: int) -> Const:
        """Return ``const`` with copies along ``axis``; as it is, if all share one entry there."""
        return const if const.shape[axis] == 1 else Const(self.wide(const, axis))

    def zeroed(self, const: Const, axis: int) -> Const:
        """Return ``const`` with zeros along ``axis`` if the result's are, else ``copied``."""
        return self.zeros(const, axis) if self.is_zero else self.copied(const, axis)

    def own(self, const: Const, axis: int) -> Const:
        """Return the same of a constant that is never shared along ``axis``."""
        return self.zeros(const, axis) if self.is_zero else Const(self.wide(const, axis))

    def zeros(self, const: Const, axis: int) -> Const:
        """Return ``const`` with zeros along ``axis``."""
        import numpy as np

        wide = self.wide(const, axis)
        np.moveaxis(wide, axis, 0)[self.added] = 0
        return Const(wide)


def padded_op(op: Op, x: TensorType, reads: Runs, y: TensorType, writes: Runs, *, zero: bool) -> Op:
    """Return ``op``, which reads ``x`` and writes ``y``, with the runs of both grown.

    With ``zero`` the added channels of the result are zeros, where the operator can make some.
    """
    if reads.padded == reads.channels and writes.padded == writes.channels:
        return op
    grown = _Growth(writes, y.channels, zero)
    match op:
        case MatVec(matrix=matrix, border=border):
            columns = _Growth(reads, x.channels, is_zero=True)
            rows = grown.own(columns.zeros(matrix, 1), 0)
            is_plain = border.shape == (1, 1, 1) and not op.has_border
            return replace(op, matrix=rows, border=border if is_plain else grown.zeroed(border, 2))
        case Lookup(table=table):
            return replace(op, table=grown.own(table, 1))
        case Depthwise(weights=weights):
            return replace(op, weights=grown.own(weights, -1))
        case Add(multipliers=multipliers):
            return replace(op, multipliers=grown.zeroed(multipliers, 1))
        case Threshold() | BorderThreshold():
            return _staircases(op, grown)
        case Requantize():
            return _requantize(op, grown)
        case Reshape(shape=shape):
            return Reshape((*shape[:-1], writes.length(shape[-1])))
        case _:
            return op


def _staircases(op: Threshold | BorderThreshold, grown: _Growth) -> Op:
    if not grown.is_zero:
        tables = (grown.copied(op.thresholds, -2), grown.copied(op.base, -1))
        return replace(op, thresholds=tables[0], base=tables[1], deltas=grown.copied(op.deltas, -2))
    # A row of thresholds for each base: of shared ones copies.
    return replace(
        op,
        thresholds=Const(grown.wide(op.thresholds, -2)),
        base=grown.zeros(op.base, -1),
        deltas=grown.zeros(op.deltas, -2),
    )


def _requantize(op: Requantize, grown: _Growth) -> Op:
    return replace(
        op,
        multipliers=grown.copied(op.multipliers, 0),
        biases=grown.copied(op.biases, 0),
        lowest=grown.zeroed(op.lowest, 0),
        highest=grown.zeroed(op.highest, 0),
    )
