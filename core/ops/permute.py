"""``y[i[axes[0]], i[axes[1]], ...] = x[i[0], i[1], ...]``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from lutloom.core.types import TensorType

if TYPE_CHECKING:
    from lutloom.core.types import IntArray


@dataclass(frozen=True)
class Permute:
    """A transposition: axis ``j`` of the result is axis ``axes[j]`` of the input."""

    name: ClassVar[str] = "permute"
    axes: tuple[int, ...]

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """``x.shape -> x.shape[axes]``."""
        (x,) = inputs
        if sorted(self.axes) != list(range(len(x.shape))):
            raise TypeError(f"axes {list(self.axes)} do not permute the dimensions of {x}")
        return (TensorType(x.element, tuple(x.shape[axis] for axis in self.axes)),)

    def reference(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        """Return the transposed array."""
        (x,) = inputs
        return (x.transpose(0, *(axis + 1 for axis in self.axes)),)
