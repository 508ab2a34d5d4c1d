"""``parallel_window.hpp``: a shift register as long as windows reach, and masks of their taps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.codegen.costs.loops import bits_for, buffer, counters
from lutloom.codegen.costs.parts import Adder, Comparator, Parts, Registers

if TYPE_CHECKING:
    from lutloom.codegen.kernels.span import Span
    from lutloom.core.plan import Memory


def span_parts(span: Span, word: int, memory: Memory | None) -> Parts:
    """Return registers of words of ``word`` bits, the memory between them, and what is masked.

    A mask for each row and column that a window sees. Without ``memory`` it stands beside the main
    one.
    """
    rows, columns = span.rows, span.columns
    line = span.reach if span.slots else rows.dilation * span.width
    registers = (rows.kernel - 1) * line + span.reach
    taps = rows.kernel + span.windows * columns.kernel
    position = 1 + bits_for(2 * max(rows.size, columns.size))
    return (
        (registers, Registers(word)),
        *buffer(span.slots, span.stretches * word, memory),
        *counters(span.slots, rows.results, span.groups, rows.stride * span.width),
        (2 + taps, Adder(position)),
        (2 * taps, Comparator(position, is_constant=True)),
        (2, Registers(position)),
    )
