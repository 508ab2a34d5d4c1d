"""``sum_pool.hpp``: a sum of codes, for each of ``pe`` channels, from a start by place."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from lutloom.codegen.costs.parts import Adder, Parts
from lutloom.codegen.costs.pools import pool_parts
from lutloom.codegen.costs.products import constant_product, times
from lutloom.codegen.costs.starts import Starts
from lutloom.codegen.kernels import sum_pool

if TYPE_CHECKING:
    from lutloom.boards.device import Device
    from lutloom.codegen.kernels import Site
    from lutloom.core.plan import Folding


@lru_cache(maxsize=1024)
def _facts(site: Site) -> tuple[int, Parts]:
    sums, by_place = sum_pool.sums_of(site)
    starts = Starts.of(by_place, site.outputs[0].element.bits)
    # All lanes share the one table.
    return sums.factor if sums.step else 0, starts.parts(1, 1)


def parts(site: Site, folding: Folding, _device: Device) -> Parts:
    """Return the parts of ``sum_pool`` or ``disjoint_sum_pool``."""
    factor, starts = _facts(site)
    pe, bits = folding.pe, site.inputs[0].element.bits
    scaled = times(pe, constant_product(bits, factor))
    sums: Parts = ((pe, Adder(site.outputs[0].element.bits)),)
    return (*pool_parts(site, folding), *scaled, *sums, *starts)
