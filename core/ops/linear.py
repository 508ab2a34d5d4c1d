"""``y[..., m] = sum over k of x[..., k] * weights[k, m]``."""

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
class Linear:
    """A product with a constant matrix ``weights [K, M]`` over the last axis."""

    name: ClassVar[str] = "linear"
    weights: Const

    def __post_init__(self) -> None:
        if len(self.weights.shape) != 2 or 0 in self.weights.shape:
            raise TypeError(f"weights should be a matrix, not {self.weights}")

    @cached_property
    def sums(self) -> WeightSums:
        """Sums of the positive and of the negative weights of every output."""
        return WeightSums.of(self.weights, axis=0)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """``[..., K] -> [..., M]``, as narrow as these very weights allow."""
        (x,) = inputs
        fan_in, outputs = self.weights.shape
        if not x.shape or x.channels != fan_in:
            raise TypeError(f"the weights have a fan-in of {fan_in}, but the input is {x}")
        return (TensorType(self.sums.reach(x.element), (*x.shape[:-1], outputs)),)

    def reference(self, *inputs: IntArray, largest: int | None = None) -> tuple[IntArray, ...]:
        """Return the products, int64; no magnitude in the input is above ``largest``, if given."""
        (x,) = inputs
        return (matmul(x, self.weights.data, largest=largest),)
