"""The staircases of a threshold process in codes: what all of its forms are made from.

In codes ``x = x0 + s * code`` holds ``x >= t`` if and only if ``code >= ceil((t - x0) / s)``.
Thresholds that every input reaches are part of the lowest level, those that none can reach are
dropped, equal ones are one step, and steps of no height are none; so every level that is left is
one of the output's type, and the codes of levels are integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from lutloom.codegen.kernels.kernel import Site
from lutloom.core.types import INT64_MAX

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.ops import Threshold
    from lutloom.core.types import IntArray, IntType


@dataclass(frozen=True, eq=False)
class Stairs:
    """The staircase of each of ``C`` channels (or, with ``C`` 1, the one of all), in codes.

    Channel ``c`` has ``counts[c]`` steps: at ``thresholds[c, k]``, strictly ascending, from
    ``levels[c, k]`` to ``levels[c, k + 1]``, which differ. ``first`` and ``final`` are the codes
    of the input's least and greatest value. Rows are filled up to ``steps`` columns with
    ``final`` and their last level: a step of no height.
    """

    thresholds: IntArray
    levels: IntArray
    counts: IntArray
    first: int
    final: int

    @property
    def steps(self) -> int:
        """The most steps that a channel has."""
        return int(self.thresholds.shape[1])

    @property
    def live(self) -> NDArray[np.bool_]:
        """Which columns of ``thresholds`` are steps."""
        import numpy as np

        return np.asarray(np.arange(self.steps) < self.counts[:, np.newaxis])

    @property
    def falls(self) -> NDArray[np.bool_]:
        """Whether a channel has a step down, ``[C]``."""
        import numpy as np

        return np.asarray((self.levels[:, 1:] < self.levels[:, :-1]).any(axis=1))

    @property
    def counts_up(self) -> bool:
        """Whether every step is one code up from a level that all channels share."""
        is_shared = bool((self.levels[:, 0] == self.levels[0, 0]).all())
        return is_shared and self.counts_either_way and not self.falls.any()

    @property
    def counts_either_way(self) -> bool:
        """Whether steps of a channel are one code up, or one down, each; and one can be unreached.

        That is a threshold of one above the largest code, which has to be a number of 64 bits.
        """
        import numpy as np

        heights = np.diff(self.levels, axis=1)
        rising = np.where(self.falls[:, np.newaxis], -heights, heights)
        return self.final < INT64_MAX and bool((rising[self.live] == 1).all())


@dataclass(frozen=True, slots=True)
class Outline:
    """Staircases without their tables: what they take follows from it.

    ``heights`` are the least and the largest height of a step, ``lowest`` the code that all begin
    with, if they do; some channels may have steps up, some down. The rest is as in ``Stairs``.
    """

    steps: int
    final: int
    heights: tuple[int, int]
    lowest: int | None
    has_rises: bool
    has_falls: bool
    counts_up: bool
    counts_either_way: bool

    @classmethod
    def of(cls, stairs: Stairs) -> Outline:
        """Return the outline of ``stairs``."""
        import numpy as np

        heights, lowest, falls = np.diff(stairs.levels, axis=1), stairs.levels[:, 0], stairs.falls
        return cls(
            stairs.steps,
            stairs.final,
            (int(heights.min()), int(heights.max())) if heights.size else (0, 0),
            int(lowest[0]) if (lowest == lowest[0]).all() else None,
            not bool(falls.all()),
            bool(falls.any()),
            stairs.counts_up,
            stairs.counts_either_way,
        )


def staircases(site: Site) -> int:
    """Return how many staircases there are: one, or one for each channel of wide pixels, too."""
    return 1 if site.op.thresholds.shape[0] == 1 else site.inputs[0].channels


def steps_of(site: Site) -> int:
    """Return the most steps that a channel has."""
    return outline_of(site).steps


def outline_of(site: Site) -> Outline:
    """Return what is known of a threshold process without its tables."""
    return _outline(site.op, site.inputs[0].element, site.outputs[0].element)


# Kept where the tables are not.
@lru_cache(maxsize=1024)
def _outline(op: Threshold, x: IntType, y: IntType) -> Outline:
    return Outline.of(stairs_between(op, x, y))


def stairs_of(site: Site) -> Stairs:
    """Return the staircases of a threshold process, of one pixel of those that stand in a word."""
    return stairs_between(site.op, site.inputs[0].element, site.outputs[0].element)


# Tables of a few megabytes each, for processes that are asked about many times in a row.
@lru_cache(maxsize=16)
def stairs_between(op: Threshold, x: IntType, y: IntType) -> Stairs:
    """Return the staircases of ``op`` from codes of ``x`` to those of ``y``."""
    import numpy as np

    rows = op.thresholds.int64
    heights = np.broadcast_to(op.deltas.int64, rows.shape)
    base = op.base.int64[:, np.newaxis]
    levels = np.concatenate([base, base + heights.cumsum(axis=1)], axis=1)
    inside = (rows > x.lo) & (rows <= x.hi)
    codes = _codes(rows, inside, x)
    # Of equal ones the last, whose level holds the heights of all of them.
    last = inside.copy()
    last[:, :-1] &= (codes[:, :-1] != codes[:, 1:]) | ~inside[:, 1:]
    start = np.take_along_axis(levels, (rows <= x.lo).sum(axis=1, keepdims=True), axis=1)
    channel, step = np.nonzero(last)
    reached = levels[channel, step + 1]
    before = np.concatenate([reached[:1], reached[:-1]])
    is_first = np.concatenate([[True], channel[1:] != channel[:-1]])[: len(channel)]
    before = np.where(is_first, start[channel, 0], before)
    live = reached != before
    channel, step, reached = channel[live], step[live], reached[live]

    counts = np.bincount(channel, minlength=len(rows)).astype(np.int64)
    place = np.arange(len(channel)) - np.repeat(counts.cumsum() - counts, counts)
    first, final = (int(end) for end in x.encode(np.array([x.lo, x.hi], np.int64)))
    width = int(counts.max(initial=0))
    thresholds = np.full((len(rows), width), final, np.int64)
    thresholds[channel, place] = codes[channel, step]
    table = np.repeat(start, width + 1, axis=1)
    table[channel, place + 1] = reached
    filling = np.arange(width + 1) > counts[:, np.newaxis]
    table = np.where(filling, np.take_along_axis(table, counts[:, np.newaxis], axis=1), table)
    return Stairs(thresholds, _encoded(table, y), counts, first, final)


def _codes(rows: IntArray, inside: NDArray[np.bool_], x: IntType) -> IntArray:
    """Return the codes from which on thresholds are reached, for those that are ``inside``."""
    import numpy as np

    if not x.is_offset_coded:
        return rows
    # Unsigned: a difference may need 64 bits.
    clipped = np.where(inside, rows, x.lo)
    distance = clipped.view(np.uint64) - np.int64(x.lo).view(np.uint64)
    step = np.uint64(x.step)
    codes: IntArray = (distance // step + (distance % step != 0)).astype(np.int64)
    return codes


def _encoded(levels: IntArray, y: IntType) -> IntArray:
    import numpy as np

    if not y.is_offset_coded:
        return levels
    distance = levels.view(np.uint64) - np.int64(y.lo).view(np.uint64)
    codes: IntArray = (distance // np.uint64(y.step)).astype(np.int64)
    return codes
