"""Constants of channels, laid out for kernels that take many elements at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_CHUNK = 1024  # of native/codes.hpp


def period_of(channels: int) -> int:
    """Return after how many elements constants of ``channels`` are repeated: a multiple of them."""
    return channels * max(1, _CHUNK // channels)


def tiled(constants: NDArray[np.integer], period: int) -> NDArray[np.int64]:
    """Return ``constants [..., C]`` as ``[..., period]``: again and again, ``C`` divides it."""
    import numpy as np

    times = (*[1] * (constants.ndim - 1), period // constants.shape[-1])
    return np.ascontiguousarray(np.tile(constants, times), dtype=np.int64)


def sum_bits(lo: int, hi: int) -> int:
    """Return modulo which power of two sums are what they are that end up from ``lo`` to ``hi``."""
    return 32 if lo >= -(2**31) and hi < 2**31 else 64
