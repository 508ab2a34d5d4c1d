"""``y_k[..., i, ...] = x[..., start_k + i, ...]`` along one axis."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from lutloom.core.ops.slice import Slice

if TYPE_CHECKING:
    from lutloom.core.types import IntArray, TensorType


@dataclass(frozen=True)
class Split:
    """One result for each of several parts along ``axis``, in their order.

    ``ends`` are ``(start_0, stop_0, start_1, stop_1, ...)``, ascending: parts don't overlap, and
    what lies between them is dropped.
    """

    name: ClassVar[str] = "split"
    axis: int
    ends: tuple[int, ...]

    @property
    def parts(self) -> tuple[Slice, ...]:
        """The operator that gives each result by itself."""
        return tuple(
            Slice(self.axis, start, stop)
            for start, stop in zip(self.ends[::2], self.ends[1::2], strict=True)
        )

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """``[..., A, ...] -> [..., stop_0 - start_0, ...], [..., stop_1 - start_1, ...], ...``."""
        if not self.ends or len(self.ends) % 2 or any(a > b for a, b in pairwise(self.ends)):
            raise TypeError(f"the ends of parts should come in ascending pairs, not {self.ends}")
        return tuple(part.infer(*inputs)[0] for part in self.parts)

    def reference(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        """Return the parts."""
        return tuple(part.reference(*inputs)[0] for part in self.parts)
