"""``steps(g(x))``  =  integer thresholds on ``x``, for any real function ``g`` of an integer.

For every channel, the integers from ``lo`` to ``hi`` are cut into segments on which the quantizer
has one level. A segment is decided when an enclosure of ``g`` over it lies between two neighbouring
boundaries, ties included; one that is not is halved, and a single integer that is not is decided by
exact arithmetic. So each integer's level is proved, whatever the function: ``g`` may rise and fall.

All channels are worked on at once; where ``g`` is monotone, that takes about as many enclosures as
there are steps times the number of bits in the range.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil, floor
from typing import TYPE_CHECKING

import numpy as np

from lutloom.streamline import intervals
from lutloom.streamline.enclosure import Program, enclose, enclose_exactly, program_of
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
# An enclosure as narrow as this (in units of the levels' distance) that did not shrink when its
# segment was halved shows the rounding of float64, and no longer the function.
_NARROW, _SHRUNK = 2.0**-20, 0.9
# Far beyond what any function takes whose levels can be told: minutes.
_MOST_SEGMENTS, _MOST_EXACT = 1 << 27, 1 << 19
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
    width: Floats
    """Of the enclosure that was halved."""

    def __getitem__(self, which: Bools | slice) -> _Segments:
        return _Segments(
            self.channel[which], self.first[which], self.last[which], self.width[which]
        )


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
    segments: int = 0
    exact: int = 0

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
    waiting = [_Segments(channels, np.zeros_like(count), count, np.full(len(lows), np.inf))]
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
    channel = segments.channel
    search.segments += len(channel)
    if search.segments > _MOST_SEGMENTS:
        raise ModelError(_endless(search))
    ends = [search.integers(channel, place) for place in (segments.first, segments.last)]
    y, somewhere, everywhere = enclose(search.program, channel, *ends)
    if everywhere.any():
        _refuse(search, channel[everywhere], ends[0][everywhere])
    least, most, distance = _taken_by_channel(search, channel, y)
    is_decided = (least == most) & ~somewhere
    search.decided.append((channel[is_decided], segments.first[is_decided], least[is_decided]))
    with np.errstate(invalid="ignore"):  # infinity less infinity
        width = y.hi - y.lo
        is_stuck = (width <= _NARROW * distance) & (width > _SHRUNK * segments.width)
    is_single = segments.first == segments.last
    is_left = ~is_decided
    left = _Segments(channel, segments.first, segments.last, width)
    exactly = is_left & (is_single | is_stuck)
    found = {
        int(i): _taken_exactly(search, int(channel[i]), int(ends[0][i]), int(ends[1][i]))
        for i in np.flatnonzero(exactly)
    }
    known = np.array([i for i, count in found.items() if count is not None], dtype=np.int64)
    counts = np.array([count for count in found.values() if count is not None], dtype=np.int64)
    search.decided.append((channel[known], segments.first[known], counts))
    is_left[known] = False
    return left[is_left]


def _refuse(search: _Search, channel: Ints, integer: Ints) -> None:
    """Raise what the exact arithmetic says of the first of some integers without a result."""
    first = int(integer[0])
    enclose_exactly(search.program, int(channel[0]), first, first, _BITS[0])


def _taken_exactly(search: _Search, channel: int, lo: int, hi: int) -> int | None:
    """Return the number of steps that all of ``lo .. hi`` take, None if it can't be told at once.

    For a single integer it can always be told, or is refused.
    """
    search.exact += 1
    if search.exact > _MOST_EXACT:
        raise ModelError(_endless(search))
    steps = search.steps[channel if len(search.steps) > 1 else 0]
    for bits in _BITS if lo == hi else _BITS[:1]:
        try:
            y = enclose_exactly(search.program, channel, lo, hi, bits)
        except TooWideError:
            continue
        least, most = _passed(steps, y.lo, y.lo_open, 1), _passed(steps, y.hi, y.hi_open, -1)
        if least == most:
            return least
    if lo == hi:
        raise ModelError(
            f"{search.node}: where the integers before it are {lo}, its input can't be told from a"
            f" boundary between two levels, not with {_BITS[-1]} bits; change its scale a little"
        )
    return None


def _passed(steps: Steps, end: End, is_open: bool, side: int) -> int:  # noqa: FBT001
    """Return how many boundaries ``end`` has passed, or the reals just above or below it."""
    count = 0
    for boundary, inclusive in zip(steps.boundaries, steps.inclusive, strict=True):
        if end == boundary:
            count += side > 0 if is_open else inclusive
        else:
            count += end > boundary
    return count


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
        np.concatenate([segments.width, segments.width]),
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
