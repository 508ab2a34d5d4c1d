"""``y[..., c] = clamp((x[..., c] * m[c] + b[c]) >> shift, lowest[c], highest[c])``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from lutloom.core.multiply_shift import WIDE_SUM, ShiftRounding, shifted
from lutloom.core.types import INT64_MAX, INT64_MIN, Const, IntType, TensorType

if TYPE_CHECKING:
    from lutloom.core.multiply_shift import Integers
    from lutloom.core.types import IntArray

DIGIT_BITS = 32
"""Bits of a digit of a wide constant, but for the last one, which is signed."""


@dataclass(frozen=True)
class Requantize:
    """A quantizer too wide for thresholds: a scale and an offset as a product and a shift.

    ``multipliers`` and ``biases`` are ``[C, D]``: the digits of one number a channel, ``sum over d
    of digit[d] * 2^(32 d)``. ``lowest`` and ``highest`` are ``[C]``; ``C`` is 1 in those that all
    channels share. The shift rounds down, but for one of these:

    - ``ties_to_even``: an odd level whose sum ``x * m + b`` is a multiple of ``2^shift`` becomes
      the even one below it; with half a level in ``b``, ties go to the even neighbour.
    - ``to_zero``: a negative sum is rounded up.
    - ``from_zero``: a positive sum is rounded up.
    """

    name: ClassVar[str] = "requantize"
    multipliers: Const
    biases: Const
    shift: int
    lowest: Const
    highest: Const
    ties_to_even: bool = False
    to_zero: bool = False
    from_zero: bool = False

    def __post_init__(self) -> None:
        sizes = set()
        for what, rank in (("multipliers", 2), ("biases", 2), ("lowest", 1), ("highest", 1)):
            const: Const = getattr(self, what)
            if len(const.shape) != rank or min(const.shape) < 1:
                wanted = "[channels, digits]" if rank == 2 else "[channels]"
                raise TypeError(f"{what} should be {wanted}, not {const}")
            sizes.add(const.shape[0])
        if len(sizes - {1}) > 1:
            raise TypeError(f"the constants are for {sorted(sizes - {1})} channels: not the same")
        if not 0 <= self.shift <= WIDE_SUM:
            raise TypeError(f"the shift should be 0 to {WIDE_SUM}, not {self.shift}")
        if (self.lowest.int64 > self.highest.int64).any():
            raise TypeError("a lowest level is above its highest")
        if self.ties_to_even + self.to_zero + self.from_zero > 1:
            raise TypeError("the shift rounds in one way only")

    @property
    def rounding(self) -> ShiftRounding:
        """How the shift rounds."""
        if self.ties_to_even:
            return ShiftRounding.TIES_TO_EVEN
        if self.to_zero:
            return ShiftRounding.TO_ZERO
        return ShiftRounding.FROM_ZERO if self.from_zero else ShiftRounding.DOWN

    @property
    def channels(self) -> int:
        """How many channels the constants are for: 1 stands for any number of them."""
        consts = (self.multipliers, self.biases, self.lowest, self.highest)
        return max(const.shape[0] for const in consts)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """``[..., C] -> [..., C]``; raises ``TypeError`` also where a sum is too wide."""
        import numpy as np

        (x,) = inputs
        if self.channels not in (1, x.channels):
            raise TypeError(f"the constants are for {self.channels} channels, but the input is {x}")
        ends = np.array([[x.element.lo], [x.element.hi]], dtype=object)
        sums = ends * numbers(self.multipliers) + numbers(self.biases)
        widest = max(abs(int(total)) for total in sums.ravel()).bit_length()
        if widest > WIDE_SUM:
            raise TypeError(f"a sum x * m + b of {x.element} needs {widest} bits: over {WIDE_SUM}")
        # Every channel is monotone: what it gives lies between what it gives at the ends.
        reached = self._levels(sums)
        return (TensorType(IntType(int(reached.min()), int(reached.max())), x.shape),)

    def reference(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        """Return the levels, int64."""
        import numpy as np

        (x,) = inputs
        m, b = numbers(self.multipliers), numbers(self.biases)
        farthest = max(int(x.max(initial=0)), -int(x.min(initial=0)))
        if farthest * int(abs(m).max()) + int(abs(b).max()) <= INT64_MAX:
            return (self._levels(x * m.astype(np.int64) + b.astype(np.int64)),)
        return (self._levels(x.astype(object) * m + b),)

    def _levels(self, sums: Integers) -> IntArray:
        import numpy as np

        levels = shifted(sums, self.shift, self.rounding)
        clamped: IntArray = np.clip(levels, self.lowest.int64, self.highest.int64).astype(np.int64)
        return clamped


def numbers(const: Const) -> Integers:
    """Return the numbers ``[C]``, Python's integers, of digits ``[C, D]``."""
    import numpy as np

    weights = np.array([1 << (DIGIT_BITS * place) for place in range(const.shape[1])], dtype=object)
    values: Integers = const.int64.astype(object) @ weights
    return values


def digits(values: Integers) -> Const:
    """Return ``numbers``' inverse: one digit where all of ``[C]`` fit int64, else two.

    ``[1, D]`` where all are equal. The numbers have at most ``WIDE_SUM`` bits.
    """
    import numpy as np

    rows = values[:1] if (values == values[0]).all() else values
    fits = all(INT64_MIN <= int(value) <= INT64_MAX for value in rows)
    if fits:
        return Const(rows.astype(np.int64)[:, np.newaxis])
    low = rows & ((1 << DIGIT_BITS) - 1)
    return Const(np.stack([low, rows >> DIGIT_BITS], axis=1).astype(np.int64))
