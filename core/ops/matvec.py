"""``y[..., r] = sum over c of matrix[r, c] * x[..., g, c] + border[..., r]``.

``g = r // (R / groups)`` is the group of row ``r``: the part of the vector that it reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from lutloom.core.exact import matmul
from lutloom.core.sums import WeightSums, type_of_sums
from lutloom.core.types import Const, IntType, TensorType
from lutloom.core.windows import check_classes, class_indices

if TYPE_CHECKING:
    from lutloom.core.types import IntArray

_NOTHING, _SHARED = Const([[[0]]]), Const([0])


@dataclass(frozen=True)
class MatVec:
    """The streaming process behind every dense product: one row of ``matrix [R, C]`` a neuron.

    Rows are what processing elements (PE) share among themselves, columns what their lanes
    (SIMD) do. Of several ``groups`` each has ``R / groups`` rows, and ``C`` elements of the vector.

    ``border [KR, KC, R]`` is added for places ``[H, W]`` of the class ``rows[h], columns[w]``:
    where the windows of a convolution are cut off. ``rows`` and ``columns`` of one entry stand for
    a single class, ``border [1, 1, 1]`` of zero for nothing.
    """

    name: ClassVar[str] = "matvec"
    matrix: Const
    groups: int = 1
    border: Const = _NOTHING
    rows: Const = _SHARED
    columns: Const = _SHARED

    def __post_init__(self) -> None:
        if len(self.matrix.shape) != 2 or 0 in self.matrix.shape:
            raise TypeError(f"matrix should have two dimensions, not {self.matrix}")
        outputs = self.matrix.shape[0]
        if self.groups < 1 or outputs % self.groups:
            raise TypeError(f"{self.groups} groups do not divide the {outputs} rows of the matrix")
        shape = self.border.shape
        if len(shape) != 3 or shape[2] not in (1, outputs) or 0 in shape:
            raise TypeError(f"border should be [classes, classes, {outputs} or 1], not {shape}")
        check_classes(self.rows, self.columns, shape[:2])

    @cached_property
    def sums(self) -> WeightSums:
        """Sums of the positive and of the negative weights of every row."""
        return WeightSums.of(self.matrix, axis=1)

    @property
    def has_border(self) -> bool:
        """Whether anything is added."""
        return bool(self.border.lo or self.border.hi)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """``[..., groups * C] -> [..., R]``, as narrow as these very weights allow."""
        (x,) = inputs
        outputs, columns = self.matrix.shape
        if not x.shape or x.channels != columns * self.groups:
            wanted = f"{columns} columns" if self.groups == 1 else f"{self.groups} x {columns}"
            raise TypeError(f"the matrix has {wanted}, but the input is {x}")
        if self.has_border:
            class_indices(x.shape, self.rows, self.columns)
        return (TensorType(self._reach(x.element), (*x.shape[:-1], outputs)),)

    def _reach(self, x: IntType) -> IntType:
        if not self.has_border:
            return self.sums.reach(x)
        import numpy as np

        added = self.border.int64.astype(object)
        lows, highs = (
            (np.array(ends, dtype=object) + added).ravel().tolist() for ends in self.sums.bounds(x)
        )
        return type_of_sums(lows, highs, x.step * self.sums.divisor if x.count > 1 else 0)

    def reference(self, *inputs: IntArray, largest: int | None = None) -> tuple[IntArray, ...]:
        """Return the products, int64; no magnitude in the input is above ``largest``, if given."""
        import numpy as np

        (x,) = inputs
        columns = self.matrix.shape[1]
        if self.groups == 1:
            y = matmul(x, self.matrix.data.T, largest=largest)
        else:
            split = x.reshape(*x.shape[:-1], self.groups, columns)
            matrices = self.matrix.data.reshape(self.groups, -1, columns)
            parts = [
                matmul(split[..., group, :], matrix.T, largest=largest)
                for group, matrix in enumerate(matrices)
            ]
            y = np.concatenate(parts, axis=-1)
        if self.has_border:
            rows, places = class_indices(x.shape[1:], self.rows, self.columns)
            y = y + self.border.int64[rows, places]
        return (y,)
