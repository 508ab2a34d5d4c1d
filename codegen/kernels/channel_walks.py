"""Line buffers where each word is a group of its own: their depths and schedules, by pixels.

That is how channel by channel is read: all taps of a word of channels, then those of the next. With
``F`` words a pixel and ``K`` taps a window, window ``w``, word ``g`` and tap ``k`` come in order,

    tap number  (w * F + g) * K + k,        word number  pixel * F + g

so that for the words ``g`` of a pixel everything ``line_buffer`` speaks of is known from ``g = 0``:

- ``word - tap`` never rises with ``g``: what a window waits for, it waits for at its first words.
  Taps with ``g > 0`` are as late behind their numbers as the last tap with ``g = 0`` is.
- a word may therefore come ``g * (K - 1)`` beats later, behind its number, than the first one.
- nothing of a window's pixels is free before its last words.

The least depth is the largest distance from the last word that has come by the end of some tap to
the first one that is needed there. It takes as long for a thousand words a pixel as for two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lutloom.codegen.kernels.line_buffer import (
    DISTANCE,
    Walk,
    WalkSchedule,
    floors_of,
    taken,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.types import IntArray

_NEVER = 1 << 60


@dataclass(frozen=True, eq=False)
class _Windows:
    """The ``pixels [windows, taps]`` of windows, and which ones there are.

    Of the first words: their taps' numbers ``first``, and how ``late`` these are behind them.
    ``needed [windows, 1 + taps]`` is the first word that is needed in front of a window, and when
    each tap of its last word is given.
    """

    pixels: IntArray
    is_there: NDArray[np.bool_]
    first: IntArray
    late: IntArray
    needed: IntArray

    @staticmethod
    def of(walk: Walk) -> _Windows:
        import numpy as np

        words, taps = walk.folds, walk.rows.kernel * walk.columns.kernel
        pixels, is_there = _taps(walk)
        start = words * taps * np.arange(len(pixels), dtype=np.int64)[:, np.newaxis]
        first = start + np.arange(taps)
        waits = np.where(is_there, pixels * words + DISTANCE - first, 0)
        late = np.maximum.accumulate(np.maximum(waits, 0).reshape(-1)).reshape(first.shape)
        # All words but the last free what is behind the window before, the last what a tap was.
        floors = np.append(floors_of(walk), walk.words)
        read = np.maximum.accumulate(np.where(is_there, (pixels + 1) * words, 0), axis=1)
        begin = floors[:-1, np.newaxis]
        low = np.concatenate([begin, begin, np.maximum(read[:, :-1], begin)], axis=1)
        needed = np.minimum(low, floors[1:, np.newaxis])
        needed[:, 0] = floors[:-1]
        return _Windows(pixels, is_there, first, late, needed)

    @property
    def later(self) -> IntArray:
        """How late taps of all other words are ``[windows, 1]``."""
        return self.late[:, -1:]


def channel_depth(walk: Walk) -> int:
    """Return the least depth that loses no beat, of a walk with two or more words of one group."""
    import numpy as np

    found, words = _Windows.of(walk), walk.folds
    taps, is_there, later = found.first.shape[1], found.is_there, found.later
    # How much later than its number the first word of a pixel may come, and a first of the others.
    used = found.pixels[is_there]
    behind = (found.first - DISTANCE - found.pixels * words)[is_there]
    count = walk.words // words
    slack, others = np.full((2, count), _NEVER, np.int64)
    np.minimum.at(slack, used, behind + found.late[is_there])
    np.minimum.at(others, used, behind + np.broadcast_to(later, is_there.shape)[is_there])
    slack = np.append(slack, walk.beats - walk.words)
    slack = np.minimum.accumulate(slack[::-1])[::-1]

    ends = found.first[:, :1] + (words - 1) * taps + np.arange(-1, taps) + later
    pixel = np.searchsorted(words * np.arange(count) + slack[:-1], ends, side="right") - 1
    room = ends - pixel * words
    # Of the words of a pixel those come in time that later pixels, and they themselves, allow.
    come = np.maximum(room - slack[pixel + 1], (room - others[pixel]) // taps)
    last = np.where(pixel < 0, -1, pixel * words + np.clip(come, 0, words - 1))
    return max(1, int((last - found.needed).max()) + 1)


def channel_schedule(walk: Walk) -> WalkSchedule:
    """Return what ``line_buffer.schedule`` does of a walk with two or more words of one group."""
    import numpy as np

    found, words = _Windows.of(walk), walk.folds
    gives = np.arange(walk.taps).reshape(len(found.first), words, -1)
    gives += found.later[:, :, np.newaxis]
    gives[:, 0] = found.first + found.late
    # A pixel is free when the last tap before which it is needed was given.
    pixels = words * np.arange(-walk.depth // words, walk.words // words)
    tap = np.searchsorted(found.needed[:, 1:].reshape(-1), pixels, side="right") - 1
    free = np.where(tap < 0, 0, gives[:, -1].reshape(-1)[tap] + 1)
    freed = np.repeat(free, words)[-walk.depth % words :][: walk.words]
    return WalkSchedule(taken(freed), gives.reshape(-1), walk.beats)


def _taps(walk: Walk) -> tuple[IntArray, NDArray[np.bool_]]:
    """Return the pixel of each tap ``[windows, taps]``, and whether it is there."""
    import numpy as np

    down, has_row = walk.rows.pixels()
    right, has_column = walk.columns.pixels(walk.overhang)
    shape = (-1, walk.rows.kernel * walk.columns.kernel)
    pixels = (down * walk.columns.size)[:, None, :, None] + right[None, :, None, :]
    there = has_row[:, None, :, None] & has_column[None, :, None, :]
    return pixels.reshape(shape), np.broadcast_to(there, pixels.shape).reshape(shape)
