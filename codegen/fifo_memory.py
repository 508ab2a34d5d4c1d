"""What the words of a FIFO lie in: shift registers, block RAMs or UltraRAMs, by their number.

A shift register of up to 32 bits takes one look-up table (SRLC32E: UG474 for 7 series, UG574 for
UltraScale), so a FIFO takes ``bits * ceil(depth / 32)`` of them. A block RAM of 18 Kbit has 512
words of 36 bits, 1,024 of 18, ..., 16,384 of one (UG473, UG573), an UltraRAM 4,096 of 72 (UG573).

Left open, a FIFO gets shift registers up to 64 look-up tables for each block RAM that it would take
instead: a Z-7020 has 62 of those that can be shift registers (17,400, DS190) for each of its block
RAMs. An UltraRAM, where the board has some, takes the place of at least eight block RAMs: half of
what it holds. How Vitis HLS is told is ``BIND_STORAGE`` of the stream (UG1399); a FIFO of the
default depth is left to it.
"""

from __future__ import annotations

from lutloom.core.plan import FifoMemory

LUTS_A_BRAM = 64
"""Look-up tables as shift registers that are as dear as a block RAM."""

BRAMS_A_URAM = 8
"""Block RAMs that an UltraRAM takes the place of, or more."""

BRAM18_BITS, URAM_BITS = 18 * 1024, 288 * 1024
"""What a block RAM and an UltraRAM hold."""

_SHIFT_REGISTER = 32
_BRAM_SHAPES = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
_URAM_WORDS, _URAM_WIDTH = 4096, 72


def shift_register_luts(bits: int, depth: int) -> int:
    """Return the look-up tables of ``depth`` words of ``bits`` bits as shift registers."""
    return bits * -(-depth // _SHIFT_REGISTER)


def block_rams(bits: int, depth: int) -> int:
    """Return the block RAMs of 18 Kbit that ``depth`` words of ``bits`` bits take."""
    return min(-(-depth // words) * -(-bits // width) for words, width in _BRAM_SHAPES)


def ultra_rams(bits: int, depth: int) -> int:
    """Return the UltraRAMs that ``depth`` words of ``bits`` bits take."""
    return -(-depth // _URAM_WORDS) * -(-bits // _URAM_WIDTH)


def best_memory(bits: int, depth: int, *, has_uram: bool = False) -> FifoMemory:
    """Return what ``depth`` words of ``bits`` bits best lie in."""
    brams = block_rams(bits, depth)
    if shift_register_luts(bits, depth) <= LUTS_A_BRAM * brams:
        return FifoMemory.SRL
    if has_uram and ultra_rams(bits, depth) * BRAMS_A_URAM <= brams:
        return FifoMemory.URAM
    return FifoMemory.BRAM
