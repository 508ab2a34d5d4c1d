"""Products of integer matrices and convolutions, exact, as fast as NumPy can be.

A float sum of integers is exact as long as every partial sum has a magnitude below 2^24
(float32) or 2^53 (float64), whatever the order of summation; BLAS serves floats only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.core.windows import tap_views

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.types import IntArray
    from lutloom.core.windows import Windows

_FLOAT32_EXACT, _FLOAT64_EXACT = 2**24, 2**53


def matmul(x: IntArray, weights: NDArray[np.integer]) -> IntArray:
    """Return ``x @ weights`` exactly: ``[..., K] @ [K, M] -> [..., M]``, or a matrix each.

    Wraps like int64 where a sum leaves 64 bits; the types of a graph exclude that.
    """
    import numpy as np

    largest = max(int(x.max(initial=0)), -int(x.min(initial=0)))
    # A float64 sum of magnitudes is exact below 2^53, and never falls below it again.
    bound = largest * np.abs(weights.astype(np.float64)).sum(axis=-2).max(initial=0)
    if bound < _FLOAT32_EXACT:
        return (x.astype(np.float32) @ weights.astype(np.float32)).astype(np.int64)
    if bound < _FLOAT64_EXACT:
        return (x.astype(np.float64) @ weights.astype(np.float64)).astype(np.int64)
    return x.astype(np.int64) @ weights.astype(np.int64)


def conv(
    x: IntArray, weights: NDArray[np.integer], windows: Windows, groups: int, fill: int
) -> IntArray:
    """Return the convolution of ``x [batch, *image, C]`` by ``weights [*kernel, C/groups, M]``.

    ``[batch, *results, M]``, exactly; masked taps see ``fill``. Wraps like ``matmul``.
    """
    import numpy as np

    *_, fan_in, outputs = weights.shape
    matrices = weights.reshape(windows.taps, fan_in, groups, outputs // groups).swapaxes(1, 2)
    largest = max(int(x.max(initial=fill)), -int(x.min(initial=fill)))
    bound = largest * np.abs(matrices.astype(np.float64)).sum(axis=(0, 2)).max(initial=0)
    exact: type[np.number] = np.int64
    if bound < _FLOAT64_EXACT:
        exact = np.float32 if bound < _FLOAT32_EXACT else np.float64
    sums: NDArray[np.number] | None = None
    for view, matrix in zip(
        tap_views(x.astype(exact), windows, fill), matrices.astype(exact), strict=True
    ):
        split = view.reshape(*view.shape[:-1], groups, 1, fan_in)
        if groups == 1:
            product = (view.reshape(-1, fan_in) @ matrix[0]).reshape(*view.shape[:-1], outputs)
        else:
            product = (split @ matrix).reshape(*view.shape[:-1], outputs)
        sums = product if sums is None else sums + product
    assert sums is not None
    return sums.astype(np.int64)
