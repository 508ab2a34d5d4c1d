"""``lutloom::matvec``: ``pe`` rows at a time, from ``simd`` columns at a time.

Groups are computed one after the other, each from its part of the vector. What is added at the
border of an image is part of what sums start from. Of one group all rows and columns may be at work
on several vectors at once (``lutloom::parallel_matvec``).
"""

from __future__ import annotations

from functools import lru_cache

from lutloom.codegen.kernels.kernel import (
    CONSTANTS,
    NO_CONTENTS,
    Code,
    Kernel,
    Lanes,
    Legal,
    Site,
    divisors,
    kept_memory,
    storage,
)
from lutloom.codegen.kernels.pixels import pixels_in_a_row, with_pixels
from lutloom.codegen.kernels.places import ByPlace
from lutloom.codegen.kernels.sums import Sums, not_packed, sharing_multipliers
from lutloom.codegen.kernels.weights import weight_memory
from lutloom.core.plan import Folding

# Products that share nothing.
_ALONE = Folding()


@lru_cache(maxsize=256)
def sums_of(site: Site) -> Sums:
    """Return the sums of the rows of the matrix."""
    x, y = site.inputs[0].element, site.outputs[0].element
    return Sums(x, y, site.op.matrix, site.op.sums.divisor)


def _legal(site: Site, folding: Folding) -> Legal:
    is_whole = (folding.pe, folding.simd, site.op.groups) == (*site.op.matrix.shape, 1)
    return _legal_of(site, is_whole)


# Planners ask for it with each of a thousand foldings.
@lru_cache(maxsize=1024)
def _legal_of(site: Site, is_whole: bool) -> Legal:  # noqa: FBT001 - a key
    rows, columns = site.op.matrix.shape
    sums = sums_of(site)
    legal = Legal(
        divisors(rows // site.op.groups),
        divisors(columns),
        CONSTANTS,
        sharing_multipliers(sums.x, sums.stored),
        because={**NO_CONTENTS, **not_packed(sums.x, sums.stored)},
    )
    return with_pixels(legal, pixels_in_a_row(site) if is_whole else (1,))


def _lanes(_site: Site, folding: Folding) -> Lanes:
    return (folding.pixels * folding.simd,), (folding.pixels * folding.pe,)


def starts_of(site: Site, folding: Folding = _ALONE) -> ByPlace:
    """Return what sums of each row start from, by place; of several pixels, by those of words."""
    op, sums = site.op, sums_of(site)
    totals = op.sums.positive + op.sums.negative
    values = sums.starts(totals, op.border.data) - sums.counted(1, totals, folding)
    classes = op.rows.int64, op.columns.int64
    return ByPlace.of(values, *classes, site.inputs[0].shape, folding.pixels)


def _vectors(site: Site) -> int:
    return int(site.outputs[0].size // site.op.matrix.shape[0])


def _cycles(site: Site, folding: Folding) -> int:
    rows, columns = site.op.matrix.shape
    return int(_vectors(site) * (rows // folding.pe) * (columns // folding.simd)) // folding.pixels


def _operators(_site: Site, folding: Folding) -> int:
    return folding.pixels * folding.pe * folding.simd


def _weight_bits(site: Site, folding: Folding) -> int:
    return folding.pe * folding.simd * sums_of(site).weight_bits(folding)


def _code(site: Site, folding: Folding) -> Code:
    op, sums = site.op, sums_of(site)
    rows, columns = op.matrix.shape
    pe, simd = folding.pe, folding.simd
    tiles = sums.weight_codes(folding).reshape(rows // pe, pe, columns // simd, simd)
    words = tiles.transpose(0, 2, 1, 3).reshape(-1, pe * simd)
    content = f"The matrix [{rows}, {columns}] in words of {pe} x {simd}"
    weights, entry_bits = weight_memory(words, sums.weight_bits(folding), folding.memory, content)
    starts, note = starts_of(site, folding), "What sums of rows start from."
    return Code(
        tables=(weights, *starts.lane_tables(note, rows // pe, pe * folding.pixels)),
        facts={
            "rows": rows,
            "columns": columns,
            "groups": op.groups,
            "vectors": _vectors(site),
            "folds": columns // simd,
            "word_bits": simd * sums.x.bits,
            # With one word of rows a vector is read as it comes.
            "storage": storage(kept_memory(columns // simd, simd * sums.x.bits))
            if rows > pe * op.groups
            else "",
            "is_uniform": starts.is_uniform,
            **sums.facts(folding),
        },
        widest=entry_bits,
    )


KERNEL = Kernel(_legal, _lanes, _cycles, _operators, _weight_bits, _code)
