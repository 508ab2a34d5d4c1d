"""What stands on a stream, by the widths of the words at its ends: FIFOs, a converter, ports."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from operator import add
from typing import TYPE_CHECKING

from lutloom.codegen.costs.edges import converter_cost, fifo_cost
from lutloom.codegen.costs.ports import entry_cost, exit_cost
from lutloom.codegen.fifos import DEFAULT_DEPTH
from lutloom.codegen.kernels.convert import converter
from lutloom.codegen.kernels.kernel import WIDEST_WORD
from lutloom.core.plan import FifoMemory

if TYPE_CHECKING:
    from lutloom.boards.device import Device
    from lutloom.codegen.kernels.convert import Converter


class Place(Enum):
    """Where a stream lies: within a unit, between two, or at the border of the graph."""

    INNER = "inner"
    BETWEEN = "between"
    ENTRY = "entry"
    EXIT = "exit"


@dataclass(frozen=True, slots=True)
class Crossing:
    """What a stream takes with words of certain widths, and how many cycles for an image.

    ``costs`` are in the order of ``Resources``.
    """

    costs: tuple[int, ...]
    cycles: int


def crossing(place: Place, frame: int, written: int, read: int, device: Device) -> Crossing | None:
    """Return what stands on a stream of ``frame`` bits an image; None if that is not legal."""
    between = converter(written, read, frame)
    cycles = _cycles(place, frame, written, read, between)
    if cycles is None:
        return None
    # What is there whatever the words of the other end are, is the same in a row of pairs.
    costs = _ends(place, frame, read if place is Place.EXIT else None, written, device)
    if between is not None:
        costs = tuple(map(add, costs, _converted(between, device)))
    return Crossing(costs, cycles)


def crossing_cycles(place: Place, frame: int, written: int, read: int) -> int | None:
    """Return how many cycles a stream takes for an image of ``frame`` bits; None if not legal."""
    return _cycles(place, frame, written, read, converter(written, read, frame))


def _cycles(
    place: Place, frame: int, written: int, read: int, between: Converter | None
) -> int | None:
    if between is not None and between.widest > WIDEST_WORD:
        return None
    cycles = 0 if between is None else between.cycles
    if place is Place.INNER:
        return cycles
    return max(cycles, -(-frame // (read if place is Place.EXIT else written)))


def _converted(between: Converter, device: Device) -> tuple[int, ...]:
    """Return what a converter and the FIFO behind it take."""
    read = fifo_cost(between.out_bits, DEFAULT_DEPTH, FifoMemory.AUTO, device)
    return (converter_cost(between, device).resources + read.resources).figures


@lru_cache(maxsize=4096)
def _ends(
    place: Place, frame: int, left: int | None, written: int, device: Device
) -> tuple[int, ...]:
    """Return what ports, if any, and the FIFOs of words as they are written take.

    Words that have ``left`` the graph are of so many bits.
    """
    fifo = fifo_cost(written, DEFAULT_DEPTH, FifoMemory.AUTO, device).resources
    beats = -(-frame // (written if left is None else left))
    match place:
        case Place.INNER:
            return fifo.figures
        case Place.ENTRY:
            port = entry_cost(written, written, beats, device)
            return (fifo + port.resources).figures
        case Place.EXIT:
            assert left is not None
            return (fifo + exit_cost(left, left, beats, device).resources).figures
        case Place.BETWEEN:
            axis_bits = -(-written // 8) * 8
            out = exit_cost(axis_bits, written, beats, device)
            back = entry_cost(axis_bits, written, beats, device)
            return (fifo * 2 + out.resources + back.resources).figures
