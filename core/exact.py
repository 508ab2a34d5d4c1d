"""Products of integer matrices, exact, as fast as NumPy can be.

A float sum of integers is exact as long as every partial sum has a magnitude below 2^24
(float32) or 2^53 (float64), whatever the order of summation; BLAS serves floats only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.types import IntArray

_FLOAT32_EXACT, _FLOAT64_EXACT = 2**24, 2**53


def matmul(x: IntArray, weights: NDArray[np.integer]) -> IntArray:
    """Return ``x @ weights`` exactly: ``[..., K] @ [K, M] -> [..., M]``.

    Wraps like int64 where a sum leaves 64 bits; the types of a graph exclude that.
    """
    import numpy as np

    largest = max(int(x.max(initial=0)), -int(x.min(initial=0)))
    # A float64 sum of magnitudes is exact below 2^53, and never falls below it again.
    bound = largest * np.abs(weights.astype(np.float64)).sum(axis=0).max(initial=0)
    if bound < _FLOAT32_EXACT:
        return (x.astype(np.float32) @ weights.astype(np.float32)).astype(np.int64)
    if bound < _FLOAT64_EXACT:
        return (x.astype(np.float64) @ weights.astype(np.float64)).astype(np.int64)
    return x.astype(np.int64) @ weights.astype(np.int64)
