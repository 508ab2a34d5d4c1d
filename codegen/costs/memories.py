"""What memories take: by what the C++ binds them to, and by geometry.

Block RAMs have the shapes of ``codegen.fifo_memory`` (UG473, UG573), one port reads and one writes.
Memory in look-up tables: four of them are 32 words of six bits or 64 of three, one port for each
(RAM32M, RAM64M: UG474); in UltraScale eight are 32 words of 14 bits or 64 of seven (RAM32M16,
RAM64M8: UG574).

What is left open is the tool's choice. Here it is look-up tables up to 1,024 bits and block RAMs
above; no source binds the tool to that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.boards.device import DspType
from lutloom.codegen.costs.logic import multiplexer
from lutloom.codegen.costs.logic import rom as rom_luts
from lutloom.codegen.costs.resources import Confidence, Confidences, Cost, Resources
from lutloom.codegen.fifo_memory import best_memory, block_rams, shift_register_luts, ultra_rams
from lutloom.core.plan import FifoMemory, Memory

if TYPE_CHECKING:
    from lutloom.boards.device import Device

_OPEN_BITS = 1024
_GUESSED = Confidences(lut=Confidence.UNCALIBRATED, ff=Confidence.UNCALIBRATED)
_OPEN = Confidences(
    lut=Confidence.UNCALIBRATED, ff=Confidence.UNCALIBRATED, bram18=Confidence.UNCALIBRATED
)


def shift_register(depth: int, bits: int) -> Cost:
    """Return the cost of ``depth`` words that move on together; the last one are flip-flops."""
    luts = shift_register_luts(bits, depth - 1) if depth > 1 else 0
    return Cost(Resources(lut=luts, ff=bits), _GUESSED)


def rom(words: int, bits: int, memory: Memory) -> Cost:
    """Return the cost of constants, one word read in a cycle."""
    in_luts = Resources(lut=rom_luts(words, bits), ff=bits)
    return _by_memory(words, bits, memory, in_luts)


def ram(words: int, bits: int, memory: Memory, device: Device) -> Cost:
    """Return the cost of a memory, one word read and one written in a cycle."""
    in_luts = Resources(lut=_distributed(words, bits, device), ff=bits)
    return _by_memory(words, bits, memory, in_luts)


def _by_memory(words: int, bits: int, memory: Memory, in_luts: Resources) -> Cost:
    is_open = memory is Memory.AUTO
    if memory is Memory.LUTRAM or (is_open and words * bits <= _OPEN_BITS):
        return Cost(in_luts, _OPEN if is_open else _GUESSED)
    if memory.value == "uram":
        return Cost(Resources(uram=ultra_rams(bits, words)))
    found = Resources(bram18=block_rams(bits, words))
    return Cost(found, _OPEN) if is_open else Cost(found)


def _distributed(words: int, bits: int, device: Device) -> int:
    group, narrow, wide = (4, 3, 6) if device.dsp_type is DspType.DSP48E1 else (8, 7, 14)
    if words <= 32:
        return group * -(-bits // wide)
    columns = -(-words // 64)
    memory = group * -(-bits // narrow) * columns
    # Of several columns one is written, and one is read.
    return memory + multiplexer(columns, bits) + (columns if columns > 1 else 0)


def fifo(depth: int, bits: int, memory: FifoMemory, device: Device) -> Cost:
    """Return the cost of a FIFO of a dataflow region: its memory, two pointers and two flags."""
    if depth <= 0 or bits <= 0:
        return Cost()
    pointer = depth.bit_length()
    if memory is FifoMemory.AUTO:
        memory = best_memory(bits, depth)
    if memory is FifoMemory.SRL:
        luts = shift_register_luts(bits, depth) + 2 * pointer + 4
        return Cost(Resources(lut=luts, ff=pointer + 2), _GUESSED)
    control = Resources(lut=4 * pointer + 4, ff=3 * pointer + 2 + bits)
    if memory is FifoMemory.LUTRAM:
        return Cost(control + Resources(lut=_distributed(depth, bits, device)), _GUESSED)
    if memory is FifoMemory.URAM:
        return Cost(control + Resources(uram=ultra_rams(bits, depth)), _GUESSED)
    return Cost(control + Resources(bram18=block_rams(bits, depth)), _GUESSED)
