"""``y[p, q, c] = max over i, j of x[s p + d i - b, s q + d j - b, c]``, within the image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from lutloom.core.types import TensorType
from lutloom.core.windows import Windows, tap_views

if TYPE_CHECKING:
    from lutloom.core.types import IntArray


@dataclass(frozen=True)
class MaxPool:
    """The largest integer of each window, channel by channel; padding is left out, not zero."""

    name: ClassVar[str] = "max_pool"
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: tuple[int, ...]

    @cached_property
    def windows(self) -> Windows:
        """Where the windows lie."""
        return Windows(self.kernel, self.stride, self.dilation, self.pads, (1,) * len(self.kernel))

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """``[*image, C] -> [*results, C]``; every window has to see a pixel."""
        (x,) = inputs
        image = x.shape[:-1]
        results = self.windows.results(image)
        if not self.windows.borders(image).masks.any(axis=-1).all():
            raise TypeError(f"a window lies in the padding {list(self.pads)} altogether")
        return (TensorType(x.element, (*results, x.channels)),)

    def reference(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        """Return the largest integers."""
        import numpy as np

        (x,) = inputs
        views = tap_views(x, self.windows, int(np.iinfo(np.int64).min))
        y = next(views)
        for view in views:
            y = np.maximum(y, view)
        return (y,)
