"""``y[p, q, c] = sum over i, j of x[s p + d i - b, s q + d j - b, c]``, within the image."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING, ClassVar

from lutloom.core.types import IntType, TensorType
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

    @property
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
        lows = [count * x.element.lo for count in counts]
        lo, hi = min(lows), max(count * x.element.hi for count in counts)
        stride = x.element.step if x.element.count > 1 and counts[-1] else 0
        step = gcd(stride, hi - lo, *(low - lo for low in lows))
        return (TensorType(IntType(lo, hi, step or 1), (*results, x.channels)),)

    def reference(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        """Return the sums, int64."""
        (x,) = inputs
        views = tap_views(x, self.windows, 0)
        y = next(views)
        for view in views:
            y = y + view
        return (y,)
