"""``duplicate.hpp``: a word to each reader."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.codegen.costs.loops import loop

if TYPE_CHECKING:
    from lutloom.boards.device import Device
    from lutloom.codegen.costs.parts import Parts
    from lutloom.codegen.kernels import Site
    from lutloom.core.plan import Folding


def parts(site: Site, folding: Folding, _device: Device) -> Parts:
    """Return the parts of ``duplicate``: a register that all readers share."""
    x = site.inputs[0]
    word = folding.pe * x.element.bits
    return loop("duplicate", x.size // folding.pe, word, *[0] * len(site.outputs))
