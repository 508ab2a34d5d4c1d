"""A ``threshold`` process, in the form that its folding says."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from lutloom.codegen.costs.loops import constants, counters, loop
from lutloom.codegen.costs.parts import Adder, Parts
from lutloom.codegen.costs.slopes import Clamped
from lutloom.codegen.costs.staircases import Staircases
from lutloom.codegen.kernels import threshold
from lutloom.codegen.kernels.kernel import memory_of
from lutloom.codegen.kernels.slopes import slope_of
from lutloom.codegen.kernels.stairs import outline_of, staircases
from lutloom.core.plan import Comparison

if TYPE_CHECKING:
    from lutloom.boards.device import Device
    from lutloom.codegen.kernels import Site
    from lutloom.core.plan import Folding, Memory


@lru_cache(maxsize=1024)
def _stairs(site: Site) -> Staircases:
    return Staircases.of(site, outline_of(site), is_shared=staircases(site) == 1)


@lru_cache(maxsize=1024)
def _clamped(site: Site) -> Clamped:
    slope = slope_of(site)
    assert slope is not None
    return Clamped.of(site, slope)


@lru_cache(maxsize=4096)
def _form(site: Site, folding: Folding) -> Comparison:
    return threshold.KERNEL.settled(site, folding).comparison


def parts(site: Site, folding: Folding, device: Device) -> Parts:
    """Return the parts of the form that ``folding`` asks for, or that is taken if it is open.

    Lanes of several pixels are those of a channel, so many times.
    """
    x, y, pe = site.inputs[0], site.outputs[0].element, folding.pe * folding.pixels
    folds = x.channels // folding.pe
    loops = (*loop("threshold", x.size // pe, pe * x.element.bits, pe * y.bits), *counters(folds))
    form = folding.comparison
    match _form(site, folding) if form is Comparison.AUTO else form:
        case Comparison.PARALLEL:
            return (*loops, *_stairs(site).parallel(pe, folds, pe))
        case Comparison.SEARCH:
            return (*loops, *_stairs(site).search(pe, folds, pe, folding.memory))
        case Comparison.TABLE:
            return (*loops, *_table(site, pe, folds, folding.memory))
        case _:
            return (*loops, *_clamped(site).parts(pe, folds, folding, device))


def _table(site: Site, pe: int, folds: int, memory: Memory) -> Parts:
    """Return a memory for each lane, and what makes its address of a code (``threshold_table``)."""
    x, y = site.inputs[0].element, site.outputs[0].element
    words = x.count * (1 if _stairs(site).is_shared else folds)
    first = 0 if x.is_offset_coded else x.lo
    # That of two's complement is a flipped sign.
    is_offset = first not in (0, -(1 << (x.bits - 1)))
    offset: Parts = ((pe, Adder(x.bits)),) if is_offset else ()
    return (*offset, *constants(pe, words, y.bits, memory_of(memory, words)))
