"""How many words a line buffer keeps where each word is a group of its own, by pixels and windows.

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

from typing import TYPE_CHECKING

from lutloom.codegen.kernels.line_buffer import DISTANCE, Walk, floors_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.types import IntArray

_NEVER = 1 << 60


def channel_depth(walk: Walk) -> int:
    """Return the least depth that loses no beat, of a walk with two or more words of one group."""
    import numpy as np

    words, taps = walk.folds, walk.rows.kernel * walk.columns.kernel
    pixels, is_there = _taps(walk)
    windows = len(pixels)
    start = words * taps * np.arange(windows, dtype=np.int64)[:, np.newaxis]
    first = start + np.arange(taps)
    # How late taps of the first words are behind their numbers, and those of all others.
    waits = np.where(is_there, pixels * words + DISTANCE - first, 0)
    late = np.maximum.accumulate(np.maximum(waits, 0).reshape(-1)).reshape(windows, taps)
    later = late[:, -1:]

    # How much later than its number the first word of a pixel may come, and a first of the others.
    used, behind = pixels[is_there], (first - DISTANCE - pixels * words)[is_there]
    count = walk.words // words
    slack, others = np.full((2, count), _NEVER, np.int64)
    np.minimum.at(slack, used, behind + late[is_there])
    np.minimum.at(others, used, behind + np.broadcast_to(later, late.shape)[is_there])
    slack = np.append(slack, walk.beats - walk.words)
    slack = np.minimum.accumulate(slack[::-1])[::-1]

    # All words but the last free what is behind the window before, the last what a tap was.
    floors = np.append(floors_of(walk), walk.words)
    read = np.maximum.accumulate(np.where(is_there, (pixels + 1) * words, 0), axis=1)
    begin = floors[:-1, np.newaxis]
    low = np.concatenate([begin, begin, np.maximum(read[:, :-1], begin)], axis=1)
    needed = np.minimum(low, floors[1:, np.newaxis])
    needed[:, 0] = floors[:-1]
    ends = start + (words - 1) * taps + np.arange(-1, taps) + later

    pixel = np.searchsorted(words * np.arange(count) + slack[:-1], ends, side="right") - 1
    room = ends - pixel * words
    # Of the words of a pixel those come in time that later pixels, and they themselves, allow.
    come = np.maximum(room - slack[pixel + 1], (room - others[pixel]) // taps)
    last = np.where(pixel < 0, -1, pixel * words + np.clip(come, 0, words - 1))
    return max(1, int((last - needed).max()) + 1)


def _taps(walk: Walk) -> tuple[IntArray, NDArray[np.bool_]]:
    """Return the pixel of each tap ``[windows, taps]``, and whether it is there."""
    import numpy as np

    down, has_row = walk.rows.pixels()
    right, has_column = walk.columns.pixels(walk.overhang)
    shape = (-1, walk.rows.kernel * walk.columns.kernel)
    pixels = (down * walk.columns.size)[:, None, :, None] + right[None, :, None, :]
    there = has_row[:, None, :, None] & has_column[None, :, None, :]
    return pixels.reshape(shape), np.broadcast_to(there, pixels.shape).reshape(shape)
