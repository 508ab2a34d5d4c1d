"""``line_buffer.hpp``: how many beats a walk over windows takes, and how many words it keeps.

A kernel with a line buffer is one loop; in each beat it gives a tap, takes a word, or both. Taps
are numbered as they are given, words as they come. With ``word(t)`` the word of tap ``t``:

    take(m) >= take(m - 1) + 1                        a word a beat
    give(t) >= give(t - 1) + 1                        a tap a beat
    give(t) >= take(word(t)) + 2                      a word is there two beats after it came
    take(m) >= give(t) + 1                            with t the last tap before which word
                                                      m - DEPTH is still needed

and both are as early as these allow. Without the last line, ``take(m) = m`` and ``give(t)`` is the
largest ``word(s) + 2 + t - s`` of ``s <= t``; the beats of a frame are those. DEPTH is the least
that makes the frame no longer: a schedule that keeps every ``give`` and takes every word as late
as the end of the frame allows violates the last line for no smaller one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from math import gcd
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.types import IntArray
    from lutloom.core.windows import Windows

DISTANCE = 2
"""Beats from taking a word to the first tap that may be it."""


@dataclass(frozen=True)
class Axis:
    """Windows along one axis, as in ``lutloom::Axis``: see ``core.windows``."""

    size: int
    kernel: int = 1
    stride: int = 1
    dilation: int = 1
    pad: int = 0
    spacing: int = 1
    results: int = 1

    @property
    def arguments(self) -> str:
        """The arguments of the C++ template."""
        values = (self.size, self.kernel, self.stride, self.dilation)
        return ", ".join(map(str, (*values, self.pad, self.spacing, self.results)))

    def pixels(self, overhang: int = 0) -> tuple[IntArray, NDArray[np.bool_]]:
        """Return the pixel at or before each tap, ``[results, kernel]``, and whether it is there.

        ``overhang`` pixels behind the last one are there too.
        """
        import numpy as np

        starts = self.stride * np.arange(self.results, dtype=np.int64) - self.pad
        places = starts[:, None] + self.dilation * np.arange(self.kernel)
        pixels, gaps = np.divmod(places, self.spacing)
        return pixels, (gaps == 0) & (pixels >= 0) & (pixels < self.size + overhang)

    @property
    def starts(self) -> tuple[IntArray, IntArray]:
        """The pixel at or before the first tap of each window, and how far that is behind it."""
        import numpy as np

        places = self.stride * np.arange(self.results, dtype=np.int64) - self.pad
        pixels, phases = np.divmod(places, self.spacing)
        return pixels, phases


@lru_cache(maxsize=1024)
def axes_of(windows: Windows, image: tuple[int, ...]) -> tuple[Axis, Axis]:
    """Return the rows and columns of ``windows`` over an ``image`` of one or two axes."""
    results = windows.results(image)
    axes = [
        Axis(
            image[axis],
            windows.kernel[axis],
            windows.stride[axis],
            windows.dilation[axis],
            windows.pads[axis],
            windows.spacing[axis],
            results[axis],
        )
        for axis in range(windows.rank)
    ]
    rows, columns = (Axis(1), *axes)[-2:]
    return rows, columns


@dataclass(frozen=True)
class Walk:
    """A walk over all windows of an image, as ``lutloom::LineBuffer`` makes it.

    A pixel is ``folds`` words, in ``groups`` groups. ``overhang`` columns behind the last one are
    those of the next row.
    """

    rows: Axis
    columns: Axis
    folds: int
    groups: int = 1
    overhang: int = 0

    @property
    def image_words(self) -> int:
        """Words of the image."""
        return self.rows.size * self.columns.size * self.folds

    @property
    def words(self) -> int:
        """Words of the image, and those behind it that the walk sees: ``take`` counts these."""
        return self.image_words + self.overhang * self.folds

    @property
    def taps(self) -> int:
        """Taps of all windows: ``give`` counts these."""
        return self.window_taps * self.rows.results * self.columns.results

    @property
    def group_words(self) -> int:
        """Words of one kernel tap in one group."""
        return self.folds // self.groups

    @property
    def window_taps(self) -> int:
        """Taps of one window, of all groups."""
        return self.rows.kernel * self.columns.kernel * self.folds

    @cached_property
    def beats(self) -> int:
        """Beats of a frame: the larger of words and taps, plus a constant."""
        return max(self.words, self.taps + max(self._lead + DISTANCE, 0))

    @cached_property
    def _lead(self) -> int:
        """The largest ``word(t) - t``, which is one number a row tap plus one a column tap."""
        import numpy as np

        rows, has_row = self.rows.pixels()
        columns, has_column = self.columns.pixels(self.overhang)
        if not has_row.any() or not has_column.any():
            return -DISTANCE
        line = self.columns.results * self.window_taps
        kernel_row = self.columns.kernel * self.group_words
        down = rows * self.columns.size * self.folds
        down -= line * np.arange(self.rows.results)[:, None] + kernel_row * np.arange(rows.shape[1])
        right = columns * self.folds - self.window_taps * np.arange(len(columns))[:, None]
        right -= self.group_words * np.arange(columns.shape[1])
        return int(down[has_row].max() + right[has_column].max())

    @property
    def depth(self) -> int:
        """Words that the buffer holds: the least with which no beat is lost."""
        return least_depth(self)

    @property
    def arguments(self) -> str:
        """The arguments of ``lutloom::LineBuffer`` behind the axes."""
        overhang = f", {self.overhang}" if self.overhang else ""
        return f"{self.folds}, {self.groups}, {self.depth}{overhang}"


@dataclass(frozen=True, eq=False)
class WalkSchedule:
    """The beats of a frame in which a loop takes each word, and gives each tap; both ascend."""

    takes: IntArray
    gives: IntArray
    beats: int


def schedule(walk: Walk) -> WalkSchedule:
    """Return when the loop takes words ``[words]`` and gives taps ``[taps]``, from beat 0.

    Words behind the image, which no input fills, are among them. Found from fewer rows where the
    others repeat them.
    """
    if walk.group_words == 1 and walk.folds > 1:
        from lutloom.codegen.kernels.channel_walks import channel_schedule  # it builds on walks

        return channel_schedule(walk)
    cut = _shortened(walk)
    if cut is not None:
        found = _lengthened(walk, cut)
        if found is not None:
            return found
    runs = _Runs(walk)
    return WalkSchedule(taken(runs.freed(walk.depth)), runs.taps, walk.beats)


def taken(freed: IntArray) -> IntArray:
    """Return when words are taken, of which each waits until its place is ``freed``."""
    import numpy as np

    words = np.arange(len(freed))
    times: IntArray = words + np.maximum.accumulate(np.maximum(freed - words, 0))
    return times


def _lengthened(walk: Walk, cut: _Cut) -> WalkSchedule | None:
    """Return the schedule of ``walk`` by that of the shorter ``cut``; None if it can't be told.

    Taps of a cycle of lines are given so many beats behind those of the one before: then so are
    those of any more, for their waits differ by as much from line to line. If also places of words
    are freed, and words taken, that many beats later from then on, the same is true of them.
    """
    runs, line = _Runs(cut.walk), cut.line // 2
    taps, words = walk.columns.results * walk.window_taps, cut.words
    cycle, tap = cut.cycle * taps, line * taps
    beats, turns = max(cycle, words), (walk.rows.results - cut.walk.rows.results) // cut.cycle
    # The first word in the place of one that is needed in that line.
    word = int(runs.low[tap // runs.length]) + walk.depth
    freed = runs.freed(walk.depth)
    given, takes = runs.taps, taken(freed)
    cycles = (given, tap, cycle), (freed, word, words), (takes, word, words)
    if word + 2 * words > cut.walk.words or not all(_repeats(*c, beats) for c in cycles):
        return None
    takes = _with_turns(takes, word, words, turns, beats)
    return WalkSchedule(takes, _with_turns(given, tap, cycle, turns, beats), walk.beats)


def _repeats(times: IntArray, start: int, count: int, beats: int) -> bool:
    """Return whether ``count`` times from ``start`` on are ``beats`` before as many others."""
    end = start + count
    return bool((times[start:end] + beats == times[end : end + count]).all())


def _with_turns(times: IntArray, start: int, count: int, turns: int, beats: int) -> IntArray:
    """Return ``times`` with ``count`` of them, from ``start`` on, so many ``turns`` more."""
    import numpy as np

    end = start + count
    repeated = times[start:end] + beats * np.arange(turns + 1)[:, None]
    return np.concatenate([times[:start], repeated.reshape(-1), times[end:] + beats * turns])


@lru_cache(maxsize=4096)
def least_depth(walk: Walk) -> int:
    """Return the least depth that loses no beat: from fewer rows where the others repeat them."""
    if walk.group_words == 1 and walk.folds > 1:
        from lutloom.codegen.kernels.channel_walks import channel_depth  # it builds on walks

        return channel_depth(walk)
    cut = _shortened(walk) if walk.words + walk.taps // walk.group_words > MANY else None
    if cut is not None:
        shorter = WalkTiming(cut.walk)
        if shorter.repeats(cut):
            return shorter.depth
    return WalkTiming(walk).depth


MANY = 1 << 12
"""Words and runs of taps of a walk that is worth shortening."""


@dataclass(frozen=True)
class _Cut:
    """A walk without some of its lines of windows, which came in front of ``line``.

    ``cycle`` lines on, the next ``words`` further, windows lie as they did.
    """

    walk: Walk
    line: int
    cycle: int
    words: int


def _shortened(walk: Walk) -> _Cut | None:
    """Return ``walk`` over an image of fewer rows with the same borders, if it is high enough."""
    rows = walk.rows
    extent = rows.dilation * (rows.kernel - 1) + 1 + abs(rows.pad)
    # Lines come in cycles of as many as it takes to be at a pixel again.
    cycle = rows.spacing // gcd(rows.stride, rows.spacing)
    border = -(-extent // rows.stride) + cycle
    dropped = max(rows.results - 4 * border - 4 * cycle, 0) // cycle * cycle
    pixels = dropped * rows.stride // rows.spacing
    if dropped == 0 or rows.size <= pixels:
        return None
    shorter = replace(rows, size=rows.size - pixels, results=rows.results - dropped)
    words = cycle * rows.stride // rows.spacing * walk.columns.size * walk.folds
    return _Cut(replace(walk, rows=shorter), 2 * border, cycle, words)


class WalkTiming:
    """When a walk's taps are given at the earliest, and when its words are taken at the latest.

    ``latest [words]`` keeps the frame's end, and every word in time for its first tap.
    """

    def __init__(self, walk: Walk) -> None:
        import numpy as np

        self.walk = walk
        self.runs = _Runs(walk)
        words = np.arange(walk.words, dtype=np.int64)
        slack = np.full(walk.words, walk.beats - walk.words, np.int64)
        np.minimum.at(slack, *self.runs.first_uses())
        self.latest = words + np.minimum.accumulate(slack[::-1])[::-1]

    @property
    def depth(self) -> int:
        """The least depth with which every word can be taken at its latest beat."""
        import numpy as np

        words = np.arange(self.walk.words, dtype=np.int64)
        return max(1, int((words - self.runs.needed(self.latest)).max()) + 1)

    def repeats(self, cut: _Cut) -> bool:
        """Return whether lines around ``cut`` take their turns in equal beats, and ever would.

        Then any number of lines more, of the same kind, changes nothing else.
        """
        walk, latest, gives = self.walk, self.latest, self.runs.gives
        taps = cut.cycle * walk.columns.results * walk.window_taps
        beats = max(taps, cut.words)
        runs = taps // self.runs.length
        first = cut.line // cut.cycle * runs
        word = max(int(self.runs.words[first]), 0)
        last = word + cut.words
        if last + cut.words > walk.words:
            return False
        given = gives[first : first + runs] + beats == gives[first + runs : first + 2 * runs]
        taken = latest[word:last] + beats == latest[last : last + cut.words]
        # Where words come slower than taps, none of them may be late.
        is_tight = cut.words <= taps or int(latest[word]) == word
        return bool(given.all() and taken.all()) and is_tight


def floors_of(walk: Walk) -> IntArray:
    """Return below which word neither each window nor a later one sees anything."""
    import numpy as np

    row, row_phase = walk.rows.starts
    column, column_phase = walk.columns.starts
    row_words = walk.columns.size * walk.folds
    line = (row + (row_phase > 0)) * row_words
    place = (column + (column_phase > 0)) * walk.folds
    first = max(int(place[0]), 0)
    next_phase = row_phase + walk.rows.stride
    is_freeing = (row >= 0) & ((row_phase == 0) | (next_phase > walk.rows.spacing))
    is_inside = (column >= 0) & (column < walk.columns.size)
    moves = is_freeing[:, None] & is_inside[None, :]
    floors = np.where(moves, line[:, None] + place[None, :], 0)
    floors[:, 0] = np.where(row >= 0, line + first, first)
    flat: IntArray = np.maximum.accumulate(floors.reshape(-1))
    return flat


class _Runs:
    """The taps of a walk in runs: one kernel tap of one group, ``length`` words on end.

    ``words [runs]`` and ``gives [runs]`` are word and beat of the first tap of each; words of
    masked taps are meaningless.
    """

    def __init__(self, walk: Walk) -> None:
        import numpy as np

        self.walk = walk
        self.length = walk.group_words
        rows, columns = walk.rows, walk.columns
        down, has_row = rows.pixels()
        right, has_column = columns.pixels(walk.overhang)
        # [rows, columns, groups, kernel rows, kernel columns]
        shape = (rows.results, columns.results, walk.groups, rows.kernel, columns.kernel)
        word = (
            (down * columns.size * walk.folds)[:, None, None, :, None]
            + (right * walk.folds)[None, :, None, None, :]
            + (self.length * np.arange(walk.groups))[None, None, :, None, None]
        )
        there = has_row[:, None, None, :, None] & has_column[None, :, None, None, :]
        self.words = word.reshape(-1)
        self.is_there = np.broadcast_to(there, shape).reshape(-1)
        first = self.length * np.arange(self.words.size, dtype=np.int64)
        waits = np.where(self.is_there, self.words + DISTANCE - first, 0)
        self.gives = first + np.maximum.accumulate(np.maximum(waits, 0))

        floors = np.append(floors_of(walk), walk.words)
        taps = rows.kernel * columns.kernel
        # Below `bound` what comes behind a run's group needs nothing, and behind the last run ...
        last = np.arange(walk.groups) == walk.groups - 1
        bound = np.where(last, floors[1:, None], floors[:-1, None])
        self.bound = np.append(np.repeat(bound.reshape(-1), taps), walk.words)
        # ... and below `low` the group itself: it has got to the end of its last run.
        ends = np.where(self.is_there, self.words + self.length, 0).reshape(-1, taps)
        low = np.maximum.accumulate(ends, axis=1)
        starts = np.repeat(floors[:-1], walk.groups)
        low = np.concatenate([starts[:, None], np.maximum(low[:, :-1], starts[:, None])], axis=1)
        self.low = np.append(low.reshape(-1), walk.words)

    @property
    def taps(self) -> IntArray:
        """The beats in which taps are given."""
        import numpy as np

        taps: IntArray = (self.gives[:, None] + np.arange(self.length, dtype=np.int64)).reshape(-1)
        return taps

    def freed(self, depth: int) -> IntArray:
        """Return the first beat in which the place of the word ``depth`` before each is free."""
        import numpy as np

        return self.released(np.arange(self.walk.words, dtype=np.int64) - depth)

    def first_uses(self) -> tuple[IntArray, IntArray]:
        """Return the words that are needed, and how much later than its number each may come."""
        import numpy as np

        within = np.arange(self.length, dtype=np.int64)
        words = self.words[self.is_there]
        slack = self.gives[self.is_there] - DISTANCE - words
        return (words[:, None] + within).reshape(-1), np.repeat(slack, self.length)

    def needed(self, beats: IntArray) -> IntArray:
        """Return the first word that is needed at the start of each of ``beats``."""
        import numpy as np

        # The run that is under way, or the next one; and how many of its taps were given.
        run = np.searchsorted(self.gives + self.length - 1, beats, side="left")
        begun = np.clip(beats - np.append(self.gives, 0)[run], 0, self.length)
        there = np.append(self.is_there, False)[run] & (begun > 0)
        reached = np.where(there, np.append(self.words, 0)[run] + begun, 0)
        needed: IntArray = np.minimum(np.maximum(self.low[run], reached), self.bound[run])
        return needed

    def released(self, words: IntArray) -> IntArray:
        """Return the first beat at whose start each of ``words`` is needed no longer."""
        import numpy as np

        before = np.minimum(self.low, self.bound)
        run = np.searchsorted(before, words, side="right") - 1
        # While its run is under way, or with the end of it.
        given = words + 1 - self.words[run]
        is_within = self.is_there[run] & (given <= self.length) & (self.bound[run] > words)
        beats = self.gives[run] + np.where(is_within, np.maximum(given, 1), self.length)
        released: IntArray = np.where(run < 0, 0, beats)
        return released
