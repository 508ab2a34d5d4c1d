"""What every process has: one pipelined loop, whose words in and out are registered."""

from __future__ import annotations

from functools import lru_cache

from lutloom.codegen.costs.parts import Control, Counter, Part, Parts, Ram, Registers, Rom
from lutloom.codegen.kernels.kernel import kept_memory, memory_beside
from lutloom.codegen.timing import PIPELINE_DEPTH
from lutloom.core.plan import Memory


def bits_for(largest: int) -> int:
    """Return the bits of an unsigned number up to ``largest``, at least one (``bits.hpp``)."""
    return max(largest.bit_length(), 1)


def spanning_bits(lo: int, hi: int) -> int:
    """Return the bits of numbers from ``lo`` to ``hi``, two's complement if some are negative."""
    return max(hi.bit_length(), (~lo).bit_length() if lo < 0 else 0) + (lo < 0)


def loop(kernel: str, iterations: int, *words: int) -> Parts:
    """Return the parts of a loop of so many iterations with streams of ``words`` bits each.

    Control of as many stages as the timetable reckons with (``codegen/timing.py``).
    """
    return (
        (1, Control(len(words), PIPELINE_DEPTH[kernel])),
        (1, Counter(iterations)),
        (1, Registers(sum(words))),
    )


def counters(*states: int) -> Parts:
    """Return a counter for each number of states; one of a single state is none."""
    return tuple((1, Counter(count)) for count in states if count > 1)


def constants(copies: int, words: int, bits: int, memory: Memory | None = None) -> Parts:
    """Return ``copies`` tables of constants; one of a single word is part of what reads it.

    Without ``memory`` they stand beside the main ones.
    """
    memory = memory_beside(words) if memory is None else memory
    return ((copies, Rom(words, bits, memory)),) if words > 1 and bits > 0 else ()


@lru_cache(maxsize=8192)
def buffer(words: int, bits: int, memory: Memory | None = None) -> Parts:
    """Return a memory that is written and read; a single word is a register.

    Without ``memory`` it stands beside the main one.
    """
    memory = kept_memory(words, bits) if memory is None else memory
    part: Part = Ram(words, bits, memory) if words > 1 else Registers(bits)
    return ((1, part),) if words > 0 else ()
