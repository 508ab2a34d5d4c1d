"""Constants of channels, laid out for kernels that take many elements at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lutloom.sim.engine.storage import Layout

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from lutloom.sim.engine.program import Operand

_CHUNK = 1024  # of native/codes.hpp


def period_of(channels: int) -> int:
    """Return after how many elements constants of ``channels`` are repeated: a multiple of them."""
    return channels * max(1, _CHUNK // channels)


def tiled(constants: NDArray[Any], period: int, dtype: DTypeLike = "i8") -> NDArray[Any]:
    """Return ``constants [..., C]`` as ``[..., period]``: again and again, ``C`` divides it."""
    import numpy as np

    times = (*[1] * (constants.ndim - 1), period // constants.shape[-1])
    return np.ascontiguousarray(np.tile(constants, times), dtype=dtype)


def as_stored(operand: Operand) -> Operand:
    """Return the operand whose integers are the codes of ``operand``, where it has codes."""
    return replace(operand, lo=0, step=1)


def written_bits(operand: Operand) -> int:
    """Return how wide integers are that are read from ``operand``, or written to it."""
    is_coded = operand.layout == Layout.BYTES and (operand.lo, operand.step) == (0, 1)
    widths = {Layout.BYTES: 16 if is_coded else 64, Layout.INT16: 16, Layout.INT32: 32}
    return widths.get(Layout(operand.layout), 64)


def sum_bits(lo: int, hi: int) -> int:
    """Return modulo which power of two sums are what they are that end up from ``lo`` to ``hi``."""
    return 32 if lo >= -(2**31) and hi < 2**31 else 64
