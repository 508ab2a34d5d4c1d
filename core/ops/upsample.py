"""``y[i, j, ..., c] = x[i // factors[0], j // factors[1], ..., c // factors[-1]]``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from lutloom.core.types import TensorType

if TYPE_CHECKING:
    from lutloom.core.types import IntArray

_LARGEST_FACTOR = 2**20


@dataclass(frozen=True)
class Upsample:
    """Every element repeated along each axis: the nearest neighbour of a finer grid.

    A factor for each axis, channels too. An axis of size 1 becomes one of any size: that is how a
    tensor is broadcast.
    """

    name: ClassVar[str] = "upsample"
    factors: tuple[int, ...]

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """``x.shape -> x.shape * factors``."""
        (x,) = inputs
        if len(self.factors) != len(x.shape):
            raise TypeError(f"factors {list(self.factors)} are not one for each dimension of {x}")
        if not all(1 <= factor <= _LARGEST_FACTOR for factor in self.factors):
            raise TypeError(
                f"factors should be numbers from 1 to {_LARGEST_FACTOR}, not {list(self.factors)}"
            )
        sizes = zip(x.shape, self.factors, strict=True)
        return (TensorType(x.element, tuple(size * factor for size, factor in sizes)),)

    def reference(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        """Return the finer array."""
        (x,) = inputs
        for axis, factor in enumerate(self.factors, 1):
            x = x.repeat(factor, axis=axis)
        return (x,)
