"""``y[p, q, m] = sum over i, j, c of weights[i, j, c, m] * x[s p + d i - b, s q + d j - b, c]``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from lutloom.core.exact import conv
from lutloom.core.sums import TapSums
from lutloom.core.types import Const, TensorType
from lutloom.core.windows import Windows

if TYPE_CHECKING:
    from lutloom.core.types import IntArray


@dataclass(frozen=True)
class Conv:
    """A convolution with constant ``weights [*kernel, C / groups, M]``.

    Output ``m`` reads the channels of group ``m // (M / groups)``. Taps outside of the image see
    ``fill``: an integer of the input or not. A ``spacing`` above 1 makes it a transposed one.
    """

    name: ClassVar[str] = "conv"
    weights: Const
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: tuple[int, ...]
    spacing: tuple[int, ...]
    groups: int
    fill: int

    def __post_init__(self) -> None:
        if len(self.weights.shape) < 3 or 0 in self.weights.shape:
            raise TypeError(f"weights should be [*kernel, channels, outputs], not {self.weights}")
        if self.groups < 1 or self.weights.shape[-1] % self.groups:
            raise TypeError(f"{self.groups} groups do not divide the outputs of {self.weights}")

    @property
    def windows(self) -> Windows:
        """Where the windows lie."""
        kernel = self.weights.shape[:-2]
        return Windows(kernel, self.stride, self.dilation, self.pads, self.spacing)

    @cached_property
    def sums(self) -> TapSums:
        """Sums of the weights of every tap."""
        return TapSums.of(self.weights.data.reshape(self.windows.taps, *self.weights.shape[-2:]))

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """``[*image, C] -> [*results, M]``, as narrow as these very weights allow."""
        (x,) = inputs
        results = self.windows.results(x.shape[:-1])
        channels, outputs = self.weights.shape[-2:]
        if x.channels != channels * self.groups:
            raise TypeError(
                f"the weights are for {channels * self.groups} channels, but the input is {x}"
            )
        element = self.sums.reach_in(self.windows, x, self.fill)
        return (TensorType(element, (*results, outputs)),)

    def reference(self, *inputs: IntArray, largest: int | None = None) -> tuple[IntArray, ...]:
        """Return the sums, int64, of an input of magnitudes up to ``largest``, if that is known."""
        (x,) = inputs
        weights, windows = self.weights.data, self.windows
        return (conv(x, weights, windows, self.groups, self.fill, largest=largest),)
