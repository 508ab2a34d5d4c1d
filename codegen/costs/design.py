"""What a design takes: the sum of its processes, FIFOs, converters and ports; and its interval."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING

from lutloom.codegen.costs.edges import converter_cost, fifo_cost
from lutloom.codegen.costs.ports import entry_cost, exit_cost, token_cost
from lutloom.codegen.costs.processes import process_cost
from lutloom.codegen.costs.resources import Cost, total

if TYPE_CHECKING:
    from lutloom.boards.device import Device
    from lutloom.codegen.design import Design, Unit


class Kind(Enum):
    """What something in a design is."""

    PROCESS = "process"
    CONVERTER = "converter"
    FIFO = "fifo"
    PORT = "port"


_WEIGHT = {Kind.PROCESS: 3, Kind.PORT: 2, Kind.CONVERTER: 1, Kind.FIFO: 0}


@dataclass(frozen=True, slots=True)
class Item:
    """Something in a design, and what it takes.

    ``name`` is that of a process in the plan, of a FIFO in the unit ``unit``, of the FIFO that a
    converter writes, or of a port's argument. ``cycles`` is how long it takes for an image; 0 for
    a FIFO.
    """

    kind: Kind
    name: str
    unit: str
    cost: Cost
    cycles: int = 0


@dataclass(frozen=True)
class Slowest:
    """What takes longest for an image, and how many cycles: an image comes every so many."""

    kind: Kind
    name: str
    unit: str
    cycles: int


@dataclass(frozen=True)
class DesignCost:
    """What a design takes, item by item; the shell around it is none of them."""

    items: tuple[Item, ...]

    def of(self, kind: Kind) -> tuple[Item, ...]:
        """Return the items of one kind."""
        return tuple(item for item in self.items if item.kind is kind)

    def sum(self, kind: Kind) -> Cost:
        """Return what all items of one kind take together."""
        return total(item.cost for item in self.of(kind))

    @cached_property
    def total(self) -> Cost:
        """What all of it takes."""
        return total(item.cost for item in self.items)

    @cached_property
    def processes(self) -> dict[str, Cost]:
        """What each process takes, by its name in the plan."""
        return {item.name: item.cost for item in self.of(Kind.PROCESS)}

    @property
    def slowest(self) -> Slowest:
        """What takes longest for an image, by its loop.

        Of equals a process, then a port: a converter is as slow as what it stands between.
        """
        item = max(self.items, key=lambda item: (item.cycles, _WEIGHT[item.kind]))
        return Slowest(item.kind, item.name, item.unit, item.cycles)


def design_cost(design: Design, device: Device) -> DesignCost:
    """Return what ``design`` takes of ``device``."""
    return DesignCost(tuple(item for unit in design.units for item in _items(unit, device)))


def _items(unit: Unit, device: Device) -> Iterator[Item]:
    for call in unit.calls:
        if call.process is not None:
            process = call.process
            cost = process_cost(process.site, process.folding, device)
            yield Item(Kind.PROCESS, process.name, unit.top, cost, process.cycles)
        if call.converter is not None:
            cost = converter_cost(call.converter, device)
            cycles = call.converter.cycles
            yield Item(Kind.CONVERTER, call.arguments[-1], unit.top, cost, cycles)
    for fifo in unit.fifos:
        cost = fifo_cost(fifo.bits, fifo.depth, fifo.memory, device)
        yield Item(Kind.FIFO, fifo.identifier, unit.top, cost)
    for token in unit.tokens:
        yield Item(Kind.FIFO, token, unit.top, token_cost(unit.token_depth, device))
    for border in unit.entries:
        cost = entry_cost(border.axis_bits, border.word_bits, border.beats, device)
        yield Item(Kind.PORT, border.argument, unit.top, cost, border.beats)
    for border in unit.exits:
        cost = exit_cost(border.axis_bits, border.word_bits, border.beats, device)
        yield Item(Kind.PORT, border.argument, unit.top, cost, border.beats)
