"""``y[..., :] = table[x[...] - first, :]``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from lutloom.core.types import Const, IntType, TensorType

if TYPE_CHECKING:
    from lutloom.core.types import IntArray


@dataclass(frozen=True)
class Lookup:
    """A row of ``table [rows, width]`` for every integer: an embedding.

    ``first`` is the integer of the first row.
    """

    name: ClassVar[str] = "lookup"
    table: Const
    first: int = 0

    def __post_init__(self) -> None:
        if len(self.table.shape) != 2 or 0 in self.table.shape:
            raise TypeError(f"the table should be [rows, width], not {self.table}")

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """``[...] -> [..., width]``, as narrow as the rows within reach allow."""
        import numpy as np

        (x,) = inputs
        rows, width = self.table.shape
        lo, hi = x.element.lo - self.first, x.element.hi - self.first
        if lo < 0 or hi >= rows:
            raise TypeError(
                f"the integers of {x} reach beyond the table, which holds {self.first} to"
                f" {self.first + rows - 1}"
            )
        reached = np.unique(self.table.data[lo : hi + 1 : x.element.step])
        return (TensorType(IntType.spanning(reached.tolist()), (*x.shape, width)),)

    def reference(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        """Return the rows, int64."""
        (x,) = inputs
        return (self.table.int64[x - self.first],)
