"""``lookup.hpp``: a memory of rows, an address that goes on within one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.codegen.costs.loops import constants, counters, loop
from lutloom.codegen.costs.parts import Adder, Multiplexer, Parts
from lutloom.codegen.costs.products import constant_product
from lutloom.codegen.packing import RomLayout

if TYPE_CHECKING:
    from lutloom.boards.device import Device
    from lutloom.codegen.kernels import Site
    from lutloom.core.plan import Folding


def parts(site: Site, folding: Folding, _device: Device) -> Parts:
    """Return the parts of ``lookup``; words that are looked up have an entry each."""
    x, y, pe = site.inputs[0].element, site.outputs[0].element, folding.pe
    folds = site.op.table.shape[1] // pe
    layout = RomLayout.of(pe * y.bits, is_sequential=False)
    words = x.count * folds
    address = (words - 1).bit_length()
    return (
        *loop("lookup", site.outputs[0].size // pe, x.bits, pe * y.bits),
        *counters(folds),
        *constants(1, words, layout.chunks * layout.chunk_bits, folding.memory),
        *constant_product(x.bits, folds),
        (2, Adder(address)),
        (1, Multiplexer(2, address)),
    )
