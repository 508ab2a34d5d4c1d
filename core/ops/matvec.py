"""``y[..., r] = sum over c of matrix[r, c] * x[..., c]``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from lutloom.core.exact import matmul
from lutloom.core.sums import WeightSums
from lutloom.core.types import Const, TensorType

if TYPE_CHECKING:
    from lutloom.core.types import IntArray


@dataclass(frozen=True)
class MatVec:
    """The streaming process behind every dense product: one row of ``matrix [R, C]`` a neuron.

    Rows are what processing elements (PE) share among themselves, columns what their lanes
    (SIMD) do.
    """

    name: ClassVar[str] = "matvec"
    matrix: Const

    def __post_init__(self) -> None:
        if len(self.matrix.shape) != 2 or 0 in self.matrix.shape:
            raise TypeError(f"matrix should have two dimensions, not {self.matrix}")

    @cached_property
    def sums(self) -> WeightSums:
        """Sums of the positive and of the negative weights of every row."""
        return WeightSums.of(self.matrix, axis=1)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """``[..., C] -> [..., R]``, as narrow as these very weights allow."""
        (x,) = inputs
        rows, columns = self.matrix.shape
        if not x.shape or x.channels != columns:
            raise TypeError(f"the matrix has {columns} columns, but the input is {x}")
        return (TensorType(self.sums.reach(x.element), (*x.shape[:-1], rows)),)

    def reference(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        """Return the products, int64."""
        (x,) = inputs
        return (matmul(x, self.matrix.data.T),)
