"""``pool.hpp``: a line buffer or a line of results, and what joins ``pe`` codes in a cycle."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from lutloom.codegen.costs.line_buffers import walk_parts
from lutloom.codegen.costs.loops import buffer, counters, loop
from lutloom.codegen.costs.parts import Adder, Multiplexer, Parts, Registers
from lutloom.codegen.kernels import pools

if TYPE_CHECKING:
    from lutloom.codegen.kernels import Site
    from lutloom.core.plan import Folding


@lru_cache(maxsize=4096)
def pool_parts(site: Site, folding: Folding) -> Parts:
    """Return the parts of a pool, all but what joins codes and what results start from."""
    out = folding.pe * site.outputs[0].element.bits
    word = folding.pe * site.inputs[0].element.bits
    loops = loop(site.op.name, pools.cycles(site, folding), word, out)
    shared: Parts = (*loops, (1, Multiplexer(2, out)), (1, Registers(out)))
    if not pools.is_disjoint(site):
        walk = pools.walk(site, folding)
        memory = buffer(walk.depth, word, folding.memory)
        return (*shared, *walk_parts(walk), *memory, (1, Multiplexer(2, word)))
    rows, columns = pools.axes(site)
    folds = site.inputs[0].channels // folding.pe
    entries = columns.results * folds
    return (
        *shared,
        *buffer(entries, out, folding.memory),
        *counters(rows.size, rows.stride, columns.size, columns.stride, folds, entries),
        (1, Adder((entries - 1).bit_length())),
    )
