"""What stands on edges: width converters, and FIFOs."""

from __future__ import annotations

from functools import lru_cache
from math import gcd
from typing import TYPE_CHECKING

from lutloom.codegen.costs.formulas import part_cost, parts_cost
from lutloom.codegen.costs.loops import counters, loop
from lutloom.codegen.costs.parts import Adder, FifoBuffer, Multiplexer, Parts, Registers
from lutloom.core.plan import FifoMemory

if TYPE_CHECKING:
    from lutloom.boards.device import Device
    from lutloom.codegen.costs.resources import Cost
    from lutloom.codegen.kernels.convert import Converter


@lru_cache(maxsize=4096)
def converter_cost(converter: Converter, device: Device) -> Cost:
    """Return what a width converter takes."""
    # Words come into the register that is shifted, and leave in one of their own.
    leaving = 0 if converter.kernel == "widen" else converter.out_bits
    loops = loop(converter.kernel, converter.cycles, 0, leaving)
    return parts_cost((*loops, *_CONVERTERS[converter.kernel](converter)), device)


def _narrow(converter: Converter) -> Parts:
    """Return a register that is shifted by a word (``narrow.hpp``)."""
    ratio = converter.in_bits // converter.out_bits
    bits = converter.in_bits
    return ((1, Multiplexer(2, bits)), (1, Registers(bits)), *counters(ratio))


def _widen(converter: Converter) -> Parts:
    """Return a register into which words are shifted (``widen.hpp``)."""
    return (
        (1, Registers(converter.out_bits)),
        *counters(converter.out_bits // converter.in_bits),
    )


def _gearbox(converter: Converter) -> Parts:
    """Return a register that is shifted by a word, into which one is put where there is room.

    Where that is, is a multiple of ``gcd`` bits (``gearbox.hpp``): a shifter chooses one of four
    in each of its levels.
    """
    unit = gcd(converter.in_bits, converter.out_bits)
    places = converter.out_bits // unit
    fill = (converter.widest // unit).bit_length()
    levels = -(-(places - 1).bit_length() // 2)
    return (
        (levels, Multiplexer(4, converter.widest)),
        (1, Multiplexer(2, converter.widest)),
        (1, Registers(converter.widest + fill)),
        (2, Adder(fill)),
        *counters(-(-converter.frame_bits // converter.in_bits)),
    )


_CONVERTERS = {"gearbox": _gearbox, "narrow": _narrow, "widen": _widen}


@lru_cache(maxsize=4096)
def fifo_cost(bits: int, depth: int, memory: FifoMemory, device: Device) -> Cost:
    """Return what a FIFO of ``depth`` words of ``bits`` bits takes."""
    return part_cost(FifoBuffer(depth, bits, memory), device)
