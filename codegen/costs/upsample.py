"""``upsample.hpp``: a memory of what repeats, and two counters for each level of repetition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.codegen.costs.loops import buffer, counters, loop
from lutloom.codegen.costs.parts import Adder, Multiplexer, Parts, Registers
from lutloom.codegen.kernels import upsample

if TYPE_CHECKING:
    from lutloom.boards.device import Device
    from lutloom.codegen.kernels import Site
    from lutloom.core.plan import Folding


def parts(site: Site, folding: Folding, _device: Device) -> Parts:
    """Return the parts of ``upsample``."""
    y, levels = site.outputs[0], upsample.words_of(site, folding)
    (lanes,), (copied,) = upsample.KERNEL.lanes(site, folding)
    word, depth = lanes * y.element.bits, upsample.depth_of(levels)
    states = [count for level in levels for count in (level.size, level.repeats)]
    address = depth.bit_length()
    return (
        *loop("upsample", y.size // folding.pe, word, copied * y.element.bits),
        *counters(*states),
        *(buffer(depth, word, folding.memory) if depth > 1 else ()),
        # The last word again, one from the memory, or a new one.
        (1, Multiplexer(3 if depth > 1 else 2, word)),
        (1, Adder(address)),
        (1, Multiplexer(2 + len(levels), address)),
        (1, Registers(address)),
    )
