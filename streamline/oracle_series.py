"""Functions of a rational number between two integers: proved bounds in units of ``2**-bits``.

Each function is called twice: ``up=False`` gives an integer whose multiple of ``2**-bits`` is at
most the true value, ``up=True`` one that is at least it. There is no analysis of errors to get
wrong: every division of a sum of positive terms rounds to the side that is asked for, and what
comes behind the last term is bounded by a geometric series and added where the side is up.
The two are as close as ``bits`` allows; how close is not promised, and never relied on.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import isqrt

_GUARD = 16
"""Further bits that the sums are computed with: more would only bring the bounds closer."""

_LARGEST_EXPONENT = 2**16


class OutOfRangeError(ArithmeticError):
    """A result larger than any float is: it would fill the memory."""


def quotient(numerator: int, denominator: int, *, up: bool) -> int:
    """Return ``numerator / denominator`` as an integer, rounded down or up."""
    return -(-numerator // denominator) if up else numerator // denominator


def fixed(x: Fraction, bits: int, *, up: bool) -> int:
    """Return ``x`` itself."""
    return quotient(x.numerator << bits, x.denominator, up=up)


def exp(x: Fraction, bits: int, *, up: bool) -> int:
    """Return ``e**x``: ``2**k * e**r`` with ``x = k ln 2 + r`` and ``r`` from 0 to 1.4.

    Raises ``OutOfRangeError`` above ``e**45000``.
    """
    if x == 0:
        return 1 << bits
    halvings = x / Fraction(_ln2(64)[1], 2**64)
    k = halvings.numerator // halvings.denominator - 1
    if k > _LARGEST_EXPONENT:
        raise OutOfRangeError("a result is larger than any number that a float can hold")
    if k + bits < -4:  # e**x < 2**(k + 3)
        return 1 if up else 0
    width = bits + max(k, 0) + _GUARD
    low, high = _ln2(width + abs(k).bit_length())
    if (k < 0) != up:
        low, high = high, low  # k times the upper bound of ln 2 leaves the smaller rest
    shift = abs(k).bit_length()
    rest = fixed(x, width, up=up) - quotient(k * (low if up else high), 1 << shift, up=not up)
    total = term = 1 << width
    count = 0
    while term > up:
        count += 1
        term = quotient(quotient(term * rest, 1 << width, up=up), count, up=up)
        total += term
        if up and term <= 1 and count > 3:  # each further term is less than half the last
            total += term
            break
    if bits + k < 0:
        return quotient(total, 1 << (width - bits - k), up=up)
    return quotient(total << (bits + k), 1 << width, up=up)


def log(x: Fraction, bits: int, *, up: bool) -> int:
    """Return the natural logarithm of ``x > 0``.

    ``x = m 2**e`` with ``m`` near 1, and ``ln m = 2 artanh((m - 1) / (m + 1))``.
    """
    if x == 1:
        return 0
    exponent = x.numerator.bit_length() - x.denominator.bit_length()
    m = x / 2**exponent if exponent >= 0 else x * 2**-exponent
    if 3 * m > 4:
        m, exponent = m / 2, exponent + 1
    elif 3 * m < 2:
        m, exponent = m * 2, exponent - 1
    z = (m - 1) / (m + 1)
    width = bits + _GUARD + abs(exponent).bit_length()
    low, high = _ln2(width)
    power = exponent * (high if (exponent > 0) == up else low)
    rest = 2 * _artanh(abs(z), width, up=up if z > 0 else not up)
    return quotient(power + (rest if z > 0 else -rest), 1 << (width - bits), up=up)


def _artanh(z: Fraction, width: int, *, up: bool) -> int:
    """Return ``z + z**3 / 3 + z**5 / 5 + ...`` for ``z`` from 0 to 1/3."""
    square = fixed(z * z, width, up=up)
    total = power = fixed(z, width, up=up)
    count = 1
    while power > up:
        count += 2
        power = quotient(power * square, 1 << width, up=up)
        total += quotient(power, count, up=up)
    return total + up  # the powers fall ninefold: what is left is less than the last one


def _artan(n: int, width: int) -> tuple[int, int]:
    """Return bounds of ``1/n - 1/(3 n**3) + 1/(5 n**5) - ...``."""
    low = high = 0
    power, count, sign = 1 << width, 1, 1
    scale = n
    while power // scale:
        down, up = (quotient(power, scale * count, up=side) for side in (False, True))
        low, high = (low + down, high + up) if sign > 0 else (low - up, high - down)
        scale, count, sign = scale * n * n, count + 2, -sign
    return low - 1, high + 1  # the series alternates: what is left is less than the next term


@lru_cache
def _ln2_to(width: int) -> tuple[int, int]:
    third = Fraction(1, 3)
    return 2 * _artanh(third, width, up=False), 2 * _artanh(third, width, up=True)


@lru_cache
def _pi_to(width: int) -> tuple[int, int]:
    fifth, other = _artan(5, width), _artan(239, width)
    return 16 * fifth[0] - 4 * other[1], 16 * fifth[1] - 4 * other[0]


def _ln2(width: int) -> tuple[int, int]:
    """Return bounds of ``ln 2``; few widths are ever computed."""
    whole = -(-width // 128) * 128
    low, high = _ln2_to(whole)
    return low >> (whole - width), quotient(high, 1 << (whole - width), up=True)


def pi(bits: int, *, up: bool) -> int:
    """Return pi: ``16 artan(1/5) - 4 artan(1/239)``."""
    whole = -(-(bits + _GUARD) // 128) * 128
    return quotient(_pi_to(whole)[up], 1 << (whole - bits), up=up)


def sqrt(x: Fraction, bits: int, *, up: bool) -> int:
    """Return the root of ``x >= 0``."""
    square = fixed(x, 2 * bits, up=up)
    root = isqrt(square)
    return root + (up and root * root != square)


def erf(x: Fraction, bits: int, *, up: bool) -> int:
    """Return ``2 / sqrt(pi) e**(-x**2) (x + 2 x**3 / 3 + 4 x**5 / 15 + ...)``, odd in ``x``.

    Where ``e**(-x**2) / x``, which is more than what is missing to 1, is below ``2**-bits``, that
    is all there is to say.
    """
    if x < 0:
        return -erf(-x, bits, up=not up)
    square = x * x
    if square > bits:
        return (1 << bits) - (not up)
    reach = square.numerator // square.denominator + 1
    width = bits + 2 * reach + _GUARD
    ratio = fixed(2 * square, width, up=up)
    total = term = fixed(x, width, up=up)
    count = 1
    while term > up or (up and count < 4 * reach + 4):
        count += 2
        term = quotient(quotient(term * ratio, 1 << width, up=up), count, up=up)
        total += term
    # Upwards, from ``4 x**2`` on each term is less than half the one before it.
    total += term
    decay = exp(-square, width, up=up) if square else 1 << width
    factor = sqrt(Fraction(4 << width, pi(width, up=not up)), width, up=up)
    product = quotient(total * decay * factor, 1 << (3 * width - bits), up=up)
    return min(product, 1 << bits)


def sigmoid(x: Fraction, bits: int, *, up: bool) -> int:
    """Return ``1 / (1 + e**-x)``."""
    width = bits + _GUARD
    one = 1 << width
    decay = exp(-abs(x), width, up=up if x < 0 else not up)
    return quotient((one if x >= 0 else decay) << bits, one + decay, up=up)


def softplus_rest(x: Fraction, bits: int, *, up: bool) -> int:
    """Return ``ln(1 + e**-x)``: what the softplus of ``x`` is more than ``x``."""
    width = bits + _GUARD
    return log(1 + Fraction(exp(-x, width, up=up), 1 << width), bits, up=up)


def power(x: Fraction, exponent: Fraction, bits: int, *, up: bool) -> int:
    """Return ``x**exponent`` for ``x > 0``: ``e**(exponent ln x)``."""
    width = bits + _GUARD + abs(exponent.numerator).bit_length()
    logarithm = log(x, width, up=up if exponent > 0 else not up)
    return exp(Fraction(logarithm, 1 << width) * exponent, bits, up=up)
