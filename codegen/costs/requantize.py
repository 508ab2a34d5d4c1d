"""A ``requantize`` process: ``requantize.hpp`` as it stands."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from lutloom.codegen.costs.loops import counters, loop
from lutloom.codegen.costs.parts import Parts
from lutloom.codegen.costs.slopes import Clamped
from lutloom.codegen.kernels import requantize

if TYPE_CHECKING:
    from lutloom.boards.device import Device
    from lutloom.codegen.kernels import Site
    from lutloom.core.plan import Folding


@lru_cache(maxsize=1024)
def _facts(site: Site) -> Clamped:
    return Clamped.of(site, requantize.slope_of(site))


def parts(site: Site, folding: Folding, device: Device) -> Parts:
    """Return the parts of ``requantize``."""
    clamped, pe = _facts(site), folding.pe
    folds = site.inputs[0].channels // pe
    return (
        *loop("requantize", site.inputs[0].size // pe, pe * clamped.in_bits, pe * clamped.out_bits),
        *counters(folds),
        *clamped.parts(pe, folds, folding, device),
    )
