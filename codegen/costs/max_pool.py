"""``max_pool.hpp``: the larger of two codes, for each of ``pe`` channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.codegen.costs.parts import Comparator, Multiplexer, Parts
from lutloom.codegen.costs.pools import pool_parts

if TYPE_CHECKING:
    from lutloom.boards.device import Device
    from lutloom.codegen.kernels import Site
    from lutloom.core.plan import Folding


def parts(site: Site, folding: Folding, _device: Device) -> Parts:
    """Return the parts of ``max_pool`` or ``disjoint_max_pool``."""
    bits, pe = site.inputs[0].element.bits, folding.pe
    largest: Parts = ((pe, Comparator(bits)), (pe, Multiplexer(2, bits)))
    return (*pool_parts(site, folding), *largest)
