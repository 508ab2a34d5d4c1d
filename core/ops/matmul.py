"""``y[..., i, j] = sum over k of a[..., i, k] * b[..., j, k]``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from lutloom.core.exact import matmul
from lutloom.core.sums import type_of_products
from lutloom.core.types import IntType, TensorType

if TYPE_CHECKING:
    from lutloom.core.types import IntArray


@dataclass(frozen=True)
class MatMul:
    """The product of two matrices that both depend on the data, as in attention.

    The second one comes transposed: the vectors that are multiplied lie in both as they are read.
    """

    name: ClassVar[str] = "matmul"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """``[..., N, K], [..., M, K] -> [..., N, M]``, as narrow as the factors allow."""
        a, b = inputs
        if min(len(a.shape), len(b.shape)) < 2 or (*a.shape[:-2], a.shape[-1]) != (
            *b.shape[:-2],
            b.shape[-1],
        ):
            raise TypeError(f"{a} and {b} should be [..., N, K] and [..., M, K]")
        product = type_of_products(a.element, b.element)
        terms = a.shape[-1]
        sums = IntType(terms * product.lo, terms * product.hi, product.step)
        return (TensorType(sums, (*a.shape[:-1], b.shape[-2])),)

    def reference(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        """Return the products, int64."""
        a, b = inputs
        return (matmul(a, b.swapaxes(-1, -2)),)
