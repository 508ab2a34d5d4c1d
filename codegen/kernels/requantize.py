"""``lutloom::requantize``: ``pe`` channels at a time, each a product, a sum, a shift and a clamp.

With ``x = x0 + s * code`` (``0`` and ``1`` where codes are the values) ``m * x + b`` reads in codes
``(m * s) * code + (m * x0 + b)``. The results' type has no gaps, so their codes are the levels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.codegen.kernels.kernel import (
    PRODUCTS,
    Code,
    Kernel,
    Lanes,
    Legal,
    Site,
    Table,
    beside,
    coding,
    divisors,
    no_weights,
    number_table,
)
from lutloom.codegen.kernels.pixels import in_wide_pixels
from lutloom.codegen.kernels.slopes import Slope, largest_sum
from lutloom.core.multiply_shift import ShiftRounding, Slopes
from lutloom.core.ops.requantize import digits, numbers
from lutloom.core.plan import Folding

if TYPE_CHECKING:
    from lutloom.core.types import IntArray

# The policies of requantize.hpp.
_ROUNDINGS = {
    ShiftRounding.DOWN: "RoundDown",
    ShiftRounding.TIES_TO_EVEN: "RoundTiesToEven",
    ShiftRounding.TO_ZERO: "RoundToZero",
    ShiftRounding.FROM_ZERO: "RoundFromZero",
}


def _legal(site: Site, _folding: Folding) -> Legal:
    return Legal(divisors(site.inputs[0].channels), multiplier=PRODUCTS)


def _lanes(_site: Site, folding: Folding) -> Lanes:
    return (folding.pe,), (folding.pe,)


def _cycles(site: Site, folding: Folding) -> int:
    return site.inputs[0].size // folding.pe


def _operators(_site: Site, folding: Folding) -> int:
    return folding.pe


def factor_bits(line: Slopes) -> tuple[int, bool]:
    """Return the bits of what codes are multiplied with, and whether that is signed."""
    lo, hi = int(line.multipliers.min()), int(line.multipliers.max())
    is_signed, widest = lo < 0, max(hi, ~lo)
    return max(widest.bit_length() + is_signed, 1), is_signed


def sum_bits(site: Site, slope: Slope) -> int:
    """Return the bits that hold every sum, and every bound."""
    bits = slope.largest.bit_length(), slope.line.shift, site.outputs[0].element.bits
    return max(bits) + 1


def slope_code(site: Site, folding: Folding, slope: Slope) -> Code:
    """Return the code of a process that computes ``slope``."""
    import numpy as np

    tensor, pe, line = site.inputs[0], folding.pe, slope.line
    y = site.outputs[0].element
    shape = (tensor.channels // pe, pe)

    def by_lane(rows: IntArray) -> IntArray:
        folds = shape if len(rows) == tensor.channels else (1, 1)
        return rows.reshape(*folds, *rows.shape[1:])

    # Bounds that are never met may lie far outside of what the sums can hold.
    ends = y.encode(np.array([y.lo, y.hi], np.int64))
    lowest, highest = (by_lane(np.clip(b, *ends)) for b in (slope.lowest, slope.highest))
    if lowest.shape != highest.shape:
        lowest, highest = (np.broadcast_to(level, shape) for level in (lowest, highest))
    bounds = number_table("bounds", np.concatenate([lowest.ravel(), highest.ravel()]), "")
    factors, biases = (by_lane(digits(n).int64) for n in (line.multipliers, line.biases))
    if factors.shape[:2] != biases.shape[:2]:
        factors, biases = (np.broadcast_to(n, (*shape, n.shape[2])) for n in (factors, biases))
    bits, is_signed = factor_bits(line)
    factor = f"ap_{'' if is_signed else 'u'}int<{bits}>"
    sums = sum_bits(site, slope)

    def bound_of(name: str, levels: IntArray, note: str) -> Table:
        return beside(Table(name, levels, bounds.signed, bounds.bits, note, (2,)))

    product = f"{folding.multiplier.value.capitalize()}Multiplier"
    return Code(
        tables=(
            number_table("multipliers", factors, "What codes are multiplied with.", (2, 3)),
            number_table("biases", biases, "What is added to the products.", (2, 3)),
            bound_of("lowest", lowest, "Codes of the lowest levels."),
            bound_of("highest", highest, "Codes of the highest ones."),
        ),
        facts={
            "channels": tensor.channels,
            "vectors": tensor.size // tensor.channels,
            "shift": line.shift,
            "rounding": _ROUNDINGS[line.rounding],
            "factor_type": factor,
            "sum_bits": sums,
            "multiplier": product,
        },
        widest=sums,
    )


def slope_of(site: Site) -> Slope:
    """Return the product of the operator, in codes."""
    import numpy as np

    op, x = site.op, site.inputs[0].element
    start, step = coding(x)
    multipliers = numbers(op.multipliers)
    biases = numbers(op.biases) + multipliers * start
    multipliers = multipliers * step
    first, final = (int(end) for end in x.encode(np.array([x.lo, x.hi], np.int64)))
    largest = largest_sum(multipliers, biases, first, final)
    line = Slopes(multipliers, biases, op.shift, op.rounding)
    return Slope(line, op.lowest.int64, op.highest.int64, largest)


def _code(site: Site, folding: Folding) -> Code:
    return slope_code(site, folding, slope_of(site))


KERNEL = in_wide_pixels(Kernel(_legal, _lanes, _cycles, _operators, no_weights, _code))
