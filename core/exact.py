"""Products of integer matrices and convolutions, exact, as fast as NumPy can be.

A float sum of integers is exact as long as every partial sum has a magnitude below 2^24
(float32) or 2^53 (float64), whatever the order of summation; BLAS serves floats only.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from lutloom.core.windows import tap_views

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.types import IntArray
    from lutloom.core.windows import Windows

_FLOAT32_EXACT, _FLOAT64_EXACT = 2**24, 2**53
_PATCHES = 2**20


def matmul(x: IntArray, weights: NDArray[np.integer], *, largest: int | None = None) -> IntArray:
    """Return ``x @ weights`` exactly: ``[..., K] @ [K, M] -> [..., M]``, or a matrix each.

    No magnitude in ``x`` is above ``largest``: its type says so, or else the data are asked. Wraps
    like int64 where a sum leaves 64 bits; the types of a graph exclude that.
    """
    import numpy as np

    if largest is None:
        largest = max(int(x.max(initial=0)), -int(x.min(initial=0)))
    # A float64 sum of magnitudes is exact below 2^53, and never falls below it again.
    bound = largest * np.abs(weights.astype(np.float64)).sum(axis=-2).max(initial=0)
    exact = _exact_type(bound)
    return (x.astype(exact) @ weights.astype(exact)).astype(np.int64)


def _exact_type(bound: float) -> type[np.number]:
    """Return the fastest type in which sums of magnitudes up to ``bound`` are exact, or wrap."""
    import numpy as np

    if bound < _FLOAT32_EXACT:
        return np.float32
    return np.float64 if bound < _FLOAT64_EXACT else np.int64


def conv(
    x: IntArray,
    weights: NDArray[np.integer],
    windows: Windows,
    groups: int,
    fill: int,
    *,
    largest: int | None = None,
) -> IntArray:
    """Return the convolution of ``x [batch, *image, C]`` by ``weights [*kernel, C/groups, M]``.

    ``[batch, *results, M]``, exactly; masked taps see ``fill``. ``largest`` is that of ``x``, and
    sums wrap, as in ``matmul``.
    """
    import numpy as np

    *_, fan_in, outputs = weights.shape
    matrices = weights.reshape(windows.taps, fan_in, groups, outputs // groups).swapaxes(1, 2)
    if largest is None:
        largest = max(int(x.max(initial=0)), -int(x.min(initial=0)))
    magnitudes = np.abs(matrices.astype(np.float64)).sum(axis=(0, 2)).max(initial=0)
    exact = _exact_type(max(largest, abs(fill)) * magnitudes)
    results = windows.results(x.shape[1:-1])
    sums = np.empty((len(x), *results, outputs), np.int64)
    # Few images at a time: what the taps see of them stays in the caches.
    size = max(1, _PATCHES // (prod(results) * windows.taps * fan_in * groups))
    narrow = matrices.astype(exact)
    for first in range(0, len(x), size):
        block = slice(first, first + size)
        sums[block] = _products(x[block].astype(exact), narrow, windows, fill)
    return sums


def _products(
    x: NDArray[np.number], matrices: NDArray[np.number], windows: Windows, fill: int
) -> NDArray[np.number]:
    """Return the sums of ``x`` for ``matrices [taps, groups, C/groups, M/groups]``."""
    import numpy as np

    taps, groups, fan_in, width = matrices.shape
    views = tap_views(x, windows, fill)
    if groups == 1:
        patches = np.concatenate([*views], axis=-1)
        flat = patches.reshape(-1, taps * fan_in) @ matrices.reshape(taps * fan_in, width)
        return np.asarray(flat.reshape(*patches.shape[:-1], width))
    products = (
        (view.reshape(*view.shape[:-1], groups, 1, fan_in) @ matrix).reshape(
            *view.shape[:-1], groups * width
        )
        for view, matrix in zip(views, matrices, strict=True)
    )
    sums = np.asarray(next(products))
    for product in products:
        sums += product
    return sums
