"""What multiplies and adds up in a lane: ``products.hpp`` as parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lutloom.boards.device import DspType
from lutloom.codegen.costs.loops import bits_for
from lutloom.codegen.costs.parts import (
    Adder,
    AdderTree,
    DotProduct,
    DspSlices,
    Multiplier,
    Parts,
    Popcount,
    Registers,
)
from lutloom.codegen.kernels.kernel import multiplier_policy
from lutloom.core.plan import Folding

if TYPE_CHECKING:
    from lutloom.boards.device import Device

# Signed factors of the slice's multiplier: UG479 (DSP48E1), UG579 (DSP48E2), AM004 (DSP58).
_FACTORS = {DspType.DSP48E1: (25, 18), DspType.DSP48E2: (27, 18), DspType.DSP58: (27, 24)}

_AUTO_FABRIC_BITS = 10
"""Bits of both factors together up to which a tool that may choose takes look-up tables.

What Vitis HLS does is not documented (UG1399); that it is about this is said by users of hls4ml.
"""


@dataclass(frozen=True, slots=True)
class Products:
    """Products of numbers of ``x_bits`` by weights of ``weight_bits``, whose sum is one lane.

    ``kind`` is that of ``product_kind``; ``factor`` is what the sum is multiplied with.
    """

    kind: str
    x_bits: int
    weight_bits: int
    factor: int = 1

    def sum_bits(self, terms: int) -> int:
        """Return the bits of a sum of ``terms`` products."""
        if self.kind == "xnor":
            return bits_for(terms)
        one = self.x_bits + (1 if self.kind == "sign" else self.weight_bits)
        return one + (terms - 1).bit_length()

    def lane(self, terms: int, folding: Folding, device: Device, *, is_constant: bool) -> Parts:
        """Return what ``terms`` products and their sum are; ``is_constant``: one weight each."""
        total = self.sum_bits(terms)
        scaled = constant_product(total, self.factor)
        if self.kind == "xnor":
            # A register behind the first level of tables: three bits for each six.
            half = Registers(terms // 2 + total)
            return ((1, Popcount(terms, has_xnor=not is_constant)), (1, half), *scaled)
        tree = self._tree(terms, folding, device, is_constant=is_constant)
        return (*tree, (1, Registers(total)), *scaled)

    def _tree(self, terms: int, folding: Folding, device: Device, *, is_constant: bool) -> Parts:
        """Return products and the tree of their sums, which a tool merges where it can."""
        bits = self.sum_bits(terms) - (terms - 1).bit_length()
        registers: Parts = ((1, Registers(terms * bits)),) if terms > 1 else ()
        is_sign = self.kind == "sign"
        in_slices = not is_sign and uses_slices(self.x_bits, self.weight_bits, folding)
        if not is_constant and not in_slices and (is_sign or self.weight_bits > 1):
            return ((1, DotProduct(terms, self.x_bits, self.weight_bits)), *registers)
        if is_sign:
            return ((1, AdderTree(terms, bits)), *registers)
        products = product(
            self.x_bits, self.weight_bits, terms, folding, device, is_constant=is_constant
        )
        return (*products, (1, AdderTree(terms, bits)), *registers)


def product(
    left: int,
    right: int,
    count: int,
    folding: Folding,
    device: Device,
    *,
    is_constant: bool = False,
) -> Parts:
    """Return ``count`` products of numbers of so many bits, by what ``folding`` multiplies with."""
    is_open = multiplier_policy(folding, min(left, right)) == "AutoMultiplier"
    if uses_slices(left, right, folding) and not (is_open and is_constant):
        return ((count, DspSlices(slices(left, right, device.dsp_type))),)
    return ((count, Multiplier(left, right, is_constant)),)


def uses_slices(left: int, right: int, folding: Folding) -> bool:
    """Return whether products of numbers of so many bits are in DSP slices."""
    policy = multiplier_policy(folding, min(left, right))
    is_wide = left + right > _AUTO_FABRIC_BITS
    return policy == "DspMultiplier" or (policy == "AutoMultiplier" and is_wide)


def slices(left: int, right: int, dsp_type: DspType) -> int:
    """Return the DSP slices of one product: of a wider one, a slice for each pair of parts.

    All parts but the highest are unsigned, one bit less than a signed factor.
    """
    wide, narrow = _FACTORS[dsp_type]
    high, low = max(left, right), min(left, right)

    def parts(bits: int, factor: int) -> int:
        return 1 if bits <= factor else -(-(bits - 1) // (factor - 1))

    return parts(high, wide) * parts(low, narrow)


def constant_product(bits: int, factor: int) -> Parts:
    """Return what multiplies ``bits`` bits by ``factor``: nothing for a power of two."""
    size = abs(factor)
    if size & (size - 1) == 0:
        return ((1, Adder(bits)),) if factor < 0 and size else ()
    return ((1, Multiplier(bits, size.bit_length(), is_constant=True)),)
