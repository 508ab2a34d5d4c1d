"""Look-up tables of what computes: by structure, each formula with what it is derived from.

A six-input look-up table gives one function of six bits, or two of the same five (UG474, UG574).
That two functions share one is left to the placer and counted nowhere here. A carry chain takes one
look-up table a bit; the last carry takes none.
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
    """Return the look-up tables of sums of two, each as wide as the wider of its terms."""
    if terms <= 1:
        return 0
    half = terms // 2
    widest = bits + (terms - half - 1).bit_length()
    return adder_tree(half, bits) + adder_tree(terms - half, bits) + adder(widest)


def multiplier(left: int, right: int) -> int:
    """Return the look-up tables of a product of two numbers of so many bits.

    Two rows of partial products are added in one carry chain, whose tables make the products, too.
    """
    wide, narrow = max(left, right), min(left, right)
    if not narrow:
        return 0
    if narrow == 1 or wide + narrow <= _INPUTS:
        return wide if narrow == 1 else wide + narrow
    rows = -(-narrow // 2)
    return rows * (wide + 1) + adder_tree(rows, wide + 2)


def constant_multiplier(left: int, right: int) -> int:
    """Return the look-up tables of a product by a constant of ``right`` bits, whatever it is.

    In signed digits no two neighbours differ from zero: at most ``(right + 1) // 2`` terms.
    """
    if left <= 0 or right <= 0:
        return 0
    if left <= _INPUTS:
        return left + right if left > 1 else 0
    return adder_tree((right + 2) // 2, left + 1)


def dot_product(terms: int, left: int, right: int) -> int:
    """Return the look-up tables of products and the tree of their sums.

    What adds numbers takes them inverted for nothing, and the ones that invert them are a popcount.
    """
    if right == 1:
        return adder_tree(terms, left + 1) + popcount(terms) + left + 1
    return terms * multiplier(left, right) + adder_tree(terms, left + right)


def comparator(bits: int) -> int:
    """Return the look-up tables of ``x >= y``: the carry of a difference."""
    return bits


def constant_comparator(bits: int) -> int:
    """Return the look-up tables of ``x >= constant``: five bits and what is below in each."""
    return -(-max(bits - 1, 0) // (_INPUTS - 1))


def staircase(bits: int, steps: int) -> int:
    """Return the look-up tables of ``steps`` comparisons with constants and their popcount.

    Of few bits, they are those of a table of the result.
    """
    compared = steps * constant_comparator(bits) + popcount(steps)
    return min(compared, rom(1 << bits, steps.bit_length())) if bits <= 12 else compared


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
