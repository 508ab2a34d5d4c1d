"""``lutloom::add``: ``pe`` channels of two streams at a time.

With ``a = a0 + s * code_a``, ``b`` alike and ``y = y0 + u * code_y``,

    code_y = (m0 * a0 + m1 * b0 - y0) / u + (m0 * s / u) * code_a + (m1 * t / u) * code_b

where all quotients are integers, for the reason given in ``matvec``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.codegen.kernels.kernel import (
    Code,
    Kernel,
    Lanes,
    Legal,
    Site,
    coding,
    divisors,
    linear,
    no_weights,
    number_table,
    unless_shared,
)
from lutloom.codegen.kernels.pixels import in_wide_pixels
from lutloom.core.plan import Folding

if TYPE_CHECKING:
    from lutloom.core.types import IntArray


def _legal(site: Site, _folding: Folding) -> Legal:
    return Legal(divisors(site.inputs[0].channels))


def _lanes(_site: Site, folding: Folding) -> Lanes:
    return (folding.pe, folding.pe), (folding.pe,)


def _cycles(site: Site, folding: Folding) -> int:
    return site.inputs[0].size // folding.pe


def _operators(_site: Site, folding: Folding) -> int:
    return 2 * folding.pe


def constants_of(site: Site) -> tuple[IntArray, IntArray]:
    """Return what codes of both inputs are multiplied with, ``[C, 2]``, and starts ``[C]``."""
    import numpy as np

    channels = site.inputs[0].channels
    y = site.outputs[0].element
    offset, unit = coding(y)
    ends = [linear(x.element) for x in site.inputs]
    # In Python integers: what is in between may be wider than the results.
    columns = np.broadcast_to(site.op.multipliers.int64, (2, channels)).T.tolist()
    factors = [
        [m * step // unit for m, (_, step) in zip(column, ends, strict=True)] for column in columns
    ]
    starts = [
        (sum(m * base for m, (base, _) in zip(column, ends, strict=True)) - offset) // unit
        for column in columns
    ]
    return np.array(factors, np.int64), np.array(starts, np.int64)


def _code(site: Site, folding: Folding) -> Code:
    tensor = site.inputs[0]
    channels, pe = tensor.channels, folding.pe
    multipliers, start_table = constants_of(site)
    shape = (channels // pe, pe)
    multipliers, start_table = multipliers.reshape(*shape, 2), start_table.reshape(shape)
    if site.op.multipliers.shape[1] == 1:
        multipliers, start_table = unless_shared(multipliers), unless_shared(start_table)
    return Code(
        tables=(
            number_table("multipliers", multipliers, "Of both inputs, for each channel.", (2, 3)),
            number_table("starts", start_table, "What sums start from.", (2,)),
        ),
        facts={"channels": channels, "vectors": tensor.size // channels},
    )


KERNEL = in_wide_pixels(Kernel(_legal, _lanes, _cycles, _operators, no_weights, _code))
