"""``top_k.hpp``: a list of ``k`` numbers, into which ``pe`` are inserted one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.codegen.costs.loops import counters, loop
from lutloom.codegen.costs.parts import Adder, Comparator, Multiplexer, Parts, Registers

if TYPE_CHECKING:
    from lutloom.boards.device import Device
    from lutloom.codegen.kernels import Site
    from lutloom.core.plan import Folding


def parts(site: Site, folding: Folding, _device: Device) -> Parts:
    """Return the parts of ``top_k``: places are shifted where a number beats one before."""
    x, k, pe = site.inputs[0], site.op.k, folding.pe
    bits, number = x.element.bits, (x.channels - 1).bit_length()
    beats = x.channels // pe + k - 1
    # The first place keeps what it has or takes the number, another one takes its neighbour's too.
    chosen: Parts = ((pe, Multiplexer(2, bits + number)),)
    if k > 1:
        chosen += ((pe * (k - 1), Multiplexer(3, bits + number)), (1, Multiplexer(2, k * number)))
    return (
        *loop("top_k", x.size // x.channels * beats, pe * bits, number),
        *counters(beats),
        (pe * k, Comparator(bits)),
        *chosen,
        (k, Registers(bits + number + 1)),
        (1, Adder(number)),
    )
