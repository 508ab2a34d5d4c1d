"""``line_buffer.hpp``: the counters and addresses that walk over windows.

Six places (a word's number and its slot), three of which are moved on in a beat; limits, and what
is compared with them; positions along both axes. Their widths are those of the C++.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from lutloom.codegen.costs.loops import bits_for, counters
from lutloom.codegen.costs.parts import Adder, Comparator, Multiplexer, Parts, Registers

if TYPE_CHECKING:
    from lutloom.codegen.kernels.line_buffer import Axis, Walk


@lru_cache(maxsize=4096)
def walk_parts(walk: Walk) -> Parts:
    """Return the parts of ``lutloom::LineBuffer``, without its memory of ``walk.depth`` words."""
    depth, row_words = walk.depth, walk.columns.size * walk.folds
    last = (_largest(walk.rows) + 2) * row_words + walk.overhang * walk.folds + depth
    index, slot = bits_for(last), bits_for(depth - 1)
    return (
        # The tap's word from one of four places; the next window's, and that of the next line.
        (1, Multiplexer(4, index + slot)),
        *moves(3, index, slot),
        (6, Registers(index + slot)),
        # What limits the words that may be taken, and who may go on.
        (2, Adder(index)),
        (2, Multiplexer(3, index)),
        (3, Comparator(index)),
        (5, Registers(index)),
        *counters(depth, walk.group_words, walk.groups),
        *_axis(walk.rows),
        *_axis(walk.columns),
    )


def moves(count: int, index: int, slot: int) -> Parts:
    """Return ``count`` places that are moved on: in a circular memory, by one subtraction more."""
    if slot == 1:
        return ((count, Adder(index)),)
    return (
        (count, Adder(index)),
        (2 * count, Adder(slot + 1)),
        (count, Comparator(slot + 1, is_constant=True)),
        (count, Multiplexer(2, slot)),
    )


def _largest(axis: Axis) -> int:
    last = axis.stride * (axis.results - 1) + axis.dilation * (axis.kernel - 1) - axis.pad
    return max(last // axis.spacing, axis.size)


def _axis(axis: Axis) -> Parts:
    """Return the positions of tap, window and next window; whether the tap is in the image."""
    bits = 1 + bits_for(max(_largest(axis) + axis.stride, -(-axis.pad // axis.spacing)))
    return (
        *counters(axis.kernel, axis.results),
        (2, Adder(bits)),
        (1, Multiplexer(2, bits)),
        (3, Registers(bits)),
        (2, Comparator(bits, is_constant=True)),
    )
