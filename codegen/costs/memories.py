"""What memories take: by what the C++ binds them to, and by geometry.

Block RAMs have the shapes of ``codegen.fifo_memory`` (UG473, UG573), one port reads and one writes.
Memory in look-up tables: four of them are 32 words of six bits or 64 of three, one port for each
(RAM32M, RAM64M: UG474); in UltraScale eight are 32 words of 14 bits or 64 of seven (RAM32M16,
RAM64M8: UG574).

What is left open is the tool's choice. Here it is look-up tables up to 1,024 bits and block RAMs
above; no source binds the tool to that.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from lutloom.boards.device import DspType
from lutloom.codegen.costs.logic import multiplexer
from lutloom.codegen.costs.logic import rom as rom_luts
from lutloom.codegen.costs.resources import Confidence, Confidences, Cost, Resources
from lutloom.codegen.fifo_memory import best_memory, block_rams, shift_register_luts, ultra_rams
from lutloom.core.plan import FifoMemory, Memory

if TYPE_CHECKING:
    from lutloom.boards.device import Device
    from lutloom.codegen.costs.parts import FifoBuffer

_OPEN_BITS = 1024
_AUTO_SRL_WORDS, _AUTO_SRL_BITS = 2, 1024
_UNKNOWN = Confidence.UNCALIBRATED
_OPEN = Confidences(lut=_UNKNOWN, ff=_UNKNOWN, bram18=_UNKNOWN)


def shift_register(depth: int, bits: int, known: Confidence) -> Cost:
    """Return the cost of ``depth`` words that move on together; the last one are flip-flops."""
    luts = shift_register_luts(bits, depth - 1) if depth > 1 else 0
    return Cost(Resources(lut=luts, ff=bits), _guessed(known))


def rom(words: int, bits: int, memory: Memory, known: Confidence) -> Cost:
    """Return the cost of constants, one word read in a cycle."""
    in_luts = Resources(lut=rom_luts(words, bits), ff=bits)
    return _by_memory(words, bits, memory, Cost(in_luts, _guessed(known)))


def ram(words: int, bits: int, memory: Memory, device: Device, known: Confidence) -> Cost:
    """Return the cost of a memory, one word read and one written in a cycle."""
    in_luts = Resources(lut=_distributed(words, bits, device), ff=bits)
    return _by_memory(words, bits, memory, Cost(in_luts, _guessed(known)))


def _guessed(known: Confidence) -> Confidences:
    return Confidences(lut=known, ff=_UNKNOWN)


def _by_memory(words: int, bits: int, memory: Memory, in_luts: Cost) -> Cost:
    match memory:
        case Memory.LUTRAM:
            return in_luts
        case Memory.BRAM:
            return Cost(Resources(bram18=block_rams(bits, words)))
        case Memory.URAM:
            return Cost(Resources(uram=ultra_rams(bits, words)))
        case Memory.AUTO:
            bound = Memory.LUTRAM if words * bits <= _OPEN_BITS else Memory.BRAM
            return Cost(_by_memory(words, bits, bound, in_luts).resources, _OPEN)
        case _:
            assert_never(memory)


def _distributed(words: int, bits: int, device: Device) -> int:
    group, narrow, wide = (4, 3, 6) if device.dsp_type is DspType.DSP48E1 else (8, 7, 14)
    if words <= 32:
        return group * -(-bits // wide)
    columns = -(-words // 64)
    memory = group * -(-bits // narrow) * columns
    # Of several columns one is written, and one is read.
    return memory + multiplexer(columns, bits) + (columns if columns > 1 else 0)


def bound(part: FifoBuffer) -> FifoBuffer:
    """Return a FIFO in the memory that it is bound to, or in that which Vitis HLS takes.

    That are shift registers up to two words or 1,024 bits (``config_storage``: UG1399); deeper ones
    are written down with their memory.
    """
    if part.memory is not FifoMemory.AUTO:
        return part
    is_small = part.depth <= _AUTO_SRL_WORDS or part.depth * part.bits <= _AUTO_SRL_BITS
    memory = FifoMemory.SRL if is_small else best_memory(part.bits, part.depth)
    return replace(part, memory=memory)


def fifo(depth: int, bits: int, memory: FifoMemory, device: Device, known: Confidence) -> Cost:
    """Return the cost of a FIFO of a dataflow region: its words, and what counts them.

    A shift register has one counter, which is where the oldest word is, and two flags; F7 and F8
    choose from up to 128 words (UG474). Another memory has two pointers and a counter, and a
    register at its end. Both are how FIFOs are built, not what a tool was seen to write.
    (FINN: ``2 ceil(log2 depth) + ceil(depth / 32) ceil(bits / 2)``, two shift registers of 32 bits
    in a table, which has room for two of 16.)
    """
    if depth <= 0 or bits <= 0:
        return Cost()
    pointer = depth.bit_length()
    if memory is FifoMemory.SRL:
        words = shift_register_luts(bits, depth) + multiplexer(-(-depth // 128), bits)
        return Cost(Resources(lut=words + 5 * (pointer - 1), ff=pointer + 2), _guessed(known))
    control = Resources(lut=4 * pointer + 4, ff=3 * pointer + 2 + bits)
    if memory is FifoMemory.LUTRAM:
        words = _distributed(depth, bits, device)
        return Cost(control + Resources(lut=words), _guessed(_UNKNOWN))
    if memory is FifoMemory.URAM:
        return Cost(control + Resources(uram=ultra_rams(bits, depth)), _guessed(_UNKNOWN))
    return Cost(control + Resources(bram18=block_rams(bits, depth)), _guessed(_UNKNOWN))
