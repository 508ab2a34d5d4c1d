"""What stands on a stream, by the widths of the words at its ends: FIFOs, a converter, ports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from lutloom.codegen.costs.edges import converter_cost, fifo_cost
from lutloom.codegen.costs.ports import entry_cost, exit_cost
from lutloom.codegen.costs.resources import Cost, total
from lutloom.codegen.fifos import DEFAULT_DEPTH
from lutloom.codegen.kernels.convert import converter
from lutloom.codegen.kernels.kernel import WIDEST_WORD
from lutloom.core.plan import FifoMemory

if TYPE_CHECKING:
    from lutloom.boards.device import Device


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
    cycles = crossing_cycles(place, frame, written, read)
    if cycles is None:
        return None
    cost = total(_costs(place, frame, written, read, device))
    return Crossing(cost.resources.figures, cycles)


def crossing_cycles(place: Place, frame: int, written: int, read: int) -> int | None:
    """Return how many cycles a stream takes for an image of ``frame`` bits; None if not legal."""
    between = converter(written, read, frame)
    if between is not None and between.widest > WIDEST_WORD:
        return None
    cycles = 0 if between is None else between.cycles
    if place is Place.INNER:
        return cycles
    return max(cycles, -(-frame // (read if place is Place.EXIT else written)))


def _costs(place: Place, frame: int, written: int, read: int, device: Device) -> Iterator[Cost]:
    fifos = [written, *([written] if place is Place.BETWEEN else [])]
    between = converter(written, read, frame)
    if between is not None:
        fifos.append(read)
        yield converter_cost(between, device)
    for bits in fifos:
        yield fifo_cost(bits, DEFAULT_DEPTH, FifoMemory.AUTO, device)
    axis_bits = -(-written // 8) * 8
    match place:
        case Place.ENTRY:
            yield entry_cost(written, written, -(-frame // written), device)
        case Place.EXIT:
            yield exit_cost(read, read, -(-frame // read), device)
        case Place.BETWEEN:
            yield exit_cost(axis_bits, written, -(-frame // written), device)
            yield entry_cost(axis_bits, written, -(-frame // written), device)
        case Place.INNER:
            pass
