"""``y[..., i, ...] = x[..., start + i, ...]`` along one axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from lutloom.core.types import TensorType

if TYPE_CHECKING:
    from lutloom.core.types import IntArray


@dataclass(frozen=True)
class Slice:
    """What lies from ``start`` up to ``stop`` along ``axis``, counted without the batch."""

    name: ClassVar[str] = "slice"
    axis: int
    start: int
    stop: int

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """``[..., A, ...] -> [..., stop - start, ...]``."""
        (x,) = inputs
        if not 0 <= self.axis < len(x.shape):
            raise TypeError(f"axis {self.axis} is none of the dimensions of {x}")
        if not 0 <= self.start < self.stop <= x.shape[self.axis]:
            raise TypeError(f"{self.start} to {self.stop} is no part of axis {self.axis} of {x}")
        size = self.stop - self.start
        shape = (*x.shape[: self.axis], size, *x.shape[self.axis + 1 :])
        return (TensorType(x.element, shape),)

    def reference(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        """Return the part."""
        (x,) = inputs
        return (x[(slice(None),) * (self.axis + 1) + (slice(self.start, self.stop),)],)
