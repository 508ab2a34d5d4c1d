"""``y = a * b``, element by element."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from lutloom.core.sums import type_of_products
from lutloom.core.types import TensorType

if TYPE_CHECKING:
    from lutloom.core.types import IntArray


@dataclass(frozen=True)
class Multiply:
    """The product of two tensors of one shape."""

    name: ClassVar[str] = "multiply"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """``[...], [...] -> [...]``, as narrow as the factors allow."""
        a, b = inputs
        if a.shape != b.shape:
            raise TypeError(f"the factors {a} and {b} differ in shape")
        return (TensorType(type_of_products(a.element, b.element), a.shape),)

    def reference(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        """Return the products, int64."""
        a, b = inputs
        return (a * b,)
