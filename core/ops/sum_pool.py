"""``y[p, q, c] = sum over i, j of x[s p + d i - b, s q + d j - b, c]``, within the image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from lutloom.core.sums import type_of_sums
from lutloom.core.types import TensorType
from lutloom.core.windows import Windows, tap_views

if TYPE_CHECKING:
    from lutloom.core.types import IntArray


@dataclass(frozen=True)
class SumPool:
    """The sum of each window, channel by channel: an average before its division."""

    name: ClassVar[str] = "sum_pool"
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: tuple[int, ...]

    @cached_property
    def windows(self) -> Windows:
        """Where the windows lie."""
        return Windows(self.kernel, self.stride, self.dilation, self.pads, (1,) * len(self.kernel))

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """``[*image, C] -> [*results, C]``, as narrow as the taps within the image allow."""
        import numpy as np

        (x,) = inputs
        image = x.shape[:-1]
        results = self.windows.results(image)
        counts = np.unique(self.windows.borders(image).masks.sum(axis=-1)).tolist()
        lows, highs = ([count * end for count in counts] for end in (x.element.lo, x.element.hi))
        stride = x.element.step if x.element.count > 1 and counts[-1] else 0
        return (TensorType(type_of_sums(lows, highs, stride), (*results, x.channels)),)

    def reference(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        """Return the sums, int64."""
        (x,) = inputs
        views = tap_views(x, self.windows, 0)
        y = next(views)
        for view in views:
            y = y + view
        return (y,)
