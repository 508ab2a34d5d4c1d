"""``y = [x_0, x_1, ...]`` along one axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from lutloom.core.types import TensorType

if TYPE_CHECKING:
    from lutloom.core.types import IntArray


@dataclass(frozen=True)
class Concat:
    """Two or more tensors one behind the other along ``axis``, counted without the batch."""

    name: ClassVar[str] = "concat"
    axis: int

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """``[..., A, ...], [..., B, ...], ... -> [..., A + B + ..., ...]``: what holds them all."""
        if len(inputs) < 2:
            raise TypeError(f"there should be two inputs or more to join, not {len(inputs)}")
        first = inputs[0]
        if not 0 <= self.axis < len(first.shape):
            raise TypeError(f"axis {self.axis} is none of the dimensions of {first}")
        before, behind = first.shape[: self.axis], first.shape[self.axis + 1 :]
        for x in inputs[1:]:
            is_as_deep = len(x.shape) == len(first.shape)
            if not is_as_deep or (x.shape[: self.axis], x.shape[self.axis + 1 :]) != (
                before,
                behind,
            ):
                raise TypeError(f"the inputs {first} and {x} differ in more than axis {self.axis}")
        element = first.element
        for x in inputs[1:]:
            element = element.joined(x.element)
        size = sum(x.shape[self.axis] for x in inputs)
        return (TensorType(element, (*before, size, *behind)),)

    def reference(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        """Return the joined array."""
        import numpy as np

        return (np.concatenate(inputs, axis=self.axis + 1),)
