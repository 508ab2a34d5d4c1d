"""``threshold(x)``  =  ``scale * (how many of thresholds[c] sign[c] * x[..., c] reaches) + bias``.

That is what a MultiThreshold of QONNX can say: as many steps in every channel, all of one height,
all up. A step of several heights is that many equal thresholds; a channel that starts higher than
others begins with thresholds that every input reaches, one with fewer steps ends in thresholds
that none does. A channel whose steps go down is one whose steps go up on ``-x``: with ``n`` steps,
``n - count(x >= t)`` is ``count(-x >= 1 - t)``, since ``x < t`` is ``-x >= 1 - t`` for integers. A
staircase that goes up and down is the difference of two that go up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lutloom.core.ops import Threshold
from lutloom.core.types import Const

if TYPE_CHECKING:
    from lutloom.core.types import IntArray, IntType

# Larger tables than this (256 MiB of float32) are no files to look at.
_MOST_ENTRIES = 1 << 26


class TooManyStepsError(ValueError):
    """A table that would be too large; the text says how large."""


@dataclass(frozen=True, eq=False)
class UpSteps:
    """``thresholds [C, T]``, ascending; ``signs [C]``, each 1 or -1."""

    thresholds: IntArray
    signs: IntArray
    scale: int
    bias: int


def in_one_direction(op: Threshold, x: IntType) -> tuple[Threshold, ...]:
    """Return ``op`` alone where no channel goes up and down on inputs of the type ``x``.

    Else return two operators of which ``op`` is the difference, and all whose steps go up.
    """
    import numpy as np

    heights = _live(op, x)
    if not ((heights > 0).any(axis=1) & (heights < 0).any(axis=1)).any():
        return (op,)
    base = _lowest(op, x)
    up, down = (Const(np.maximum(sign * heights, 0)) for sign in (1, -1))
    return (
        Threshold(op.thresholds, Const(base), up),
        Threshold(op.thresholds, Const(np.zeros_like(base)), down),
    )


def _lowest(op: Threshold, x: IntType) -> IntArray:
    """Return the levels at the least input, ``[C]``."""
    import numpy as np

    taken = np.where(op.thresholds.int64 <= x.lo, op.deltas.int64, 0)
    return np.asarray(op.base.int64 + taken.sum(axis=1))


def _live(op: Threshold, x: IntType) -> IntArray:
    """Return the heights of the steps, ``[C, T]``, 0 where no input or every input takes them."""
    import numpy as np

    rows = op.thresholds.int64
    return np.where((rows <= x.lo) | (rows > x.hi), 0, op.deltas.int64)


def up_steps(op: Threshold, x: IntType) -> UpSteps:
    """Return ``op``, no channel of which goes up and down, on inputs of the type ``x``.

    Raises ``TooManyStepsError``.
    """
    import numpy as np

    rows, base, heights = op.thresholds.int64, _lowest(op, x), _live(op, x)
    signs = np.where((heights < 0).any(axis=1), -1, 1)
    # Of a falling channel, the level that it ends in is where the rising one begins.
    start = base + np.minimum(heights, 0).sum(axis=1)
    bias = int(start.min())
    scale = int(np.gcd.reduce(np.concatenate([heights.ravel(), start - bias]))) or 1
    before, repeats = (start - bias) // scale, np.abs(heights) // scale
    lengths = before + repeats.sum(axis=1)
    width = max(1, int(lengths.max()))
    if width * len(rows) > _MOST_ENTRIES:
        raise TooManyStepsError(
            f"a MultiThreshold would need {width:,} thresholds in each of {len(rows):,} channels"
        )
    table = np.empty((len(rows), width), dtype=np.int64)
    for channel, (sign, length, first) in enumerate(zip(signs, lengths, before, strict=True)):
        lowest, highest = (x.lo, x.hi) if sign > 0 else (-x.hi, -x.lo)
        live = np.repeat(rows[channel], repeats[channel])
        table[channel, :first] = lowest
        table[channel, first:length] = live if sign > 0 else 1 - live[::-1]
        table[channel, length:] = highest + 1
    return UpSteps(table, signs, scale, bias)
