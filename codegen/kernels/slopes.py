"""A staircase as a product: ``clamp((m * code + b) >> s, lowest, highest)``, where one exists.

A channel whose steps go up has a lower corner (see ``core/multiply_shift``) at each threshold, and
an upper one just before it; one whose steps go down is the same in ``-code``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from lutloom.codegen.kernels.kernel import Site
from lutloom.codegen.kernels.stairs import stairs_between
from lutloom.core.multiply_shift import (
    NARROW_SUM,
    Slopes,
    clamps_once,
    fit,
    listed_corners,
)

if TYPE_CHECKING:
    from lutloom.codegen.kernels.stairs import Stairs
    from lutloom.core.multiply_shift import Integers
    from lutloom.core.ops import Threshold
    from lutloom.core.types import IntArray, IntType

# Corners beyond that leave no room for a multiplier in 64 bits.
_FARTHEST = 1 << (NARROW_SUM - 2)


@dataclass(frozen=True, eq=False)
class Slope:
    """A ``line`` of codes, shifted and clamped to ``lowest[c] .. highest[c]``.

    Arrays are of ``[C]``, or of ``[1]`` for all channels, in codes of input and output. ``largest``
    bounds the magnitude of the sums.
    """

    line: Slopes
    lowest: IntArray
    highest: IntArray
    largest: int


def slope_of(site: Site) -> Slope | None:
    """Return the product that gives what a threshold process gives, for every code, or None.

    Of several pixels that stand in a word it is that of one.
    """
    return _slope(site.op, site.inputs[0].element, site.outputs[0].element)


@lru_cache(maxsize=1024)
def _slope(op: Threshold, x: IntType, y: IntType) -> Slope | None:
    import numpy as np

    stairs = stairs_between(op, x, y)
    lowest, highest = stairs.levels.min(axis=1), stairs.levels.max(axis=1)
    heights = np.sign(stairs.levels[:, 1:] - stairs.levels[:, :-1])
    rises, falls = (heights > 0).any(axis=1), (heights < 0).any(axis=1)
    extremes = (stairs.first - 1, stairs.final + 1, int(lowest.min()), int(highest.max()))
    if (rises & falls).any() or max(map(abs, extremes)) > _FARTHEST:
        return None
    channels = len(stairs.counts)
    multipliers, biases = np.zeros(channels, object), lowest.astype(object)
    shift = 0
    moving = np.flatnonzero(rises | falls)
    if moving.size:
        corners = _corners(stairs, moving, falls[moving])
        reach = max(int(np.abs(corners[place]).max()) for place in (0, 2))
        height = max(int(np.abs(corners[place]).max()) for place in (1, 3))
        found = fit(listed_corners(*corners), len(moving), reach, height, NARROW_SUM)
        if found is None:
            return None
        shift = found.shift
        biases = biases * (1 << shift)
        multipliers[moving] = np.where(falls[moving], -found.multipliers, found.multipliers)
        biases[moving] = found.biases
    largest = largest_sum(multipliers, biases, stairs.first, stairs.final)
    if largest.bit_length() > NARROW_SUM:
        return None
    ends = [np.full(channels, end, object) for end in (stairs.first, stairs.final)]
    line = Slopes(multipliers, biases, shift)
    if clamps_once(line, lowest, highest, *ends):
        lowest, highest = lowest.min(keepdims=True), highest.max(keepdims=True)
    return Slope(line, lowest, highest, largest)


def largest_sum(multipliers: Integers, biases: Integers, first: int, final: int) -> int:
    """Return the largest magnitude of ``multipliers * code + biases`` for ``first .. final``."""
    ends = [multipliers * end + biases for end in (first, final)]
    return max(abs(int(number)) for sums in ends for number in sums)


def _corners(
    stairs: Stairs, channels: IntArray, falls: IntArray
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Return the corners of ``channels``; rows with fewer of them repeat their last."""
    import numpy as np

    last = stairs.counts[channels][:, np.newaxis] - 1
    place = np.minimum(np.arange(stairs.steps), last)
    at = np.take_along_axis(stairs.thresholds[channels], place, axis=1)
    before = np.take_along_axis(stairs.levels[channels], place, axis=1)
    after = np.take_along_axis(stairs.levels[channels], place + 1, axis=1)
    down = falls[:, np.newaxis]
    return (
        np.where(down, 1 - at, at),
        np.where(down, before, after),
        np.where(down, -at, at - 1),
        np.where(down, after, before) + 1,
    )
