"""Staircases of different lengths, one a channel, packed into one threshold operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.core.ops import Threshold
from lutloom.core.types import INT64_MAX, Const

if TYPE_CHECKING:
    from lutloom.core.types import IntArray


def packed(
    base: IntArray, counts: IntArray, thresholds: IntArray, heights: IntArray, highest: int
) -> Threshold:
    """Return the operator of staircases for inputs up to ``highest``.

    Channel ``c`` starts at ``base[c]`` and has ``counts[c]`` steps; ``thresholds`` and ``heights``
    hold the steps of all channels one after another, thresholds ascending within each.

    Rows with fewer steps than others are filled with thresholds that no input reaches; where all
    rows are equal, one is kept.
    """
    import numpy as np

    width = max(1, int(counts.max()))
    taken = np.arange(width) < counts[:, np.newaxis]
    # Beyond the last int64 no threshold can be out of reach: its step is one of height 0 then.
    table = np.full(taken.shape, min(highest + 1, INT64_MAX), dtype=np.int64)
    deltas = np.zeros(taken.shape, dtype=np.int64)
    table[taken] = thresholds
    deltas[taken] = heights
    if highest < INT64_MAX:
        # What stands at a threshold out of reach does not matter: the same as in front of it,
        # and in rows without steps the same as in others.
        common = np.full(len(base), heights[0] if heights.size else 1)
        common[counts > 0] = deltas[counts > 0, 0]
        if ((deltas == common[:, np.newaxis]) | ~taken).all():
            deltas = common[:, np.newaxis]
    if all((array == array[:1]).all() for array in (table, deltas, base)):
        table, deltas, base = table[:1], deltas[:1], base[:1]
    return Threshold(Const(table), Const(base), Const(deltas))
