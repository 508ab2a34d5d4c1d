"""Products of two results in codes: what is left to multiply and to add when both are offset.

With ``a = a0 + s * code_a``, ``b = b0 + t * code_b`` and ``y = y0 + u * code_y``, the sum ``y`` of
``n`` products reads in codes

    code_y = (n * a0 * b0 - y0) / u + sum of (s * b0 / u) * code_a + (t * a0 / u) * code_b
                                             + (s * t / u) * code_a * code_b

where all quotients are integers: ``u`` divides all differences of products, those of neighbours and
of neighbours' neighbours too.
"""

from __future__ import annotations

from dataclasses import dataclass

from lutloom.codegen.kernels.kernel import coding, linear
from lutloom.core.types import IntType


@dataclass(frozen=True)
class Bilinear:
    """``start + sum of of_a * code_a + of_b * code_b + of_both * code_a * code_b``.

    In Python's integers, which may be wider than the result is: it is right modulo its width.
    """

    start: int
    of_a: int
    of_b: int
    of_both: int

    @classmethod
    def of(cls, a: IntType, b: IntType, y: IntType, terms: int = 1) -> Bilinear:
        """Return the coefficients of ``y``, the sum of ``terms`` products of ``a`` and ``b``."""
        (a0, s), (b0, t) = linear(a), linear(b)
        y0, u = coding(y)
        return cls((terms * a0 * b0 - y0) // u, s * b0 // u, t * a0 // u, s * t // u)


def wrapped(number: int, bits: int) -> int:
    """Return what is congruent to ``number`` modulo ``2^bits``, as two's complement."""
    half = 1 << (bits - 1)
    return (number + half) % (2 * half) - half
