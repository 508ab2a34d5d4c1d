"""Arrays of exact rationals: scales, biases and bounds, a few a channel."""

from __future__ import annotations

from fractions import Fraction
from math import gcd, isqrt, lcm
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Rationals: TypeAlias = NDArray[np.object_]
    """An array of ``Fraction``: NumPy's operators apply element by element, exactly."""


def rationals(values: ArrayLike) -> Rationals:
    """Return ``values`` (floats, integers or Fractions) as exact Fractions, in their shape.

    Raises ``ValueError`` for NaN and infinities, which are no numbers.
    """
    import numpy as np

    array = np.asarray(values)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError("it holds NaN or infinity")
    exact = np.empty(array.shape, dtype=object)
    exact.ravel()[:] = [Fraction(value) for value in array.ravel().tolist()]
    return exact


def common_divisor(values: Iterable[Fraction]) -> Fraction:
    """Return the largest rational of which all ``values`` are integer multiples; 0 for zeros.

    >>> common_divisor([Fraction(1, 2), Fraction(1, 3)])
    Fraction(1, 6)
    """
    numerator, denominator = 0, 1
    for value in values:
        together = lcm(denominator, value.denominator)
        numerator = gcd(
            numerator * (together // denominator),
            value.numerator * (together // value.denominator),
        )
        denominator = together
    return Fraction(numerator, denominator)


def sqrt_to_float64(square: Fraction) -> Fraction:
    """Return the square root of ``square`` (at least 0), rounded once to the nearest float64.

    Ties can't occur: a square root that lies midway between two floats would be rational with
    54 significant bits, and is found exactly by the integer square root, to be rounded to even.
    """
    if square == 0:
        return Fraction(0)
    # Scale by 4**shift so that the integer root has at least 64 bits: 53, and a margin.
    shift = max(0, 66 - (square.numerator.bit_length() - square.denominator.bit_length()) // 2)
    scaled, rest = divmod(square.numerator << (2 * shift), square.denominator)
    root = isqrt(scaled)
    inexact = rest != 0 or root * root != scaled
    # A sticky bit below all others: it tells a tie from a little more than one.
    sticky = Fraction((root << 1) | inexact, 1 << (shift + 1))
    return Fraction(float(sticky))
