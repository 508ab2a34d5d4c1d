"""Several products in the multiplier of one DSP slice: where each lies, and why that is exact.

Rows that are computed together multiply their weights with the same code, so ``lanes`` of them
share a slice. Weights are stored as ``u = weight - least`` with ``least`` the least weight, or 0 if
none is negative; codes are read as ``v = code - first`` with ``first = -2^(x - 1)`` where they are
two's complement (a flipped sign bit), else 0. Both are unsigned, of ``w`` and ``x`` bits, and

    (sum over i of u[i] * 2^(i * spacing)) * v = sum over i of (u[i] * v) * 2^(i * spacing)

Sums of up to ``chain`` such words are added before they are cut into fields of ``spacing`` bits:
``chain * (2^w - 1) * (2^x - 1) < 2^spacing``, so that no field carries into the next one, and since
nothing is negative, none borrows from it. What the two offsets took away comes back exactly:

    sum of weight * code = sum of u * v + least * sum of v + first * sum of weight

of which the second sum is one for all rows, and the third a constant of each row, part of what its
sum starts from.

The multiplier is signed, so the packed weights need one bit more than ``(lanes - 1) * spacing + w``
in its wider factor, and codes one more than ``x`` in the narrower one of 18 bits: 25 in a DSP48E1
(UG479), 27 in a DSP48E2 (UG579), 27 in a DSP58, whose other factor has 24 (AM004). ``spacing`` has
room for two products at least: the sums that are saved are what pays for packing. So two products
of 8 bits, 17 bits apart, fit 27 bits and not 25; in 27 they lie 18 apart, as in WP486. It has room
for eight at most: more of them only make the sums wider. That such a product takes one slice, and
one bit more two, yosys says too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lutloom.boards.device import DspType
from lutloom.core.plan import Multiplier

if TYPE_CHECKING:
    from lutloom.core.types import IntType

WIDER_FACTOR = {Multiplier.PACKED: 27, Multiplier.PACKED_25: 25}
"""The signed bits of the slice's wider factor, by what multiplies."""

_NARROWER_FACTOR = 18
_LEAST_CHAIN, _LONGEST_CHAIN = 2, 8


@dataclass(frozen=True, slots=True)
class Packing:
    """``lanes`` weights of ``weight_bits`` by a code of ``code_bits``, ``spacing`` bits apart."""

    weight_bits: int
    code_bits: int
    lanes: int
    spacing: int

    @property
    def chain(self) -> int:
        """How many products of a lane are added up before lanes are cut apart, at most."""
        return ((1 << self.spacing) - 1) // _largest(self.weight_bits, self.code_bits)

    @property
    def sum_bits(self) -> int:
        """The bits of what is added up and cut apart then."""
        return self.lanes * self.spacing

    def slices(self, pe: int, simd: int) -> int:
        """Return the DSP slices of ``pe`` rows by ``simd`` columns."""
        return -(-pe // self.lanes) * simd


def packed_multiplier(dsp_type: DspType) -> Multiplier:
    """Return how products are packed in slices of ``dsp_type``."""
    return Multiplier.PACKED_25 if dsp_type is DspType.DSP48E1 else Multiplier.PACKED


def least_weight(weights: IntType) -> int:
    """Return what packed weights count from."""
    return min(weights.lo, 0)


def least_code(x: IntType) -> int:
    """Return what codes count from where they meet packed weights."""
    return -(1 << (x.bits - 1)) if x.is_signed else 0


def packing(weights: IntType, x: IntType, multiplier: Multiplier) -> Packing | None:
    """Return the packing with the most lanes, then the longest chain; None without two lanes.

    ``weights`` are stored ones, ``x`` is the type of what they are multiplied with, in codes.
    """
    if multiplier not in WIDER_FACTOR or x.bits >= _NARROWER_FACTOR:
        return None
    bits = max((weights.hi - least_weight(weights)).bit_length(), 1)
    room = WIDER_FACTOR[multiplier] - 1 - bits
    least, most = (
        (chain * _largest(bits, x.bits)).bit_length() for chain in (_LEAST_CHAIN, _LONGEST_CHAIN)
    )
    gaps = room // least
    return Packing(bits, x.bits, gaps + 1, min(room // gaps, most)) if gaps >= 1 else None


def products_per_slice(weights: IntType, x: IntType, dsp_type: DspType) -> int:
    """Return how many products a slice holds at most: 1 where they can't be packed."""
    found = packing(weights, x, packed_multiplier(dsp_type))
    return found.lanes if found is not None else 1


def _largest(weight_bits: int, code_bits: int) -> int:
    return ((1 << weight_bits) - 1) * ((1 << code_bits) - 1)
