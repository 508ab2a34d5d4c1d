"""``y[j] = x`` for every copy j."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from lutloom.core.types import IntArray, TensorType

# More readers of one stream than any network has; a damaged file may ask for more than memory.
_MOST_COPIES = 1024


@dataclass(frozen=True)
class Duplicate:
    """One result for each reader: a stream can be read only once."""

    name: ClassVar[str] = "duplicate"
    copies: int

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """``x -> x, x, ...``."""
        (x,) = inputs
        if not 2 <= self.copies <= _MOST_COPIES:
            raise TypeError(f"copies should be 2 to {_MOST_COPIES}, not {self.copies}")
        return (x,) * self.copies

    def reference(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        """Return the copies."""
        (x,) = inputs
        return (x,) * self.copies
