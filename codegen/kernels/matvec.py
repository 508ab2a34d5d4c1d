"""``lutloom::matvec``: ``pe`` rows at a time, from ``simd`` columns at a time.

With ``x = x0 + s * code`` and ``y = y0 + u * code`` (both with ``0`` and ``1`` where codes are the
values), ``y[r] = sum of w[r, c] * x[c]`` reads in codes

    code_y[r] = (x0 * sum of w[r, c] - y0) / u + sum of (s * w[r, c] / u) * code_x[c]

where both quotients are integers: ``u`` divides all differences of results, so that it divides
every ``s * w``, and ``code_x = 0`` gives a result that is congruent to ``y0``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.codegen.kernels.kernel import (
    Code,
    Kernel,
    Lanes,
    Legal,
    Site,
    Table,
    divisors,
    number_table,
    unless_shared,
)
from lutloom.codegen.packing import RomLayout, to_bits
from lutloom.core.plan import Folding, Memory, Multiplier
from lutloom.core.types import BIPOLAR, IntType

if TYPE_CHECKING:
    from lutloom.core.types import IntArray


def _legal(site: Site, _folding: Folding) -> Legal:
    rows, columns = site.op.matrix.shape
    no_products = _stored(site) == BIPOLAR
    multipliers = (Multiplier.AUTO, Multiplier.FABRIC) if no_products else tuple(Multiplier)
    return Legal(divisors(rows), divisors(columns), tuple(Memory), multipliers)


def _lanes(_site: Site, folding: Folding) -> Lanes:
    return (folding.simd,), (folding.pe,)


def _cycles(site: Site, folding: Folding) -> int:
    rows, columns = site.op.matrix.shape
    vectors = site.inputs[0].size // columns
    return int(vectors * (rows // folding.pe) * (columns // folding.simd))


def _operators(_site: Site, folding: Folding) -> int:
    return folding.pe * folding.simd


def _weight_bits(site: Site, folding: Folding) -> int:
    return folding.pe * folding.simd * _stored(site).bits


def _scaling(site: Site) -> tuple[int, int]:
    """Return what weights are multiplied with and divided by in codes: ``s`` and ``u``."""
    x, y = site.inputs[0].element, site.outputs[0].element
    if x.count == 1:
        # The result is a constant, all of it in the starts.
        return 0, 1
    return (x.step if x.is_offset_coded else 1), (y.step if y.is_offset_coded else 1)


def _stored(site: Site) -> IntType:
    """Return the type of the weights in codes; bipolar where they are nothing but -1 and 1."""
    step, unit = _scaling(site)
    matrix = site.op.matrix
    lo, hi = matrix.lo * step // unit, matrix.hi * step // unit
    if {lo, hi} <= {-1, 1} and not (matrix.data == 0).any():
        return BIPOLAR
    return IntType(lo, hi)


def _is_xnor(site: Site) -> bool:
    x = site.inputs[0].element
    return x.bits == 1 and not x.is_signed and _stored(site) == BIPOLAR


def _recoded(site: Site) -> tuple[IntArray, IntArray]:
    """Return weights ``[rows, columns]`` and starts ``[rows]`` in codes."""
    import numpy as np

    x, y = site.inputs[0].element, site.outputs[0].element
    step, unit = _scaling(site)
    weights = site.op.matrix.int64 * step // unit
    base = x.lo if x.is_offset_coded or x.count == 1 else 0
    offset, divisor = (y.lo, y.step) if y.is_offset_coded else (0, 1)
    sums = site.op.sums
    # In Python integers: what is in between may be wider than the results.
    pairs = zip(sums.positive.tolist(), sums.negative.tolist(), strict=True)
    starts = np.array([(base * (p + n) - offset) // divisor for p, n in pairs], np.int64)
    return weights, starts


def _code(site: Site, folding: Folding) -> Code:
    rows, columns = site.op.matrix.shape
    pe, simd = folding.pe, folding.simd
    stored = _stored(site)
    weights, starts = _recoded(site)
    if _is_xnor(site):
        # The popcount of agreeing lanes already counts every weight that is -1.
        starts = starts - (weights == -1).sum(axis=1)
    tiles = stored.encode(weights).reshape(rows // pe, pe, columns // simd, simd)
    words = tiles.transpose(0, 2, 1, 3).reshape(-1, pe * simd)
    layout = RomLayout.of(pe * simd * stored.bits)
    rom = Table(
        "weights",
        layout.entries(to_bits(words, stored.bits)),
        signed=False,
        bits=layout.chunk_bits,
        note=f"The matrix [{rows}, {columns}] in words of {pe} x {simd} weights"
        f" of {stored.bits} bits, {layout.group} in an entry.",
        reshape=2 if layout.chunks > 1 else 0,
        memory=folding.memory,
        is_hexadecimal=True,
    )
    start_table = unless_shared(starts.reshape(rows // pe, pe))
    # Products of one or two bits are look-up tables, whatever the plan leaves open.
    is_narrow = min(stored.bits, site.inputs[0].element.bits) <= 2
    multiplier = folding.multiplier
    if multiplier is Multiplier.AUTO and is_narrow:
        multiplier = Multiplier.FABRIC
    return Code(
        tables=(rom, number_table("starts", start_table, "What sums of rows start from.", (2,))),
        facts={
            "rows": rows,
            "columns": columns,
            "vectors": site.inputs[0].size // columns,
            "product": "xnor" if _is_xnor(site) else "sign" if stored == BIPOLAR else "multiply",
            "weight_type": f"ap_{'' if stored.is_signed else 'u'}int<{stored.bits}>",
            "multiplier": f"{multiplier.value.capitalize()}Multiplier",
        },
        widest=layout.chunks * layout.chunk_bits,
    )


KERNEL = Kernel(_legal, _lanes, _cycles, _operators, _weight_bits, _code)
