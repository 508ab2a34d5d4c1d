"""Look-up tables of what computes: by structure, each formula with what it is derived from.

A six-input look-up table gives one function of six bits, or two of the same five (UG474, UG574).
Two functions share one in carry chains only, what chooses and what is added. Where else they could
is left to the placer and not reckoned with: in reports of three layers of FINN's (Vivado 2023.2)
that was a fifth of all. A carry chain takes one look-up table a bit; the last carry takes none.
Three numbers in one chain, which two outputs of a table allow, are not reckoned with: Vitis HLS may
put registers between two sums.

How far each is off what yosys makes of the same structure is in ``benchmarks/calibration.json``.
Both families that were synthesized, 7 series and UltraScale+, take the same; Versal's look-up
tables have other carry logic and no F7 (AM005), and are taken to be like them.
"""

from __future__ import annotations

from functools import cache

_INPUTS = 6


@cache
def popcount(bits: int) -> int:
    """Return the look-up tables of a tree as ``popcount.hpp`` has it.

    Each result bit of a leaf of up to six bits is one table; a sum of two numbers is one a bit.
    """
    if bits <= 1:
        return 0
    if bits <= _INPUTS:
        return bits.bit_length()
    low = popcount_split(bits)
    return popcount(low) + popcount(bits - low) + adder(low.bit_length())


def popcount_split(bits: int) -> int:
    """Return how many of ``bits`` bits are one branch of the tree: full leaves, the larger part."""
    low = _INPUTS // 2
    while 2 * low < bits:
        low *= 2
    return low


@cache
def xnor_popcount(bits: int) -> int:
    """Return the look-up tables of the popcount of ``bits`` XNORs.

    Leaves are three XNORs, whose six bits give the two bits of their number.
    """
    if bits <= _INPUTS // 2:
        return bits.bit_length()
    low = popcount_split(bits)
    return xnor_popcount(low) + xnor_popcount(bits - low) + adder(low.bit_length())


def adder(bits: int) -> int:
    """Return the look-up tables of a sum of two numbers: a carry chain."""
    return bits


@cache
def adder_tree(terms: int, bits: int) -> int:
    """Return the look-up tables of sums of two signed numbers, each a bit wider than its terms."""
    if terms <= 1:
        return 0
    half = terms // 2
    widest = bits + (terms - half - 1).bit_length()
    return adder_tree(half, bits) + adder_tree(terms - half, bits) + adder(widest + 1)


def negation(bits: int) -> int:
    """Return the look-up tables of a number or its negative: what inverts it is in the chain."""
    return adder(bits + 1)


def multiplier(left: int, right: int) -> int:
    """Return the look-up tables of a product of two signed numbers of so many bits.

    A row of the wider one for each bit of the other. Two rows are added in a chain whose tables
    make the products, too, and so on by halves; the bits below the higher half are there already.
    """
    wide, narrow = max(left, right), min(left, right)
    return _rows(wide, narrow) if narrow > 1 else wide * narrow


@cache
def _rows(bits: int, rows: int) -> int:
    if rows == 1:
        return 0
    half = rows // 2
    lowest = half == 1  # the first bit of a single row is no chain's
    return _rows(bits, half) + _rows(bits, rows - half) + bits + rows - half + lowest


def constant_multiplier(left: int, right: int) -> int:
    """Return the look-up tables of a product by a constant of ``right`` bits, its sign included.

    In signed digits no two neighbours differ from zero; on average one in three does, and a ninth
    more (Reitwiesner 1960). All but one of them are sums.
    """
    if left <= 0 or right <= 1:
        return 0
    return -(-(3 * right - 5) * (4 * left + right) // 36)


def dot_product(terms: int, left: int, right: int) -> int:
    """Return the look-up tables of products and the tree of their sums.

    By one bit on the right, a number is added or subtracted. By one bit on the left, a number or
    nothing is added, in the same table. The last table of another product is left to its sum.

    FINN-R (Blott et al., 2018) has ``terms * (2 * ceil(b / 6) - 1) * b`` for products and
    ``(2 * terms - 1) * b`` for sums, ``b = left + right``, whatever the number of bits: for 64
    products of 8 by 8 bits 7,152 where this is 5,672, for 64 XNORs 382 where a popcount is 103.
    """
    if right == 1:
        return terms * negation(left) + adder_tree(terms, left + 1)
    if left == 1:
        return adder_tree(terms, right)
    return terms * (multiplier(left, right) - 1) + adder_tree(terms, left + right)


def comparator(bits: int) -> int:
    """Return the look-up tables of ``x >= y``.

    Three bits of each are one step of a carry chain: a table says that they are equal, another one
    that those of ``x`` are greater. (Two bits a step share one table, by what five inputs allow:
    half as many tables as bits. yosys does not build that. FINN reckons with one for each bit.)
    """
    return -(-2 * bits // 3)


def constant_comparator(bits: int) -> int:
    """Return the look-up tables of ``x >= constant``.

    Up to twelve bits, five and what is below in each table; beyond, a carry chain of three a step.
    """
    if bits > 2 * _INPUTS:
        return -(-bits // 3)
    return -(-max(bits - 1, 0) // (_INPUTS - 1))


def counter(bits: int) -> int:
    """Return the look-up tables of a counter of ``bits`` bits.

    A chain, what takes it back to zero after its last state, and what compares it with that.
    """
    return 2 * adder(bits) + -(-bits // 4)


def multiplexer(ways: int, bits: int) -> int:
    """Return the look-up tables of one of ``ways`` numbers of ``bits`` bits.

    A table chooses from four; of those F7 and F8 choose for nothing (UG474), up to 16 in all.
    """
    luts = 0
    while ways > 1:
        luts += -(-ways // 4)
        ways = -(-ways // 16)
    return luts * bits


def rom(words: int, bits: int) -> int:
    """Return the look-up tables of constants: 64 words a table and bit, and what chooses."""
    if words <= 2:
        return 0
    return bits * -(-words // 64) + multiplexer(-(-words // 256), bits)
