"""``y[..., c] = clamp((x[..., c] * m[c] + b[c]) >> shift, lowest[c], highest[c])``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from lutloom.core.types import INT64_MAX, INT64_MIN, Const, IntType, TensorType

if TYPE_CHECKING:
    from lutloom.core.types import IntArray


@dataclass(frozen=True)
class Requantize:
    """A quantizer too wide for thresholds: a scale and an offset as a product and a shift.

    Every constant is ``[C]``, or ``[1]`` where all channels share it; the shift rounds down. With
    ``ties_to_even``, an odd level whose sum ``x * m + b`` is a multiple of ``2^shift`` becomes the
    even one below it: with half a level in ``b``, ties go to the even neighbour.
    """

    name: ClassVar[str] = "requantize"
    multipliers: Const
    biases: Const
    shift: int
    lowest: Const
    highest: Const
    ties_to_even: bool = False

    def __post_init__(self) -> None:
        sizes = set()
        for what in ("multipliers", "biases", "lowest", "highest"):
            const: Const = getattr(self, what)
            if len(const.shape) != 1 or const.shape[0] < 1:
                raise TypeError(f"{what} should be [channels] or [1], not {const}")
            sizes.add(const.shape[0])
        if len(sizes - {1}) > 1:
            raise TypeError(f"the constants are for {sorted(sizes - {1})} channels: not the same")
        if not 0 <= self.shift <= 62:
            raise TypeError(f"the shift should be 0 to 62, not {self.shift}")
        if (self.lowest.int64 > self.highest.int64).any():
            raise TypeError("a lowest level is above its highest")

    @property
    def channels(self) -> int:
        """How many channels the constants are for: 1 stands for any number of them."""
        consts = (self.multipliers, self.biases, self.lowest, self.highest)
        return max(const.shape[0] for const in consts)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """``[..., C] -> [..., C]``; raises ``TypeError`` also where a sum needs over 64 bits."""
        import numpy as np

        (x,) = inputs
        if self.channels not in (1, x.channels):
            raise TypeError(f"the constants are for {self.channels} channels, but the input is {x}")
        # In Python integers: that no sum leaves 64 bits is what is to be found out.
        m, b = (const.int64.astype(object) for const in (self.multipliers, self.biases))
        ends = [m * end + b for end in (x.element.lo, x.element.hi)]
        least, most = (int(pick([*ends[0], *ends[1]])) for pick in (min, max))
        if least < INT64_MIN or most > INT64_MAX:
            raise TypeError(f"a sum x * m + b of {x.element} needs more than 64 bits")
        levels = [self._levels(np.asarray(end).astype(np.int64)) for end in ends]
        # Every channel is monotone: what it gives lies between what it gives at the ends.
        reached = [int(pick(level)) for level in levels for pick in (np.min, np.max)]
        return (TensorType(IntType(min(reached), max(reached)), x.shape),)

    def reference(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        """Return the levels, int64."""
        (x,) = inputs
        return (self._levels(x * self.multipliers.int64 + self.biases.int64),)

    def _levels(self, sums: IntArray) -> IntArray:
        import numpy as np

        levels = sums >> self.shift
        if self.ties_to_even:
            levels -= (levels << self.shift == sums) & (levels % 2 == 1)
        clamped: IntArray = np.clip(levels, self.lowest.int64, self.highest.int64)
        return clamped
