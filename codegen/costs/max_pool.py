"""``max_pool.hpp``: the larger of two codes, for each of ``pe`` channels, or a tree of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.codegen.costs.parts import Comparator, Multiplexer, Parts
from lutloom.codegen.costs.pools import pool_parts
from lutloom.codegen.kernels import pools

if TYPE_CHECKING:
    from lutloom.boards.device import Device
    from lutloom.codegen.kernels import Site
    from lutloom.core.plan import Folding


def parts(site: Site, folding: Folding, _device: Device) -> Parts:
    """Return the parts of ``max_pool``, ``disjoint_max_pool`` or ``parallel_max_pool``."""
    bits, codes = site.inputs[0].element.bits, pools.operators(site, folding)
    if pools.is_whole(site, folding):
        # Nothing is less than what the tree starts from.
        codes -= pools.lanes(site, folding)[1][0]
    largest: Parts = ((codes, Comparator(bits)), (codes, Multiplexer(2, bits)))
    return (*pool_parts(site, folding), *largest)
