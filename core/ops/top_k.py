"""``indices[..., j] = the channel with the j-th largest x``, ties to the lowest channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from lutloom.core.types import IntType, TensorType

if TYPE_CHECKING:
    from lutloom.core.types import IntArray


@dataclass(frozen=True)
class TopK:
    """The channels of the ``k`` largest values, largest first; ``k = 1`` is the argmax."""

    name: ClassVar[str] = "top_k"
    k: int

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """``[..., C] -> [..., k]``."""
        (x,) = inputs
        if not x.shape or not 1 <= self.k <= x.channels:
            raise TypeError(f"k should be at least 1 and at most the channels of {x}, not {self.k}")
        return (TensorType(IntType(0, x.channels - 1), (*x.shape[:-1], self.k)),)

    def reference(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        """Return the channel numbers, int64."""
        import numpy as np

        (x,) = inputs
        # A stable sort of the negated values keeps equal ones in the order of their channels;
        # the complement negates without overflow.
        return (np.argsort(~x, axis=-1, kind="stable")[..., : self.k].astype(np.int64),)
