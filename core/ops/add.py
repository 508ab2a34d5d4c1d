"""``y[..., c] = sum over i of multipliers[i, c] * x_i[..., c]``."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING, ClassVar

from lutloom.core.types import Const, IntType, TensorType

if TYPE_CHECKING:
    from lutloom.core.types import IntArray


@dataclass(frozen=True)
class Add:
    """The weighted sum of two or more tensors: branches whose scales meet.

    ``multipliers [inputs, C]``, or ``[inputs, 1]`` where all channels share them.
    """

    name: ClassVar[str] = "add"
    multipliers: Const

    def __post_init__(self) -> None:
        if len(self.multipliers.shape) != 2 or self.multipliers.shape[0] < 2:
            raise TypeError(
                f"multipliers should be [inputs, channels], for 2 inputs or more,"
                f" not {self.multipliers}"
            )

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """``[..., C], [..., C], ... -> [..., C]``, as narrow as the multipliers allow."""
        count, channels = self.multipliers.shape
        if len(inputs) != count:
            raise TypeError(f"the multipliers are for {count} inputs, not {len(inputs)}")
        first = inputs[0]
        for x in inputs[1:]:
            if x.shape != first.shape:
                raise TypeError(f"the inputs {first} and {x} differ in shape")
        if channels not in (1, first.channels):
            raise TypeError(f"the multipliers are for {channels} channels, the inputs are {first}")
        elements = [x.element for x in inputs]
        reaches = [_reach(column, elements) for column in self.multipliers.int64.T.tolist()]
        lo, hi = min(r.lo for r in reaches), max(r.hi for r in reaches)
        strides = (r.step if r.count > 1 else 0 for r in reaches)
        step = gcd(hi - lo, *strides, *(r.lo - lo for r in reaches))
        return (TensorType(IntType(lo, hi, step or 1), first.shape),)

    def reference(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        """Return the sums, int64."""
        y = self.multipliers.int64[0] * inputs[0]
        for row, x in zip(self.multipliers.int64[1:], inputs[1:], strict=True):
            y = y + row * x
        return (y,)


def _reach(multipliers: list[int], elements: list[IntType]) -> IntType:
    """Return the type of one channel's sum."""
    terms = list(zip(multipliers, elements, strict=True))
    lo = sum(min(m * x.lo, m * x.hi) for m, x in terms)
    hi = sum(max(m * x.lo, m * x.hi) for m, x in terms)
    step = gcd(*(m * x.step for m, x in terms if x.count > 1))
    return IntType(lo, hi, step or 1)
