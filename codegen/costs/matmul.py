"""``matmul.hpp``: what ``matvec`` is, with a matrix that is stored as it comes."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from lutloom.codegen.costs.loops import buffer, counters, loop
from lutloom.codegen.costs.matvec import accumulators
from lutloom.codegen.costs.parts import Adder, AdderTree, Multiplexer, Parts, Registers
from lutloom.codegen.costs.products import Products, constant_product, times
from lutloom.codegen.costs.starts import Starts
from lutloom.codegen.kernels import matmul
from lutloom.core.plan import Folding, Memory, Multiplier

if TYPE_CHECKING:
    from lutloom.boards.device import Device
    from lutloom.codegen.kernels import Site
    from lutloom.codegen.kernels.matmul import Stored


@lru_cache(maxsize=1024)
def _facts(site: Site, multiplier: Multiplier) -> tuple[Stored, Products]:
    stored = matmul.stored_in(site, Folding(multiplier=multiplier))
    return stored, Products(site.inputs[0].element, stored.weights, stored.factor)


def parts(site: Site, folding: Folding, device: Device) -> Parts:
    """Return the parts of ``matmul``: a bank of the matrix for each of ``pe`` lanes."""
    stored, products = _facts(site, folding.multiplier)
    terms, rows = site.inputs[0].channels, site.outputs[0].channels
    b, out = site.inputs[1].element.bits, site.outputs[0].element.bits
    pe, simd = folding.pe, folding.simd
    row_folds, column_folds = rows // pe, terms // simd
    words = simd * products.x.bits, simd * b, pe * out
    bank = buffer(row_folds * column_folds, simd * stored.bits, folding.memory)
    starts = Starts(out, 1, 1, 1, is_shared=True, is_nothing=stored.rest.start == 0)
    return (
        *loop("matmul", matmul.KERNEL.cycles(site, folding), *words),
        *counters(pe, row_folds, column_folds, site.inputs[0].shape[-2]),
        (1, Adder((row_folds * column_folds).bit_length())),
        *times(pe, bank),
        *(buffer(column_folds, words[0]) if row_folds > 1 else ()),
        *_recoded(stored, b, simd),
        *_row_starts(stored, b, out, folding, row_folds),
        *products.rows(pe, simd, folding, device),
        *accumulators(pe, out, starts, has_sums=column_folds > 1),
    )


def _recoded(stored: Stored, bits: int, lanes: int) -> Parts:
    """Return what makes weights of codes of ``bits`` bits."""
    offset: Parts = ((lanes, Adder(stored.bits)),) if stored.base else ()
    each = constant_product(bits, stored.step)
    return (*times(lanes, each), *offset)


def _row_starts(stored: Stored, b: int, out: int, folding: Folding, folds: int) -> Parts:
    """Return what sums up the codes of each stored row, and keeps it, where anything needs that."""
    if stored.rest.of_b == 0:
        return ()
    kept = buffer(folds, out, Memory.LUTRAM)
    return (
        (1, AdderTree(folding.simd, b)),
        *constant_product(out, stored.rest.of_b),
        (1, Adder(out)),
        (1, Multiplexer(2, out)),
        (1, Registers(out)),
        *times(folding.pe, kept),
    )
