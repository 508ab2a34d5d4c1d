"""``y = x``, read in the same row-major order as a tensor of another shape."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, ClassVar

from lutloom.core.types import TensorType

if TYPE_CHECKING:
    from lutloom.core.types import IntArray


@dataclass(frozen=True)
class Reshape:
    """The same elements in the same order; a stream has no shape, so in hardware it is a wire."""

    name: ClassVar[str] = "reshape"
    shape: tuple[int, ...]

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """``x.shape -> shape``."""
        (x,) = inputs
        if prod(self.shape) != x.size:
            raise TypeError(f"{list(self.shape)} does not hold the {x.size} elements of {x}")
        return (TensorType(x.element, self.shape),)

    def reference(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        """Return the reshaped array."""
        (x,) = inputs
        return (x.reshape(x.shape[0], *self.shape),)
