"""``pool.hpp``: a line buffer or a line of results, and what joins ``pe`` codes in a cycle.

Or a shift register that shows all taps (``parallel_pool.hpp``).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from lutloom.codegen.costs.line_buffers import walk_parts
from lutloom.codegen.costs.loops import buffer, counters, loop
from lutloom.codegen.costs.parts import Adder, Multiplexer, Parts, Registers
from lutloom.codegen.costs.spans import span_parts
from lutloom.codegen.kernels import pools
from lutloom.codegen.kernels.span import span_of

if TYPE_CHECKING:
    from lutloom.codegen.kernels import Site
    from lutloom.core.plan import Folding, Memory


@lru_cache(maxsize=4096)
def pool_parts(site: Site, folding: Folding) -> Parts:
    """Return the parts of a pool, all but what joins codes and what results start from."""
    (read,), (written,) = pools.lanes(site, folding)
    word, out = read * site.inputs[0].element.bits, written * site.outputs[0].element.bits
    loops = loop(site.op.name, pools.cycles(site, folding), word, out)
    if pools.is_whole(site, folding):
        return (*loops, *shown_windows(site, folding, folding.memory))
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


def shown_windows(site: Site, folding: Folding, memory: Memory | None) -> Parts:
    """Return the shift register that shows all taps of windows, and what masks them.

    Without ``memory`` what lies between kernel rows stands beside the main one.
    """
    x = site.inputs[0]
    is_masking = site.op.windows.borders(x.shape[:-1]).is_masking
    taps = pools.operators(site, folding) * x.element.bits
    masks: Parts = ((1, Multiplexer(2, taps)),) if is_masking else ()
    word = pools.lanes(site, folding)[0][0] * x.element.bits
    return (*span_parts(span_of(site, folding), word, memory), *masks)
