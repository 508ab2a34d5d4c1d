"""Integer types and exact rationals as people and files write them."""

from __future__ import annotations

import re
from fractions import Fraction

from lutloom.core.types import BIPOLAR, IntType

MOST_BITS = 32
"""Bits of an integer that can be written, at most."""
LONGEST_NUMBER = 100
"""Characters of a rational, at most."""
_BEYOND = Fraction(2**128)
"""No float32 is as large as this."""


def integers_of(text: str) -> IntType | None:
    """Return what ``uint8``, ``int4``, ..., ``bipolar`` or a range ``0..9`` means.

    None for anything else, and for more than ``MOST_BITS``.
    """
    if text.lower() == "bipolar":
        return BIPOLAR
    if found := re.fullmatch(r"(u?)int([1-9][0-9]?)", text.lower()):
        bits = int(found[2])
        below = 0 if found[1] else 2 ** (bits - 1)
        if bits <= MOST_BITS:
            return IntType(-below, 2**bits - 1 - below)
    if found := re.fullmatch(r"(-?[0-9]{1,10})\.\.(-?[0-9]{1,10})", text):
        lo, hi = int(found[1]), int(found[2])
        if -(2 ** (MOST_BITS - 1)) <= lo < hi < 2**MOST_BITS:
            return IntType(lo, hi)
    return None


def rational_of(text: str) -> Fraction | None:
    """Return the number that ``1/255`` or ``0.5`` means; None for none that a float32 can hold."""
    # Exponents of many digits are numbers of as many more, all of which would be computed.
    if len(text) > LONGEST_NUMBER or re.search(r"[eE][+-]?[0-9_]{4}", text):
        return None
    try:
        number = Fraction(text)
    except (ValueError, ZeroDivisionError):
        return None
    return number if abs(number) < _BEYOND else None
