"""``steps(g(x))``  =  integer thresholds on ``x``, for any real function ``g`` of an integer.

For every channel, the integers from ``lo`` to ``hi`` are cut into segments on which the quantizer
has one level. A segment is decided when an enclosure of ``g`` over it lies between two neighbouring
boundaries, ties included. Where ``g`` surely does not turn on it, the level changes at one integer
for each boundary between the levels of its two ends: the integer is guessed in float64, and the
levels at it and in front of it prove it. Any other segment is halved. A single integer whose
enclosure leaves a choice is decided by exact arithmetic. So each integer's level is proved,
whatever the function: ``g`` may rise and fall.

All channels are worked on at once, at a cost of a few enclosures a step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil, floor
from typing import TYPE_CHECKING

import numpy as np

from lutloom.streamline import intervals
from lutloom.streamline.enclosure import (
    Program,
    enclose,
    enclose_exactly,
    estimate,
    is_monotone,
    program_of,
)
from lutloom.streamline.errors import ModelError
from lutloom.streamline.exact_steps import PRECISIONS, taken_between
from lutloom.streamline.rows import packed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lutloom.core.ops import Threshold
    from lutloom.streamline.error_free import Bools, Floats
    from lutloom.streamline.expression import Expression
    from lutloom.streamline.intervals import Interval
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.steps import Steps

    Ints = NDArray[np.int64]
    Places = NDArray[np.uint64]

# Segments at a time, which bounds the memory.
_CHUNK = 1 << 16
# Far beyond what functions take whose levels can be told: some ten seconds, and more for channels.
_MOST_SEGMENTS, _MOST_EXACT = 1 << 19, 1 << 16
_MORE_SEGMENTS, _MORE_EXACT = 1 << 11, 1 << 8
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
    return _Boundaries(
        lower,
        np.concatenate([[0], np.cumsum(inclusive | is_between)]),
        upper,
        np.concatenate([[0], np.cumsum(inclusive & ~is_between)]),
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


def _taken_by_channel(search: _Search, channel: Ints, y: Interval) -> tuple[Ints, Ints]:
    """Return the numbers of steps as ``_taken`` does."""
    if len(search.boundaries) == 1:
        return _taken(search.boundaries[0], y)
    least, most = np.empty_like(channel), np.empty_like(channel)
    order = np.argsort(channel, kind="stable")
    starts = np.searchsorted(channel[order], np.arange(len(search.boundaries) + 1))
    for number, boundaries in enumerate(search.boundaries):
        which = order[starts[number] : starts[number + 1]]
        if len(which):
            least[which], most[which] = _taken(boundaries, y[which])
    return least, most


def _undecided(search: _Search, segments: _Segments) -> _Segments:
    """Record the levels of the segments that can be told; return the others, to be halved."""
    search.segments += len(segments.channel)
    if search.segments > _MOST_SEGMENTS + _MORE_SEGMENTS * len(search.lows):
        raise ModelError(_endless(search))
    lo, hi = (search.integers(segments.channel, end) for end in (segments.first, segments.last))
    least, most = _counts(search, segments.channel, lo, hi)
    for i in np.flatnonzero((least != most) & (lo == hi)).tolist():
        least[i] = most[i] = _count_at(search, int(segments.channel[i]), int(lo[i]))
    is_decided = least == most
    decided = segments[is_decided]
    search.decided.append((decided.channel, decided.first, least[is_decided]))
    left, is_defined = segments[~is_decided], least[~is_decided] >= 0
    straight = is_defined & is_monotone(
        search.program, left.channel, lo[~is_decided], hi[~is_decided]
    )
    _settle(search, left[straight])
    return left[~straight]


def _settle(search: _Search, segments: _Segments) -> None:
    """Record the levels of segments on which the function does not turn.

    The integer at which a boundary is crossed is guessed, and proved by the levels on both its
    sides: between two of them nothing can change.
    """
    ends = [
        _places_counts(search, segments.channel, end) for end in (segments.first, segments.last)
    ]
    search.decided.append((segments.channel, segments.first, ends[0]))
    least, crossed = np.minimum(*ends), np.abs(ends[1] - ends[0])
    total = np.cumsum(crossed)
    for start in range(0, int(crossed.sum()), _CHUNK):
        number = np.arange(start, min(start + _CHUNK, int(total[-1])))
        which = np.searchsorted(total, number, "right")
        step = least[which] + number - (total - crossed)[which]
        of = _Crossings(
            segments.channel[which],
            segments.first[which],
            segments.last[which],
            step,
            (ends[1] > ends[0])[which],
        )
        _record(search, of, _guessed(search, of))


@dataclass(frozen=True, slots=True, eq=False)
class _Crossings:
    """Where a function that does not turn between two places takes a step, or leaves it."""

    channel: Ints
    first: Places
    last: Places
    step: Ints
    """By its number: that of the boundaries which lie below."""
    rises: Bools

    def __getitem__(self, which: Bools) -> _Crossings:
        return _Crossings(
            self.channel[which],
            self.first[which],
            self.last[which],
            self.step[which],
            self.rises[which],
        )


def _guessed(search: _Search, of: _Crossings) -> Places:
    """Return the places from which on the steps are about taken, or left."""
    tables = [boundaries.lower for boundaries in search.boundaries]
    rows = of.channel if len(tables) > 1 else np.zeros_like(of.channel)
    starts = np.cumsum([0, *(len(table) for table in tables)])
    boundary = np.concatenate(tables)[starts[rows] + of.step]

    def is_beyond(place: Places) -> Bools:
        value = estimate(search.program, of.channel, search.integers(of.channel, place))
        return np.asarray((value >= boundary) == of.rises)

    return _bisected(of, is_beyond)


def _bisected(of: _Crossings, is_beyond: Callable[[Places], Bools]) -> Places:
    """Return the first place that is beyond; the first of all is not, and the last is."""
    before, beyond, one = of.first.copy(), of.last.copy(), np.uint64(1)
    while (beyond - before > one).any():
        middle = before + (beyond - before) // np.uint64(2)
        found = is_beyond(middle)
        before, beyond = np.where(found, before, middle), np.where(found, middle, beyond)
    return beyond


def _record(search: _Search, of: _Crossings, place: Places) -> None:
    """Record the levels from the crossings on; where they are not as guessed, search them."""

    def is_beyond(of: _Crossings, count: Ints) -> Bools:
        return np.asarray((count > of.step) == of.rises)

    count = _places_counts(search, of.channel, place)
    before = _places_counts(search, of.channel, place - np.uint64(1))
    is_right = is_beyond(of, count) & ~is_beyond(of, before)
    search.decided.append((of.channel[is_right], place[is_right], count[is_right]))
    if is_right.all():
        return
    wrong = of[~is_right]
    found = _bisected(
        wrong, lambda place: is_beyond(wrong, _places_counts(search, wrong.channel, place))
    )
    search.decided.append((wrong.channel, found, _places_counts(search, wrong.channel, found)))


def _places_counts(search: _Search, channel: Ints, place: Places) -> Ints:
    """Return how many steps single integers take, exactly."""
    integers = search.integers(channel, place)
    least, most = _counts(search, channel, integers, integers)
    for i in np.flatnonzero(least != most).tolist():
        least[i] = _count_at(search, int(channel[i]), int(integers[i]))
    return least


def _counts(search: _Search, channel: Ints, lo: Ints, hi: Ints) -> tuple[Ints, Ints]:
    """Return how many steps all of ``lo .. hi`` surely take, and how many some of them may.

    The first is -1 where some integers may have no result.
    """
    y, somewhere, everywhere = enclose(search.program, channel, lo, hi)
    if everywhere.any():
        first = int(lo[everywhere][0])
        enclose_exactly(search.program, int(channel[everywhere][0]), first, first, PRECISIONS[0])
    least, most = _taken_by_channel(search, channel, y)
    return np.where(somewhere, -1, least), most


def _count_at(search: _Search, channel: int, integer: int) -> int:
    """Return how many steps one integer takes, by exact arithmetic."""
    known = search.exact.get((channel, integer))
    if known is None:
        known = search.exact[channel, integer] = _exact_count(search, channel, integer)
    return known


def _exact_count(search: _Search, channel: int, integer: int) -> int:
    if len(search.exact) > _MOST_EXACT + _MORE_EXACT * len(search.lows):
        raise ModelError(_endless(search))
    steps = search.steps[channel if len(search.steps) > 1 else 0]
    count = taken_between(search.program, channel, steps, (integer, integer))
    if count is not None:
        return count
    raise ModelError(
        f"{search.node}: where the integers before it are {integer}, its input can't be told from a"
        f" boundary between two levels, not with {PRECISIONS[-1]} bits; change its scale a little"
    )


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
