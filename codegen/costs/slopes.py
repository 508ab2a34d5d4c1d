"""``requantize.hpp``: in each lane a product, a sum, a shift and a clamp."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from lutloom.codegen.costs.loops import constants, spanning_bits
from lutloom.codegen.costs.parts import (
    Adder,
    Comparator,
    Group,
    Multiplexer,
    Parts,
    Registers,
)
from lutloom.codegen.costs.products import product
from lutloom.codegen.kernels import requantize
from lutloom.core.multiply_shift import ShiftRounding

if TYPE_CHECKING:
    from lutloom.boards.device import Device, DspType
    from lutloom.codegen.kernels import Site
    from lutloom.codegen.kernels.slopes import Slope
    from lutloom.core.plan import Folding, Multiplier


@dataclass(frozen=True, slots=True)
class Clamped:
    """A product of ``in_bits`` by ``factor_bits`` in sums of ``sum_bits``, shifted and clamped.

    Multipliers and biases, and bounds, may be shared by all channels.
    """

    in_bits: int
    factor_bits: int
    bias_bits: int
    sum_bits: int
    shift: int
    out_bits: int
    rounds_down: bool
    shares_line: bool
    shares_bounds: bool

    @classmethod
    def of(cls, site: Site, slope: Slope) -> Clamped:
        """Return the widths of ``slope`` in the process ``site``."""
        x, line = site.inputs[0], slope.line
        ends = [(int(n.min()), int(n.max())) for n in (line.multipliers, line.biases)]
        return cls(
            x.element.bits,
            requantize.factor_bits(line)[0],
            spanning_bits(*ends[1]),
            requantize.sum_bits(site, slope),
            line.shift,
            site.outputs[0].element.bits,
            line.rounding is ShiftRounding.DOWN,
            all(lo == hi for lo, hi in ends),
            len(slope.lowest) == len(slope.highest) == 1,
        )

    def parts(self, pe: int, folds: int, folding: Folding, device: Device) -> Parts:
        """Return the parts of ``pe`` lanes with ``folds`` channels each."""
        words = 1 if self.shares_line else folds
        bounds = 1 if self.shares_bounds else folds
        multiplier, dsp_type = folding.multiplier, device.dsp_type
        return (
            *constants(pe, words, self.factor_bits),
            *constants(pe, words, self.bias_bits),
            *constants(2 * pe, bounds, self.out_bits),
            (pe, _lane(self, words == 1, bounds == 1, multiplier, dsp_type)),
        )

    def lane(self, multiplied: Parts, *, has_one_clamp: bool) -> Parts:
        """Return what is behind a product, ``multiplied``: in one lane."""
        level = self.sum_bits - self.shift
        # Up by one, where the sum's sign and what was shifted out say so.
        rounding: Parts = ((1, Adder(level)), (1, Comparator(self.shift)))
        return (
            *multiplied,
            (1, Adder(self.sum_bits)),
            *(() if self.rounds_down else rounding),
            (2, Comparator(level, is_constant=has_one_clamp)),
            (1, Multiplexer(3, self.out_bits)),
            (1, Registers(self.in_bits + self.sum_bits + level)),
        )


@lru_cache(maxsize=1024)
def _lane(
    clamped: Clamped,
    has_one_line: bool,  # noqa: FBT001 - keys
    has_one_clamp: bool,  # noqa: FBT001
    multiplier: Multiplier,
    dsp_type: DspType,
) -> Group:
    """Return a product and what is behind it."""
    bits = clamped.in_bits, clamped.factor_bits
    multiplied = product(*bits, 1, multiplier, dsp_type, is_constant=has_one_line)
    return Group(clamped.lane(multiplied, has_one_clamp=has_one_clamp))
