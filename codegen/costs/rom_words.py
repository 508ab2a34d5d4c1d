"""Weights in words: the memory, and what reads it word after word (``rom.hpp``)."""

from __future__ import annotations

from functools import lru_cache

from lutloom.codegen.costs.loops import constants, counters
from lutloom.codegen.costs.parts import Multiplexer, Parts, Registers, together
from lutloom.codegen.packing import RomLayout
from lutloom.core.plan import Memory


@lru_cache(maxsize=8192)
def weight_words(words: int, bits: int, memory: Memory) -> Parts:
    """Return a memory of ``words`` words of ``bits`` bits, read in order, and its reader.

    Entries are whole machine words (``RomLayout``): bits that hold nothing are memory as well.
    Where an entry has several words, it is shifted in a register.
    """
    if words == 1:
        return ()
    layout = RomLayout.of(bits)
    entry = layout.chunks * layout.chunk_bits
    entries = -(-words // layout.group)
    shift: Parts = ()
    if layout.group > 1:
        shift = ((1, Registers(entry)), (1, Multiplexer(2, entry)))
    counted = counters(entries, layout.group)
    return together((*constants(1, entries, entry, memory), *shift, *counted, (1, Registers(bits))))
