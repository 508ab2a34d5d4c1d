"""Sums and products of exact numbers, in integers where all of them are rational.

Rationals are brought to a common denominator, and their numerators computed with: it is the same
and much faster.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import lcm, prod
from typing import TYPE_CHECKING, Any

import numpy as np

from lutloom.streamline.oracle_values import each

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

_LONGEST_DENOMINATOR = 4096


def in_integers(compute: Callable[..., Array], *arrays: Array, terms: int = 1) -> Array:
    """Return ``compute(*arrays)``, which is linear in each of the arrays, or a choice among them.

    Its elements should be made of at most ``terms`` products of one number of each array; to
    choose the largest of some numbers of one array is as good, since denominators are positive.
    """
    below = []
    for array in arrays:
        denominator = _denominator(array)
        if denominator is None:
            return np.asarray(compute(*arrays), dtype=object)
        below.append(denominator)
    whole = [
        each(lambda x, d=d: x.numerator * (d // x.denominator), array)
        for array, d in zip(arrays, below, strict=True)
    ]
    largest = (max((abs(x) for x in array.flat), default=0) for array in whole)
    if prod(max(x, 1) for x in largest) * terms < 2**63:
        whole = [array.astype(np.int64) for array in whole]
    common = prod(below)
    return each(lambda x: Fraction(x, common), np.asarray(compute(*whole)).astype(object))


def _denominator(array: Array) -> int | None:
    """Return a common denominator, or None where there is none that is short."""
    common = 1
    for x in array.flat:
        if not isinstance(x, Fraction):
            return None
        common = lcm(common, x.denominator)
        if common.bit_length() > _LONGEST_DENOMINATOR:
            return None
    return common


def product(left: Array, right: Array) -> Array:
    """Return the matrix product of exact numbers."""
    return in_integers(np.matmul, left, right, terms=left.shape[-1])
