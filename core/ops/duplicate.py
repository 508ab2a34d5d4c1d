"""``y[j] = x`` for every copy j."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from lutloom.core.types import IntArray, TensorType


@dataclass(frozen=True)
class Duplicate:
    """One result for each reader: a stream can be read only once."""

    name: ClassVar[str] = "duplicate"
    copies: int

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """``x -> x, x, ...``."""
        (x,) = inputs
        if self.copies < 2:
            raise TypeError(f"copies should be at least 2, not {self.copies}")
        return (x,) * self.copies

    def reference(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        """Return the copies."""
        (x,) = inputs
        return (x,) * self.copies
