"""``y[p, q, g, i, j, c] = x[s p + d i - b, s q + d j - b, C/G g + c]``, outside of x ``fill``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from lutloom.core.types import IntType, TensorType
from lutloom.core.windows import Windows, tap_views

if TYPE_CHECKING:
    from lutloom.core.types import IntArray


@dataclass(frozen=True)
class Window:
    """What each window of an image sees, a row each: ``[*image, C] -> [*results, G * taps * C/G]``.

    Of the ``groups`` G of channels each has its taps together, in row-major order, and of each tap
    its channels. With a kernel of one tap this is padding, cropping and striding.
    """

    name: ClassVar[str] = "window"
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: tuple[int, ...]
    spacing: tuple[int, ...]
    groups: int
    fill: int

    @cached_property
    def windows(self) -> Windows:
        """Where the windows lie."""
        return Windows(self.kernel, self.stride, self.dilation, self.pads, self.spacing)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """``[*image, C] -> [*results, taps * C]``, of integers of ``x``, and ``fill`` if masked."""
        (x,) = inputs
        image = x.shape[:-1]
        results = self.windows.results(image)
        if self.groups < 1 or x.channels % self.groups:
            raise TypeError(f"{self.groups} groups do not divide the {x.channels} channels of {x}")
        borders = self.windows.borders(image)
        element = x.element if borders.is_seeing else IntType(self.fill, self.fill)
        if borders.is_masking:
            element = element.including(self.fill)
        return (TensorType(element, (*results, self.windows.taps * x.channels)),)

    def reference(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        """Return the rows."""
        import numpy as np

        (x,) = inputs
        views = np.stack(list(tap_views(x, self.windows, self.fill)), axis=-2)
        *leading, taps, channels = views.shape
        split = views.reshape(*leading, taps, self.groups, channels // self.groups)
        return (split.swapaxes(-2, -3).reshape(*leading, taps * channels),)
