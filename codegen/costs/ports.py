"""The AXI streams of a unit: what reads and writes them (``axis.hpp``), and the tokens of TLAST."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from lutloom.codegen.costs.formulas import parts_cost
from lutloom.codegen.costs.loops import loop
from lutloom.codegen.costs.parts import FifoBuffer, Multiplexer, Registers
from lutloom.core.plan import FifoMemory

if TYPE_CHECKING:
    from lutloom.boards.device import Device
    from lutloom.codegen.costs.resources import Cost


@lru_cache(maxsize=1024)
def entry_cost(axis_bits: int, word_bits: int, beats: int, device: Device) -> Cost:
    """Return what reads words of an AXI stream of ``axis_bits`` bits, ``beats`` an image."""
    return _port_cost("read_axis", axis_bits, word_bits, beats, device)


@lru_cache(maxsize=1024)
def exit_cost(axis_bits: int, word_bits: int, beats: int, device: Device) -> Cost:
    """Return what writes words to an AXI stream of ``axis_bits`` bits, ``beats`` an image."""
    return _port_cost("write_axis", axis_bits, word_bits, beats, device)


def _port_cost(kernel: str, axis_bits: int, word_bits: int, beats: int, device: Device) -> Cost:
    # A register slice keeps two transfers: data, a bit of keep and of strb a byte, and last.
    transfer = axis_bits + 2 * (axis_bits // 8) + 1
    loops = loop(kernel, beats, word_bits, 1, 0)
    slice_parts = ((2, Registers(transfer)), (1, Multiplexer(2, transfer)))
    return parts_cost((*loops, *slice_parts), device)


def token_cost(depth: int, device: Device) -> Cost:
    """Return what the FIFO of TLAST of ``depth`` images takes, from an entry to an exit."""
    return parts_cost(((1, FifoBuffer(depth, 1, FifoMemory.AUTO)),), device)
