"""``lutloom::lookup``: ``pe`` elements of a row at a time, from a memory of the rows in reach."""

from __future__ import annotations

from lutloom.codegen.initializer import decimal
from lutloom.codegen.kernels.kernel import (
    CONSTANTS,
    NO_CONTENTS,
    Code,
    Kernel,
    Lanes,
    Legal,
    Site,
    divisors,
    no_weights,
)
from lutloom.codegen.kernels.weights import word_memory
from lutloom.core.counts import counted
from lutloom.core.plan import Folding


def _width(site: Site) -> int:
    return int(site.op.table.shape[1])


def _legal(site: Site, _folding: Folding) -> Legal:
    return Legal(divisors(_width(site)), memory=CONSTANTS, because=NO_CONTENTS)


def _lanes(_site: Site, folding: Folding) -> Lanes:
    return (1,), (folding.pe,)


def _cycles(site: Site, folding: Folding) -> int:
    return site.outputs[0].size // folding.pe


def _operators(_site: Site, _folding: Folding) -> int:
    return 1


def _code(site: Site, folding: Folding) -> Code:
    op, x, y = site.op, site.inputs[0].element, site.outputs[0].element
    first, last = x.lo - op.first, x.hi - op.first
    rows = y.encode(op.table.int64[first : last + 1 : x.step])
    words = rows.reshape(-1, folding.pe)
    note = (
        f"Rows {first} to {last} of the table, in words of {folding.pe} x {counted(y.bits, 'bit')}."
    )
    table, entry_bits = word_memory("rows", words, y.bits, folding.memory, note)
    return Code(
        tables=(table,),
        facts={
            "width": _width(site),
            "inputs": site.inputs[0].size,
            # Codes with an offset count from it.
            "first": decimal(0 if x.is_offset_coded else x.lo),
        },
        widest=entry_bits,
    )


KERNEL = Kernel(_legal, _lanes, _cycles, _operators, no_weights, _code)
