"""Float64 arithmetic that knows where it is exact: the transformations of Knuth and Dekker."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Bools: TypeAlias = NDArray[np.bool_]

# Dekker's product is error-free between these magnitudes, with room to spare.
_SMALL_PRODUCT, _LARGE_PRODUCT = 2.0**-900, 2.0**900
_SPLITTER = 2.0**27 + 1


def lost_by_adding(x: Floats, y: Floats) -> Floats:
    """Return ``x + y`` less its float64: zero where that is exact (Knuth's TwoSum)."""
    total = x + y
    part = total - x
    return (x - (total - part)) + (y - part)


def rounded_sum(x: Floats, y: Floats) -> tuple[Floats, Bools]:
    """Return the rounded sums, and which of them are exact."""
    return x + y, lost_by_adding(x, y) == 0


def rounded_product(x: Floats, y: Floats) -> tuple[Floats, Bools]:
    """Return the rounded products, and which are known to be exact (Dekker's TwoProduct).

    Zero times infinity is zero: an infinite end stands for large numbers.
    """
    product = x * y
    is_zero = (x == 0) | (y == 0)
    product = np.where(is_zero, 0.0, product)
    size = np.abs(product)
    fits = (size > _SMALL_PRODUCT) & (size < _LARGE_PRODUCT)
    fits &= (np.abs(x) < _LARGE_PRODUCT) & (np.abs(y) < _LARGE_PRODUCT)
    return product, is_zero | (fits & (_product_error(x, y, product) == 0))


def _product_error(x: Floats, y: Floats, product: Floats) -> Floats:
    x_high, y_high = _high_half(x), _high_half(y)
    x_low, y_low = x - x_high, y - y_high
    return np.asarray(
        ((x_high * y_high - product) + x_high * y_low + x_low * y_high) + x_low * y_low
    )


def _high_half(x: Floats) -> Floats:
    shifted = _SPLITTER * x
    return np.asarray(shifted - (shifted - x))


def rounded_quotient(x: Floats, y: Floats) -> tuple[Floats, Bools]:
    """Return the rounded quotients, and which are known to be exact; y is not zero."""
    quotient = np.where(x == 0, 0.0, x / y)
    back, is_exact = rounded_product(quotient, y)
    return quotient, (x == 0) | (is_exact & (back == x) & np.isfinite(y))
