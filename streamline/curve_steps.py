"""``steps(g(x))``  =  integer thresholds on ``x``, for any real function ``g`` of an integer.

For every channel, the integers from ``lo`` to ``hi`` are cut into segments on which the quantizer
has one level. A segment is decided when an enclosure of ``g`` over it lies between two neighbouring
boundaries, ties included; one that is not is halved, and a single integer that is not is decided by
exact arithmetic. Where ``g`` clings to a boundary, so that float64 can't tell them apart over many
integers, a segment on which it surely does not turn is decided by its two ends. So each integer's
level is proved, whatever the function: ``g`` may rise and fall.

All channels are worked on at once, which takes about as many enclosures as there are steps times
the number of bits in the range.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil, floor
from typing import TYPE_CHECKING

import numpy as np

from lutloom.streamline import intervals
from lutloom.streamline.enclosure import (
    Program,
    enclose,
    enclose_exactly,
    is_monotone,
    program_of,
)
from lutloom.streamline.errors import ModelError
from lutloom.streamline.exact_intervals import End, TooWideError
from lutloom.streamline.rows import packed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lutloom.core.ops import Threshold
    from lutloom.streamline.expression import Expression
    from lutloom.streamline.intervals import Interval
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.steps import Steps

    Ints = NDArray[np.int64]
    Places = NDArray[np.uint64]
    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

# Segments at a time, which bounds the memory.
_CHUNK = 1 << 16
# Two numbers that differ do so at some precision; equal ones can't be told to be by any.
_BITS = (64, 256, 1024, 4096)
# An enclosure as narrow as this, in units of the levels' distance, lies near a boundary for reasons
# of its own: the function is flat there, or crosses it in steps too small for float64.
_NARROW = 2.0**-20
# Far beyond what functions take whose levels can be told; minutes.
_MOST_SEGMENTS, _MOST_EXACT = 1 << 26, 1 << 18
# For the reach of a function: pieces that each channel's range is cut into.
_PIECES = 64


@dataclass(frozen=True, slots=True, eq=False)
class _Boundaries:
    """The boundaries of one quantizer, for the lower and for the upper end of an interval.

    A boundary that is no float lies strictly between two: a lower end has passed it from the upper
    one on, an upper end above the lower one. ``sums[i]`` counts the inclusive ones below place i.
    """

    lower: Floats
    lower_sums: Ints
    upper: Floats
    upper_sums: Ints
    distance: float
    """Of two neighbours, about."""


@dataclass(frozen=True, slots=True, eq=False)
class _Segments:
    """Ranges of integers, by their places in the progression of their channel."""

    channel: Ints
    first: Places
    last: Places

    def __getitem__(self, which: Bools | slice) -> _Segments:
        return _Segments(self.channel[which], self.first[which], self.last[which])


@dataclass(eq=False)
class _Search:
    """The state of one search."""

    node: SourceNode
    program: Program
    steps: Sequence[Steps]
    lows: Ints
    step: int
    boundaries: tuple[_Boundaries, ...] = ()
    decided: list[tuple[Ints, Places, Ints]] = field(default_factory=list)
    """Channels, first places and numbers of steps taken of decided segments."""
    exact: dict[tuple[int, int], int] = field(default_factory=dict)
    """Numbers of steps that single integers of a channel take."""
    segments: int = 0

    def __post_init__(self) -> None:
        self.boundaries = tuple(map(_boundaries, self.steps))

    def integers(self, channel: Ints, place: Places) -> Ints:
        """Return the integers at ``place``; the arithmetic modulo 2^64 is exact in the end."""
        base = self.lows.view(np.uint64)[channel]
        return (base + place * np.uint64(self.step)).view(np.int64)


def curve_staircase(
    node: SourceNode,
    expression: Expression,
    steps: Sequence[Steps],
    bounds: tuple[Sequence[int], Sequence[int]],
    step: int,
) -> Threshold:
    """Return the operator whose channel ``c`` computes ``steps[c](expression(x))``.

    ``steps`` has one entry a channel, or one for all; channel ``c`` has the integers from
    ``bounds[0][c]`` to ``bounds[1][c]``, ``step`` apart.

    Raises ``ModelError`` where the function has no real value, or where a value can't be told from
    a boundary: only where the two are equal without being rational.
    """
    lows, highs = (np.array(ends, dtype=np.int64) for ends in bounds)
    search = _Search(node, program_of(expression), steps, lows, step)
    count = (highs.view(np.uint64) - lows.view(np.uint64)) // np.uint64(step)
    channels = np.arange(len(lows))
    waiting = [_Segments(channels, np.zeros_like(count), count)]
    while waiting:
        segments = waiting.pop()
        if len(segments.channel) > _CHUNK:
            waiting.append(segments[_CHUNK:])
            segments = segments[:_CHUNK]
        halves = _halved(_undecided(search, segments))
        if len(halves.channel):
            waiting.append(halves)
    return _operator(search, highs)


def reach(expression: Expression, lo: int, hi: int) -> tuple[int, int]:
    """Return integers below and above everything that ``expression`` gives from ``lo`` to ``hi``.

    Nothing that a function of integers gives is told apart beyond 2^63.
    """
    program = program_of(expression)
    ends = np.array([lo + (hi - lo) * piece // _PIECES for piece in range(_PIECES + 1)])
    channels = program.channels
    channel = np.repeat(np.arange(channels), _PIECES)
    found, _, _ = enclose(
        program, channel, np.tile(ends[:-1], channels), np.tile(ends[1:], channels)
    )
    least, most = max(found.lo.min(), -(2.0**63)), min(found.hi.max(), 2.0**63)
    return floor(least), ceil(most)


def _boundaries(steps: Steps) -> _Boundaries:
    around = [intervals.rational(boundary) for boundary in steps.boundaries]
    lower, upper = np.array([hi for _, hi, _ in around]), np.array([lo for lo, _, _ in around])
    is_between = np.array([is_open for _, _, is_open in around], dtype=np.bool_)
    inclusive = np.array(steps.inclusive, dtype=np.bool_)
    spread = float(lower[-1] - lower[0]) / len(around) if around else 0.0
    return _Boundaries(
        lower,
        np.concatenate([[0], np.cumsum(inclusive | is_between)]),
        upper,
        np.concatenate([[0], np.cumsum(inclusive & ~is_between)]),
        spread or 1.0,
    )


def _taken(boundaries: _Boundaries, y: Interval) -> tuple[Ints, Ints]:
    """Return how many boundaries all reals of ``y`` have passed, and how many some may have."""
    left, right = (np.searchsorted(boundaries.lower, y.lo, side) for side in ("left", "right"))
    sums = boundaries.lower_sums
    least = np.where(y.lo_open, right, left + sums[right] - sums[left])
    left, right = (np.searchsorted(boundaries.upper, y.hi, side) for side in ("left", "right"))
    sums = boundaries.upper_sums
    most = np.where(y.hi_open, left, left + sums[right] - sums[left])
    return least, most


def _taken_by_channel(search: _Search, channel: Ints, y: Interval) -> tuple[Ints, Ints, Floats]:
    """Return the numbers of steps as ``_taken`` does, and the distance of the boundaries."""
    if len(search.boundaries) == 1:
        (shared,) = search.boundaries
        return *_taken(shared, y), np.full(len(channel), shared.distance)
    least, most = np.empty_like(channel), np.empty_like(channel)
    order = np.argsort(channel, kind="stable")
    starts = np.searchsorted(channel[order], np.arange(len(search.boundaries) + 1))
    for number, boundaries in enumerate(search.boundaries):
        which = order[starts[number] : starts[number + 1]]
        if len(which):
            least[which], most[which] = _taken(boundaries, y[which])
    distance = np.array([boundaries.distance for boundaries in search.boundaries])
    return least, most, distance[channel]


def _undecided(search: _Search, segments: _Segments) -> _Segments:
    """Record the segments that have one level; return the others, none of them one integer."""
    search.segments += len(segments.channel)
    if search.segments > _MOST_SEGMENTS:
        raise ModelError(_endless(search))
    lo, hi = (search.integers(segments.channel, end) for end in (segments.first, segments.last))
    least, most, is_narrow = _counts(search, segments.channel, lo, hi)
    for i in np.flatnonzero((least != most) & (lo == hi)).tolist():
        least[i] = most[i] = _count_at(search, int(segments.channel[i]), int(lo[i]))
    hard = np.flatnonzero(
        (least != most) & (is_narrow | _is_crowded(search, segments, least != most))
    )
    if len(hard):
        channel, ends = segments.channel[hard], (lo[hard], hi[hard])
        least[hard], most[hard] = _counts_by_ends(
            search, channel, ends, (least[hard], most[hard]), is_narrow[hard]
        )
    is_decided = least == most
    decided = segments[is_decided]
    search.decided.append((decided.channel, decided.first, least[is_decided]))
    return segments[~is_decided]


def _is_crowded(search: _Search, segments: _Segments, is_left: Bools) -> bool:
    """Return whether more segments are left than a function leaves that crosses its boundaries."""
    steps = max(len(steps.boundaries) for steps in search.steps)
    return int(is_left.sum()) > 3 * len(np.unique(segments.channel)) * (steps + 8)


def _counts_by_ends(
    search: _Search,
    channel: Ints,
    ends: tuple[Ints, Ints],
    counts: tuple[Ints, Ints],
    is_narrow: Bools,
) -> tuple[Ints, Ints]:
    """Return the counts that the ends of monotone segments have; of others those that are known."""
    least, most = (count.copy() for count in counts)
    which = np.flatnonzero(is_monotone(search.program, channel, *ends) & (least >= 0))
    found = [list(_counts(search, channel[which], end[which], end[which])[:2]) for end in ends]
    for (lows, highs), end in zip(found, ends, strict=True):
        for i in np.flatnonzero((lows != highs) & is_narrow[which]).tolist():
            place = which[i]
            lows[i] = highs[i] = _count_at(search, int(channel[place]), int(end[place]))
    least[which] = np.minimum(found[0][0], found[1][0])
    most[which] = np.maximum(found[0][1], found[1][1])
    return least, most


def _counts(search: _Search, channel: Ints, lo: Ints, hi: Ints) -> tuple[Ints, Ints, Bools]:
    """Return how many steps all of ``lo .. hi`` surely take, and how many some of them may.

    Also returns where float64 shows little more than its own rounding.
    """
    y, somewhere, everywhere = enclose(search.program, channel, lo, hi)
    if everywhere.any():
        first = int(lo[everywhere][0])
        enclose_exactly(search.program, int(channel[everywhere][0]), first, first, _BITS[0])
    least, most, distance = _taken_by_channel(search, channel, y)
    # Where some integers may have no result, no level is known.
    least = np.where(somewhere, -1, least)
    with np.errstate(invalid="ignore"):  # infinity less infinity
        is_narrow = (y.hi - y.lo <= _NARROW * distance) & ~somewhere
    return least, most, is_narrow


def _count_at(search: _Search, channel: int, integer: int) -> int:
    """Return how many steps one integer takes, by exact arithmetic."""
    known = search.exact.get((channel, integer))
    if known is None:
        known = search.exact[channel, integer] = _exact_count(search, channel, integer)
    return known


def _exact_count(search: _Search, channel: int, integer: int) -> int:
    if len(search.exact) > _MOST_EXACT:
        raise ModelError(_endless(search))
    steps = search.steps[channel if len(search.steps) > 1 else 0]
    for bits in _BITS:
        try:
            y = enclose_exactly(search.program, channel, integer, integer, bits)
        except TooWideError:
            continue
        least = passed(steps, y.lo, 1 if y.lo_open else 0)
        most = passed(steps, y.hi, -1 if y.hi_open else 0)
        if least == most:
            return least
    raise ModelError(
        f"{search.node}: where the integers before it are {integer}, its input can't be told from a"
        f" boundary between two levels, not with {_BITS[-1]} bits; change its scale a little"
    )


def passed(steps: Steps, end: End, side: int) -> int:
    """Return how many boundaries ``end`` has passed: it itself (side 0), or what is next to it."""
    if isinstance(end, float):
        return len(steps.boundaries) if end > 0 else 0
    if side == 0:
        return steps.taken_by(end)
    at, rest = divmod(end.numerator * steps.denominator, end.denominator)
    return (bisect_right if rest or side > 0 else bisect_left)(steps.numerators, at)


def _endless(search: _Search) -> str:
    return (
        f"{search.node}: the levels of the function before it can't be told in reasonable time; it"
        " stays at a boundary between two levels for too many integers: change its scale a little"
    )


def _halved(segments: _Segments) -> _Segments:
    middle = segments.first + (segments.last - segments.first) // np.uint64(2)
    return _Segments(
        np.concatenate([segments.channel, segments.channel]),
        np.concatenate([segments.first, middle + np.uint64(1)]),
        np.concatenate([middle, segments.last]),
    )


def _operator(search: _Search, highs: Ints) -> Threshold:
    """Return the segments as a staircase: a step where the level changes, and nowhere else."""
    channel, first, taken = (
        np.concatenate([np.asarray(entry[column]) for entry in search.decided])
        for column in range(3)
    )
    order = np.lexsort((first, channel))
    channel, first, taken = channel[order], first[order], taken[order]
    starts = np.searchsorted(channel, np.arange(len(highs)))
    scale = np.array([steps.height for steps in search.steps])[
        channel if len(search.steps) > 1 else np.zeros_like(channel)
    ]
    least = np.array([steps.first for steps in search.steps])
    base = least + (scale * taken)[starts]
    rise = np.diff(taken * scale, prepend=0)
    rise[starts] = 0
    is_step = rise != 0
    counts = np.bincount(channel[is_step], minlength=len(highs))
    thresholds = search.integers(channel, first)[is_step]
    return packed(base, counts, thresholds, rise[is_step], int(highs.max()))
