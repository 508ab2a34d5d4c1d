"""``y[i, c] = base[k, c] + sum over t of deltas[k, c, t] * (x[i, c] >= thresholds[k, c, t])``.

``i`` is a place of an image, ``k`` the pair of the classes of its row and of its column.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from lutloom.core.ops.threshold import Threshold
from lutloom.core.types import Const, TensorType
from lutloom.core.windows import check_classes, class_indices

if TYPE_CHECKING:
    from lutloom.core.types import IntArray


@dataclass(frozen=True)
class BorderThreshold:
    """Staircases that differ along the border of an image, where windows are cut off.

    ``thresholds [KR, KC, C, T]`` for ``KR`` classes of rows and ``KC`` of columns, ascending;
    ``base [KR, KC, C]``; ``deltas [KR, KC, C, T]``, or with 1 for ``T``. ``C`` is the number of
    channels, or 1 for what all share. ``rows [H]`` and ``columns [W]`` are classes; of one entry
    they stand for a single class.
    """

    name: ClassVar[str] = "border_threshold"
    thresholds: Const
    base: Const
    deltas: Const
    rows: Const
    columns: Const

    def __post_init__(self) -> None:
        shape = self.thresholds.shape
        if len(shape) != 4 or 0 in shape[:3]:
            raise TypeError(f"thresholds should have four dimensions, not {self.thresholds}")
        if self.base.shape != shape[:3]:
            raise TypeError(f"base should be {list(shape[:3])}, not {self.base}")
        check_classes(self.rows, self.columns, shape[:2])
        _ = self.shared

    @cached_property
    def shared(self) -> Threshold:
        """The same staircases as those of ``KR * KC * C`` channels, in this order."""
        channels = self.base.int64.size
        tables = (self.thresholds.data, self.deltas.data)
        thresholds, deltas = (Const(table.reshape(channels, table.shape[-1])) for table in tables)
        return Threshold(thresholds, Const(self.base.data.reshape(-1)), deltas)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """``[H, W, C] -> [H, W, C]``; of the steps those count that the input can reach."""
        (x,) = inputs
        channels = self.thresholds.shape[2]
        if channels not in (1, x.channels):
            raise TypeError(f"the thresholds are for {channels} channels, but the input is {x}")
        class_indices(x.shape, self.rows, self.columns)
        flat = TensorType(x.element, (self.base.int64.size,))
        (levels,) = self.shared.infer(flat)
        return (TensorType(levels.element, x.shape),)

    def reference(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        """Return the levels, int64."""
        import numpy as np

        (x,) = inputs
        rows, columns = class_indices(x.shape[1:], self.rows, self.columns)
        thresholds, deltas = self.thresholds.int64, self.deltas.int64
        y = np.broadcast_to(self.base.int64[rows, columns], x.shape).copy()
        for step in range(thresholds.shape[-1]):
            height = deltas[rows, columns, :, min(step, deltas.shape[-1] - 1)]
            y += height * (x >= thresholds[rows, columns, :, step])
        return (y,)
