"""``matvec.hpp``: ``pe`` lanes of ``simd`` products, sums, the kept vector, weights and starts.

A vector is kept only where more than one word of rows reads it. With one word of weights all
products are by constants. Of several pixels (``parallel_matvec.hpp``) each has lanes of its own.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from lutloom.codegen.costs.loops import buffer, counters, loop
from lutloom.codegen.costs.parts import Adder, Parts, Registers, together
from lutloom.codegen.costs.products import Products, times
from lutloom.codegen.costs.rom_words import weight_words
from lutloom.codegen.costs.starts import Starts
from lutloom.codegen.kernels import matvec
from lutloom.core.plan import Folding, Multiplier

if TYPE_CHECKING:
    from lutloom.boards.device import Device
    from lutloom.codegen.kernels import Site


@lru_cache(maxsize=1024)
def _products(site: Site) -> Products:
    sums = matvec.sums_of(site)
    return Products(sums.x, sums.stored, sums.factor)


@lru_cache(maxsize=1024)
def _starts(site: Site, multiplier: Multiplier, pixels: int) -> Starts:
    starts = matvec.starts_of(site, Folding(multiplier=multiplier, pixels=pixels))
    return Starts.of(starts, site.outputs[0].element.bits)


@lru_cache(maxsize=4096)
def _around(site: Site, pe: int, simd: int, pixels: int) -> Parts:
    """Return the loop and the kept vector: what does not depend on how products are made."""
    rows, columns = site.op.matrix.shape
    word = simd * site.inputs[0].element.bits
    row_folds, column_folds = rows // pe, columns // simd
    group_folds = row_folds // site.op.groups
    cycles = matvec.KERNEL.cycles(site, Folding(pe, simd, pixels=pixels))
    written = pixels * pe * site.outputs[0].element.bits
    return together(
        (
            *loop("matvec", cycles, pixels * word, written),
            *counters(row_folds, group_folds if site.op.groups > 1 else 1, column_folds),
            *(buffer(column_folds, word) if group_folds > 1 else ()),
        )
    )


def parts(site: Site, folding: Folding, device: Device) -> Parts:
    """Return the parts of ``grouped_matvec``, or of ``parallel_matvec``."""
    products = _products(site)
    is_packed = products.packing(folding.multiplier) is not None
    multiplier = folding.multiplier if is_packed else Multiplier.AUTO
    starts = _starts(site, multiplier, folding.pixels)
    rows, columns = site.op.matrix.shape
    pe, simd, pixels = folding.pe, folding.simd, folding.pixels
    row_folds, column_folds = rows // pe, columns // simd
    words = row_folds * column_folds
    weight_bits = products.weight_bits(folding.multiplier)
    out = site.outputs[0].element.bits
    return (
        *_around(site, pe, simd, pixels),
        *weight_words(words, pe * simd * weight_bits, folding.memory),
        *starts.parts(row_folds, pe * pixels),
        *times(pixels, products.rows(pe, simd, folding, device, is_constant=words == 1)),
        *accumulators(pe * pixels, out, starts, has_sums=column_folds > 1),
    )


def accumulators(pe: int, bits: int, starts: Starts, *, has_sums: bool) -> Parts:
    """Return ``pe`` sums that go on from the last one, or from a start; or have but one term.

    What chooses between the two is in the tables of the sum, which have room for four inputs.
    """
    if has_sums:
        return ((pe, Adder(bits)), (pe, Registers(bits)))
    return () if starts.is_nothing else ((pe, Adder(bits)),)
