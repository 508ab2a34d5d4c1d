"""The weights of a process: a memory of words, each as many weights as a cycle needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.codegen.kernels.kernel import Table
from lutloom.codegen.packing import RomLayout, to_bits

if TYPE_CHECKING:
    from lutloom.core.plan import Memory
    from lutloom.core.types import IntArray, IntType


def weight_memory(
    words: IntArray, stored: IntType, memory: Memory, content: str
) -> tuple[Table, int]:
    """Return codes ``words [n, lanes]`` as ``lutloom::Rom`` has them, and the bits of an entry.

    ``content`` begins the table's note: what is in words of how many weights.
    """
    layout = RomLayout.of(words.shape[1] * stored.bits)
    table = Table(
        "weights",
        layout.entries(to_bits(words, stored.bits)),
        signed=False,
        bits=layout.chunk_bits,
        note=f"{content} weights of {stored.bits} bits, {layout.group} in an entry.",
        reshape=2 if layout.chunks > 1 else 0,
        memory=memory,
        is_hexadecimal=True,
    )
    return table, layout.chunks * layout.chunk_bits
