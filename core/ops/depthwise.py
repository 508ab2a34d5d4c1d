"""``y[p, q, c] = sum over i, j of weights[i, j, c] * x[s p + d i - b, s q + d j - b, c]``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from lutloom.core.sums import TapSums
from lutloom.core.types import Const, TensorType
from lutloom.core.windows import Windows, tap_views

if TYPE_CHECKING:
    from lutloom.core.types import IntArray


@dataclass(frozen=True)
class Depthwise:
    """The streaming process behind a depthwise convolution: one window a channel.

    ``weights [*kernel, C]``; masked taps see ``fill``.
    """

    name: ClassVar[str] = "depthwise"
    weights: Const
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: tuple[int, ...]
    spacing: tuple[int, ...]
    fill: int

    @cached_property
    def windows(self) -> Windows:
        """Where the windows lie."""
        kernel = self.weights.shape[:-1]
        return Windows(kernel, self.stride, self.dilation, self.pads, self.spacing)

    @cached_property
    def sums(self) -> TapSums:
        """Sums of the weights of every tap."""
        return TapSums.of(self.weights.data.reshape(self.windows.taps, 1, -1))

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """``[*image, C] -> [*results, C]``, as narrow as these very weights allow."""
        (x,) = inputs
        results = self.windows.results(x.shape[:-1])
        if x.channels != self.weights.shape[-1]:
            raise TypeError(f"the weights are for {self.weights.shape[-1]} channels, the input {x}")
        element = self.sums.reach_in(self.windows, x, self.fill)
        return (TensorType(element, (*results, x.channels)),)

    def reference(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        """Return the sums, int64."""
        (x,) = inputs
        weights = self.weights.int64.reshape(self.windows.taps, -1)
        y = 0 * weights[0]
        for row, view in zip(weights, tap_views(x, self.windows, self.fill), strict=True):
            y = y + row * view
        return (y,)
