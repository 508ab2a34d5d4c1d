"""Which parts the formulas were held against a synthesis tool's figures for: up to these widths.

The figures are those of ``benchmarks/calibration.json``, which says what is left between them and
the formulas. What is made bit by bit has no largest width.
"""

from __future__ import annotations

from lutloom.codegen.costs.parts import (
    Adder,
    AdderTree,
    Comparator,
    Counter,
    DotProduct,
    FifoBuffer,
    Multiplexer,
    Multiplier,
    Negation,
    Popcount,
    Ram,
    Rom,
    ShiftRegister,
    Single,
)
from lutloom.core.plan import FifoMemory, Memory

_MOST: dict[type[Single], tuple[int, ...]] = {
    Popcount: (784,),
    Adder: (48,),
    AdderTree: (64, 16),
    Negation: (48,),
    Multiplier: (16, 16),
    DotProduct: (64, 8, 8),
    Comparator: (48,),
    Multiplexer: (128,),
    Counter: (150_528,),
    ShiftRegister: (256,),
    Rom: (512,),
    Ram: (512,),
    FifoBuffer: (256,),
}
_IN_LUTS = (Memory.LUTRAM, FifoMemory.SRL)


def is_calibrated(part: Single) -> bool:
    """Return whether the look-up tables of ``part`` are within what was synthesized."""
    if isinstance(part, Rom | Ram | FifoBuffer) and part.memory not in _IN_LUTS:
        return False
    most = _MOST.get(type(part))
    return most is not None and all(
        width <= limit for width, limit in zip(_widths(part), most, strict=False)
    )


def _widths(part: Single) -> tuple[int, ...]:
    """Return the numbers of a part in the order of its fields."""
    return tuple(getattr(part, name) for name in part.__slots__)
