"""What multiplies and adds up: ``products.hpp`` and ``packed.hpp`` as parts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from lutloom.boards.device import DspType
from lutloom.codegen.costs.loops import bits_for
from lutloom.codegen.costs.parts import (
    Adder,
    AdderTree,
    DotProduct,
    DspSlices,
    Group,
    Multiplier,
    Parts,
    Popcount,
    Registers,
)
from lutloom.codegen.kernels.kernel import multiplier_policy
from lutloom.codegen.kernels.packed import WIDER_FACTOR, least_weight
from lutloom.codegen.kernels.sums import packing_of, product_kind
from lutloom.core.plan import Folding

if TYPE_CHECKING:
    from lutloom.boards.device import Device
    from lutloom.codegen.kernels.packed import Packing
    from lutloom.core.plan import Multiplier as Multipliers
    from lutloom.core.types import IntType

# Signed factors of the slice's multiplier: UG479 (DSP48E1), UG579 (DSP48E2), AM004 (DSP58).
_FACTORS = {DspType.DSP48E1: (25, 18), DspType.DSP48E2: (27, 18), DspType.DSP58: (27, 24)}

_AUTO_FABRIC_BITS = 10
"""Bits of both factors together up to which a tool that may choose takes look-up tables.

What Vitis HLS does is not documented (UG1399); this is a guess. A plan that says what multiplies
does not depend on it.
"""


def times(count: int, parts: Parts) -> Parts:
    """Return ``parts`` so many times."""
    return tuple((count * each, part) for each, part in parts)


@dataclass(frozen=True)
class Products:
    """Products of codes of ``x`` by stored ``weights``, whose sums are multiplied by ``factor``."""

    x: IntType
    weights: IntType
    factor: int = 1

    @cached_property
    def kind(self) -> str:
        """What a product is, as the C++ has it."""
        return product_kind(self.x, self.weights)

    @cached_property
    def x_bits(self) -> int:
        """Bits of a code."""
        return self.x.bits

    @cached_property
    def stored_bits(self) -> int:
        """Bits of a stored weight, where products do not share slices."""
        return self.weights.bits

    @cached_property
    def _packings(self) -> dict[Multipliers, Packing | None]:
        return {m: packing_of(self.x, self.weights, m) for m in WIDER_FACTOR}

    def packing(self, multiplier: Multipliers) -> Packing | None:
        """Return how products share slices, if they do."""
        return self._packings.get(multiplier)

    def weight_bits(self, multiplier: Multipliers) -> int:
        """Return the bits of a stored weight."""
        packed = self.packing(multiplier)
        return self.stored_bits if packed is None else packed.weight_bits

    def sum_bits(self, terms: int) -> int:
        """Return the bits of a sum of ``terms`` products."""
        if self.kind == "xnor":
            return bits_for(terms)
        one = self.x_bits + (1 if self.kind == "sign" else self.stored_bits)
        return one + (terms - 1).bit_length()

    def rows(
        self, pe: int, terms: int, folding: Folding, device: Device, *, is_constant: bool = False
    ) -> Parts:
        """Return ``terms`` products and their sum for each of ``pe`` rows.

        ``is_constant``: by one weight each.
        """
        packed = self.packing(folding.multiplier)
        if packed is not None:
            return ((1, _packed_rows(self, packed, pe, terms)),)
        return ((pe, _row(self, terms, folding.multiplier, device.dsp_type, is_constant)),)

    def scaled(self, terms: int) -> Parts:
        """Return what multiplies a sum of ``terms`` products by what they have in common."""
        return constant_product(self.sum_bits(terms), self.factor)

    def lane(
        self, terms: int, multiplier: Multipliers, dsp_type: DspType, *, is_constant: bool
    ) -> Parts:
        """Return products and the tree of their sums, which a tool merges where it can."""
        x_bits, weight_bits = self.x_bits, self.stored_bits
        if self.kind == "xnor":
            # A register behind the first level of tables: three bits for each six.
            return ((1, Popcount(terms, has_xnor=not is_constant)), (1, Registers(terms // 2)))
        bits = self.sum_bits(1)
        registers: Parts = ((1, Registers(terms * bits)),) if terms > 1 else ()
        is_sign = self.kind == "sign"
        in_slices = not is_sign and uses_slices(x_bits, weight_bits, multiplier)
        if not is_constant and not in_slices and (is_sign or weight_bits > 1):
            return ((1, DotProduct(terms, x_bits, weight_bits)), *registers)
        tree = (1, AdderTree(terms, bits))
        if is_sign:
            return (tree, *registers)
        each = product(x_bits, weight_bits, terms, multiplier, dsp_type, is_constant=is_constant)
        return (*each, tree, *registers)

    def in_slices(self, packed: Packing, pe: int, terms: int) -> Parts:
        """Return products of several rows in a slice, added up in chains before they are cut.

        What weights are above their least one makes one sum of all codes, for all rows.
        """
        groups = -(-pe // packed.lanes)
        chains = -(-terms // packed.chain)
        sums = self.sum_bits(terms)
        parts: Parts = (
            (1, DspSlices(packed.slices(pe, terms))),
            (groups * (terms - chains), Adder(packed.sum_bits)),
            (groups * terms, Registers(packed.sum_bits)),
            (pe, AdderTree(chains, packed.spacing)),
            (pe, Registers(sums)),
        )
        least = least_weight(self.weights)
        if not least:
            return parts
        of_codes = self.x.bits + (terms - 1).bit_length()
        missing = (1, AdderTree(terms, self.x.bits)), *constant_product(of_codes, -least)
        return (*parts, *missing, (pe, Adder(sums)))


@lru_cache(maxsize=4096)
def _row(
    products: Products,
    terms: int,
    multiplier: Multipliers,
    dsp_type: DspType,
    is_constant: bool,  # noqa: FBT001 - a key
) -> Group:
    lane = products.lane(terms, multiplier, dsp_type, is_constant=is_constant)
    registers = (1, Registers(products.sum_bits(terms)))
    return Group((*lane, registers, *products.scaled(terms)))


@lru_cache(maxsize=4096)
def _packed_rows(products: Products, packed: Packing, pe: int, terms: int) -> Group:
    scaled = times(pe, products.scaled(terms))
    return Group((*products.in_slices(packed, pe, terms), *scaled))


def product(
    left: int,
    right: int,
    count: int,
    multiplier: Multipliers,
    dsp_type: DspType,
    *,
    is_constant: bool = False,
) -> Parts:
    """Return ``count`` products of numbers of so many bits, by what ``multiplier`` says."""
    is_open = multiplier_policy(multiplier, min(left, right)) == "AutoMultiplier"
    if uses_slices(left, right, multiplier) and not (is_open and is_constant):
        return ((count, DspSlices(slices(left, right, dsp_type))),)
    return ((count, Multiplier(left, right, is_constant)),)


def uses_slices(left: int, right: int, multiplier: Multipliers) -> bool:
    """Return whether products of numbers of so many bits are in DSP slices, one in each."""
    policy = multiplier_policy(multiplier, min(left, right))
    is_wide = left + right > _AUTO_FABRIC_BITS
    return policy == "DspMultiplier" or (policy == "AutoMultiplier" and is_wide)


def slices(left: int, right: int, dsp_type: DspType) -> int:
    """Return the DSP slices of one product: of a wider one, a slice for each pair of parts.

    Both are taken to be signed. All parts but the highest are unsigned, one bit less.
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
