"""``permute.hpp``: a circular memory of words, and counters in the order in which they leave."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from lutloom.codegen.costs.line_buffers import moves
from lutloom.codegen.costs.loops import bits_for, buffer, counters, loop
from lutloom.codegen.costs.parts import Multiplexer, Parts, Registers
from lutloom.codegen.kernels import permute

if TYPE_CHECKING:
    from lutloom.boards.device import Device
    from lutloom.codegen.kernels import Site
    from lutloom.core.plan import Folding


@lru_cache(maxsize=4096)
def _parts(site: Site, folding: Folding) -> Parts:
    walk = permute.walk_of(permute.move(site), folding.pe)
    word = folding.pe * site.inputs[0].element.bits
    loops = loop("permute", walk.beats, word, word)
    if not walk.depth:
        # Lanes that change places are wires.
        return loops
    slot = bits_for(walk.depth - 1)
    return (
        *loops,
        *buffer(walk.depth, word, folding.memory),
        *counters(*walk.sizes, walk.depth),
        *moves(1, slot, slot),
        (1, Multiplexer(len(walk.sizes), slot)),
        (1, Registers(slot)),
    )


def parts(site: Site, folding: Folding, _device: Device) -> Parts:
    """Return the parts of ``permute``."""
    return _parts(site, folding)
