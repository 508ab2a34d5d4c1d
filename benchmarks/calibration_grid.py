"""Which parts are synthesized to calibrate the cost formulas: a grid of widths for each."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

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
)
from lutloom.core.plan import FifoMemory, Memory

if TYPE_CHECKING:
    from lutloom.codegen.costs.parts import Single

_BITS = (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48)
_NARROW = (2, 3, 4, 8, 12, 16)
_WORDS = (1, 2, 3, 4, 6, 8, 9, 12, 16, 24, 32, 36, 48, 64, 72, 96, 128, 192, 256, 512, 784)
_STATES = (2, 3, 4, 5, 8, 9, 10, 16, 25, 27, 32, 64, 100, 196, 784, 3136, 12544, 50176, 150528)
_DEPTHS = (2, 3, 4, 8, 16, 17, 32, 33, 64, 100, 128, 256)
_PAIRS = (
    (2, 1),
    (4, 1),
    (8, 1),
    (1, 2),
    (1, 4),
    (1, 8),
    (2, 2),
    (3, 3),
    (4, 2),
    (4, 4),
    (6, 6),
    (8, 2),
    (8, 4),
    (8, 8),
)


def grid() -> dict[str, tuple[Single, ...]]:
    """Return the parts by the names of their kinds."""
    return {
        "popcount": tuple(Popcount(bits) for bits in _WORDS if bits > 1),
        "popcount of xnors": tuple(Popcount(bits, has_xnor=True) for bits in _WORDS),
        "adder": tuple(map(Adder, _BITS)),
        "adder tree": tuple(
            AdderTree(terms, bits)
            for terms, bits in product((3, 4, 5, 8, 9, 16, 25, 32, 64), _NARROW)
        ),
        "negation": tuple(map(Negation, _BITS)),
        "multiplier": tuple(
            Multiplier(left, right)
            for left, right in product((2, 3, 4, 5, 6, 8, 10, 12, 16), repeat=2)
            if left >= right
        ),
        "constant multiplier": tuple(
            Multiplier(left, right, is_constant=True) for left, right in product(_NARROW, _NARROW)
        ),
        "dot product": tuple(
            DotProduct(terms, left, right)
            for terms, (left, right) in product((2, 3, 4, 8, 9, 16, 32, 64), _PAIRS)
        ),
        "comparator": tuple(map(Comparator, _BITS)),
        "constant comparator": tuple(Comparator(bits, is_constant=True) for bits in _BITS),
        "multiplexer": tuple(
            Multiplexer(ways, bits)
            for ways, bits in product((2, 3, 4, 5, 6, 8, 9, 12, 16, 24, 32, 64, 128), (1, 8))
        ),
        "constants": tuple(
            Rom(words, bits, Memory.LUTRAM)
            for words, bits in product((2, 3, 4, 8, 16, 32, 64, 100, 128, 256, 300, 512), (1, 4))
        ),
        "counter": tuple(map(Counter, _STATES)),
        "shift register": tuple(
            ShiftRegister(depth, bits) for depth, bits in product((1, *_DEPTHS), (1, 8))
        ),
        "memory": tuple(
            Ram(words, bits, Memory.LUTRAM)
            for words, bits in product((16, 32, 33, 64, 65, 128, 256, 512), (1, 3, 6, 7, 14, 24))
        ),
        "fifo": tuple(
            FifoBuffer(depth, bits, FifoMemory.SRL) for depth, bits in product(_DEPTHS, (1, 16))
        ),
    }
