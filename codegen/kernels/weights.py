"""The memories of a process: words of as many constants as a cycle needs, in machine words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.codegen.kernels.kernel import Table
from lutloom.codegen.packing import RomLayout, to_bits
from lutloom.core.counts import counted

if TYPE_CHECKING:
    from lutloom.core.plan import Memory
    from lutloom.core.types import IntArray


def weight_memory(words: IntArray, bits: int, memory: Memory, content: str) -> tuple[Table, int]:
    """Return codes ``words [n, lanes]`` as ``lutloom::Rom`` has them, and the bits of an entry.

    A code has ``bits``. ``content`` begins the table's note: what is in words of how many weights.
    """
    layout = RomLayout.of(words.shape[1] * bits)
    note = f"{content} weights of {counted(bits, 'bit')}, {layout.group} in an entry."
    return _table("weights", words, bits, layout, memory, note)


def word_memory(
    name: str, words: IntArray, bits: int, memory: Memory, note: str
) -> tuple[Table, int]:
    """Return codes ``words [n, lanes]`` of ``bits`` as a memory with an entry for each word."""
    layout = RomLayout.of(words.shape[1] * bits, is_sequential=False)
    return _table(name, words, bits, layout, memory, note)


def _table(
    name: str, words: IntArray, bits: int, layout: RomLayout, memory: Memory, note: str
) -> tuple[Table, int]:
    table = Table(
        name,
        layout.entries(to_bits(words, bits)),
        signed=False,
        bits=layout.chunk_bits,
        note=note,
        reshape=2 if layout.chunks > 1 else 0,
        memory=memory,
        is_hexadecimal=True,
    )
    return table, layout.chunks * layout.chunk_bits
