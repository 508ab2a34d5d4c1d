"""What each part takes of a device."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, assert_never

from lutloom.codegen.costs import logic, memories
from lutloom.codegen.costs.parts import (
    Adder,
    AdderTree,
    Comparator,
    Control,
    Counter,
    DotProduct,
    DspSlices,
    FifoBuffer,
    Group,
    Multiplexer,
    Multiplier,
    Negation,
    Part,
    Parts,
    Popcount,
    Ram,
    Registers,
    Rom,
    ShiftRegister,
)
from lutloom.codegen.costs.ranges import is_calibrated
from lutloom.codegen.costs.resources import Confidence, Confidences, Cost, Resources

if TYPE_CHECKING:
    from lutloom.boards.device import Device, Family


def parts_cost(parts: Parts, device: Device) -> Cost:
    """Return the cost of ``parts`` together."""
    # Planners ask for thousands of sums: of plain integers, which is ten times as fast.
    known = _known(device.family)
    lut = ff = bram18 = uram = dsp = 0
    doubts = 0
    for count, part in parts:
        if not count:
            continue
        figures = known.get(part)
        if figures is None:
            figures = known[part] = _figures(part_cost(part, device))
        lut += count * figures[0]
        ff += count * figures[1]
        bram18 += count * figures[2]
        uram += count * figures[3]
        dsp += count * figures[4]
        doubts |= figures[5]
    return Cost(Resources(lut, ff, bram18, uram, dsp), _confidences(doubts))


@cache
def _known(_family: Family) -> dict[Part, tuple[int, ...]]:
    return {}


# Two bits each, so that those of several figures together are the lowest of them.
_DOUBTS = {Confidence.EXACT: 0b00, Confidence.CALIBRATED: 0b01, Confidence.UNCALIBRATED: 0b11}


def _figures(cost: Cost) -> tuple[int, ...]:
    """Return the resources of ``cost``, and its doubts: those of the first in the lowest bits."""
    there = cost.confidences
    levels = (there.lut, there.ff, there.bram18, there.uram, there.dsp)
    doubts = sum(_DOUBTS[level] << 2 * place for place, level in enumerate(levels))
    return (*cost.resources.figures, doubts)


@cache
def _confidences(doubts: int) -> Confidences:
    levels = {bits: level for level, bits in _DOUBTS.items()}
    return Confidences(*(levels[doubts >> 2 * place & 0b11] for place in range(5)))


def part_cost(part: Part, device: Device) -> Cost:
    """Return what ``part`` takes of ``device``, each figure with its confidence.

    Flip-flops are those that a part can't be without; what a pipeline registers between parts is
    ``Registers``, which the kernel's cost model counts.
    """
    if isinstance(part, Group):
        return parts_cost(part.parts, device)
    part = memories.bound(part) if isinstance(part, FifoBuffer) else part
    known = Confidence.CALIBRATED if is_calibrated(part) else Confidence.UNCALIBRATED
    match part:
        case DspSlices(count):
            return Cost(Resources(dsp=count))
        case Registers(bits):
            return Cost(Resources(ff=bits), Confidences(ff=Confidence.UNCALIBRATED))
        case Counter(states):
            bits = max(states - 1, 0).bit_length()
            return Cost(Resources(lut=logic.counter(bits), ff=bits), _stateful(known))
        case Control(streams, stages):
            return Cost(_control(streams, stages), _stateful(known))
        case ShiftRegister(depth, bits):
            return memories.shift_register(depth, bits, known)
        case Rom(words, bits, memory):
            return memories.rom(words, bits, memory, known)
        case Ram(words, bits, memory):
            return memories.ram(words, bits, memory, device, known)
        case FifoBuffer(depth, bits, memory):
            return memories.fifo(depth, bits, memory, device, known)
        case _:
            return Cost(Resources(lut=_logic_luts(part)), Confidences(lut=known))


def _control(streams: int, stages: int) -> Resources:
    """Return what a flushing pipeline (``style=flp``) is controlled by, as far as it must be there.

    Each stage has a bit that says whether there is something in it, and a gate for it; each stream
    a bit that says that a word is on its way, a gate for that, one for what it makes wait, and one
    for its handshake; ap_start, ap_done, ap_ready and ap_idle take four bits and two gates each.
    No netlist was counted for this.
    """
    return Resources(lut=8 + 3 * streams + stages, ff=4 + streams + stages)


def _stateful(known: Confidence) -> Confidences:
    return Confidences(lut=known, ff=Confidence.UNCALIBRATED)


def _logic_luts(
    part: Popcount
    | AdderTree
    | Adder
    | Negation
    | Multiplier
    | DotProduct
    | Comparator
    | Multiplexer,
) -> int:
    match part:
        case Popcount(bits, has_xnor):
            return logic.xnor_popcount(bits) if has_xnor else logic.popcount(bits)
        case AdderTree(terms, bits):
            return logic.adder_tree(terms, bits)
        case Adder(bits):
            return logic.adder(bits)
        case Negation(bits):
            return logic.negation(bits)
        case Multiplier(left, right, is_constant):
            luts = logic.constant_multiplier if is_constant else logic.multiplier
            return luts(left, right)
        case DotProduct(terms, left, right):
            return logic.dot_product(terms, left, right)
        case Comparator(bits, is_constant):
            return logic.constant_comparator(bits) if is_constant else logic.comparator(bits)
        case Multiplexer(ways, bits):
            return logic.multiplexer(ways, bits)
        case _:
            assert_never(part)
