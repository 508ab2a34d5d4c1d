"""``add.hpp``: two products by constants and a start, for each of ``pe`` channels."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from lutloom.codegen.costs.loops import constants, counters, loop, spanning_bits
from lutloom.codegen.costs.parts import Adder, Multiplier, Parts
from lutloom.codegen.costs.products import constant_product, times
from lutloom.codegen.kernels import add

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.boards.device import Device
    from lutloom.codegen.kernels import Site
    from lutloom.core.plan import Folding


@lru_cache(maxsize=1024)
def _facts(site: Site) -> tuple[tuple[tuple[int, int], ...], tuple[int, int]]:
    """Return the least and the largest of both multipliers, and of what sums start from."""
    multipliers, starts = add.constants_of(site)

    def ends(values: NDArray[np.int64]) -> tuple[int, int]:
        return int(values.min()), int(values.max())

    return tuple(ends(multipliers[:, side]) for side in range(2)), ends(starts)


def parts(site: Site, folding: Folding, _device: Device) -> Parts:
    """Return the parts of ``add``; multipliers that all channels share are constants."""
    multipliers, starts = _facts(site)
    pe, out = folding.pe, site.outputs[0].element.bits
    folds = site.inputs[0].channels // pe
    words = [pe * x.element.bits for x in site.inputs]
    scaled: Parts = ()
    for (lo, hi), x in zip(multipliers, site.inputs, strict=True):
        if lo == hi:
            # A negative one is subtracted.
            scaled += times(pe, constant_product(x.element.bits, abs(lo)))
        else:
            bits = min(spanning_bits(lo, hi), out)
            scaled += (*constants(pe, folds, bits), (pe, Multiplier(x.element.bits, bits)))
    lo, hi = starts
    start = constants(pe, folds if lo != hi else 1, min(spanning_bits(lo, hi), out))
    sums = 1 if lo == hi == 0 else 2
    return (
        *loop("add", site.inputs[0].size // pe, *words, pe * out),
        *counters(folds),
        *scaled,
        *start,
        (sums * pe, Adder(out)),
    )
