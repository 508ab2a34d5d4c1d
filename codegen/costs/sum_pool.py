"""``sum_pool.hpp``: a sum of codes, for each of ``pe`` channels, from a start by place."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from lutloom.codegen.costs.parts import Adder, AdderTree, Parts
from lutloom.codegen.costs.pools import pool_parts
from lutloom.codegen.costs.products import constant_product, times
from lutloom.codegen.costs.starts import Starts
from lutloom.codegen.kernels import pools, sum_pool
from lutloom.codegen.kernels.span import span_of

if TYPE_CHECKING:
    from lutloom.boards.device import Device
    from lutloom.codegen.kernels import Site
    from lutloom.core.plan import Folding


@lru_cache(maxsize=1024)
def _facts(site: Site, windows: int) -> tuple[int, Parts, bool]:
    sums, by_place = sum_pool.sums_of(site, windows)
    starts = Starts.of(by_place, site.outputs[0].element.bits)
    # All lanes share the one table.
    factor = sums.factor if sums.step else 0
    return factor, starts.parts(1, windows), starts.is_nothing


def parts(site: Site, folding: Folding, _device: Device) -> Parts:
    """Return the parts of ``sum_pool``, ``disjoint_sum_pool`` or ``parallel_sum_pool``."""
    bits, codes = site.inputs[0].element.bits, pools.operators(site, folding)
    is_whole, out = pools.is_whole(site, folding), site.outputs[0].element.bits
    windows = span_of(site, folding).windows if is_whole else 1
    factor, starts, is_nothing = _facts(site, windows)
    scaled = times(codes, constant_product(bits, factor))
    sums: Parts = ((codes, Adder(out)),)
    if is_whole:
        results = codes // folding.simd
        tree = (results, AdderTree(folding.simd, bits))
        sums = (tree,) if is_nothing else (tree, (results, Adder(out)))
    return (*pool_parts(site, folding), *scaled, *sums, *starts)
