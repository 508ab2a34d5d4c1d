"""``lutloom::max_pool``: ``pe`` channels at a time, compared in codes."""

from __future__ import annotations

from lutloom.codegen.initializer import decimal
from lutloom.codegen.kernels import pools
from lutloom.codegen.kernels.kernel import Code, Kernel, Site, no_weights
from lutloom.core.plan import Folding


def _code(site: Site, folding: Folding) -> Code:
    x = site.inputs[0].element
    least = 0 if x.is_offset_coded else x.lo
    facts = {**pools.facts(site, folding), "least": decimal(least)}
    return Code(facts=facts, widest=pools.widest(site, folding))


KERNEL = Kernel(pools.legal, pools.lanes, pools.cycles, pools.operators, no_weights, _code)
