"""``y[..., c] = base[c] + sum over t of deltas[c, t] * (x[..., c] >= thresholds[c, t])``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from lutloom.core.types import Const, IntType, TensorType

if TYPE_CHECKING:
    from lutloom.core.types import IntArray


@dataclass(frozen=True)
class Threshold:
    """A staircase a channel, with any base, and steps of any height, up and down.

    ``thresholds [C, T]``, ascending in every row; ``base [C]``; ``deltas [C, T]`` or ``[C, 1]``.
    ``C`` is the number of channels, or 1 for one staircase that all of them share. A quantizer
    is one with equal steps up, a quantizer behind a negative gamma one with steps down.
    """

    name: ClassVar[str] = "threshold"
    thresholds: Const
    base: Const
    deltas: Const

    def __post_init__(self) -> None:
        import numpy as np

        if len(self.thresholds.shape) != 2 or self.thresholds.shape[0] < 1:
            raise TypeError(f"thresholds should be [channels, steps], not {self.thresholds}")
        channels, steps = self.thresholds.shape
        if self.base.shape != (channels,):
            raise TypeError(f"base should be [{channels}], not {self.base}")
        if self.deltas.shape not in {(channels, steps), (channels, 1)}:
            raise TypeError(f"deltas should be [{channels}, {steps} or 1], not {self.deltas}")
        rows = self.thresholds.data
        descends = (rows[:, :-1] > rows[:, 1:]).any(axis=1)
        if descends.any():
            raise TypeError(f"the thresholds of channel {int(np.argmax(descends))} do not ascend")

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """``[..., C] -> [..., C]``; only the steps that the input can reach count."""
        (x,) = inputs
        channels = self.thresholds.shape[0]
        if channels not in (1, x.channels):
            raise TypeError(f"the thresholds are for {channels} channels, but the input is {x}")
        if x.element not in self._reaches:
            self._reaches[x.element] = self._reach(x.element)
        return (TensorType(self._reaches[x.element], x.shape),)

    @cached_property
    def _reaches(self) -> dict[IntType, IntType]:
        # Every pass types a graph anew, and a table may hold a million thresholds.
        return {}

    def _reach(self, x: IntType) -> IntType:
        import numpy as np

        channels = self.thresholds.shape[0]
        rows = self.thresholds.int64
        heights = np.broadcast_to(self.deltas.int64, rows.shape)
        start = self.base.int64[:, np.newaxis]
        levels = np.concatenate([start, start + heights.cumsum(axis=1)], axis=1)
        # How many values of x lie below each threshold; unsigned: a difference may need 64 bits.
        distance = np.maximum(rows, x.lo).view(np.uint64) - np.int64(x.lo).view(np.uint64)
        below = distance // np.uint64(x.step) + (distance % np.uint64(x.step) != 0)
        # Level t is seen by the values from threshold t - 1 up to below threshold t, if any.
        first = np.concatenate([np.zeros((channels, 1), np.uint64), below], axis=1)
        seen = levels[
            np.concatenate([first[:, :-1] < below, first[:, -1:] < x.count], axis=1)
            & (first < x.count)
        ]
        return IntType.spanning(np.unique(seen).tolist())

    def reference(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        """Return the levels, int64."""
        import numpy as np

        (x,) = inputs
        heights = np.broadcast_to(self.deltas.int64, self.thresholds.shape)
        y = np.broadcast_to(self.base.int64, x.shape).copy()
        for step in range(self.thresholds.shape[1]):
            y += heights[:, step] * (x >= self.thresholds.int64[:, step])
        return (y,)
