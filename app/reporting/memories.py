"""The memory map: which constants, buffers and FIFOs lie in memory of which kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from lutloom.codegen.costs.resources import Cost
from lutloom.codegen.fifo_memory import BRAM18_BITS, URAM_BITS

if TYPE_CHECKING:
    from lutloom.boards.device import Device
    from lutloom.codegen.costs.parts import Single
    from lutloom.codegen.design import Design


class Purpose(Enum):
    """What is kept."""

    CONSTANTS = "weights and tables"
    BUFFERS = "line buffers and vectors"
    FIFOS = "FIFOs"


class Kind(Enum):
    """What it is kept in."""

    LUTS = "look-up tables"
    BRAM = "block RAM"
    URAM = "UltraRAM"


@dataclass(frozen=True)
class MemoryFacts:
    """What the process or stream ``owner`` keeps for a ``purpose``, and what that takes."""

    owner: str
    purpose: Purpose
    kind: Kind
    bits: int
    cost: Cost

    @property
    def capacity(self) -> int:
        """The bits of its block RAMs or UltraRAMs; 0 in look-up tables."""
        taken = self.cost.resources
        return taken.bram18 * BRAM18_BITS + taken.uram * URAM_BITS


def memories_of(design: Design, device: Device) -> tuple[MemoryFacts, ...]:
    """Return what ``design`` keeps, of each owner, purpose and kind of memory together."""
    found: dict[tuple[str, Purpose, Kind], tuple[int, Cost]] = {}
    for owner, purpose, bits, cost in _all(design, device):
        taken = cost.resources
        kind = Kind.URAM if taken.uram else Kind.BRAM if taken.bram18 else Kind.LUTS
        before = found.get((owner, purpose, kind), (0, Cost()))
        found[owner, purpose, kind] = before[0] + bits, before[1] + cost
    return tuple(MemoryFacts(*key, *entry) for key, entry in found.items())


def _all(design: Design, device: Device) -> Iterator[tuple[str, Purpose, int, Cost]]:
    from lutloom.codegen.costs.formulas import part_cost
    from lutloom.codegen.costs.parts import FifoBuffer
    from lutloom.codegen.costs.processes import parts_of

    for unit in design.units:
        for process in unit.processes:
            for count, part in parts_of(process.site, process.folding, device):
                kept = _kept(part)
                if kept is not None:
                    purpose, bits = kept
                    yield process.name, purpose, count * bits, part_cost(part, device) * count
        for fifo in unit.fifos:
            buffer = FifoBuffer(fifo.depth, fifo.bits, fifo.memory)
            yield fifo.value, Purpose.FIFOS, fifo.depth * fifo.bits, part_cost(buffer, device)


def _kept(part: Single) -> tuple[Purpose, int] | None:
    """Return what a part keeps, and how many bits: None of what is no memory."""
    from lutloom.codegen.costs.parts import Ram, Rom, ShiftRegister

    match part:
        case Rom(words=words, bits=bits):
            return Purpose.CONSTANTS, words * bits
        case Ram(words=words, bits=bits) | ShiftRegister(depth=words, bits=bits):
            return Purpose.BUFFERS, words * bits
        case _:
            return None


def totals(memories: tuple[MemoryFacts, ...]) -> dict[tuple[Purpose, Kind], MemoryFacts]:
    """Return the sums over all owners, by purpose and kind."""
    found: dict[tuple[Purpose, Kind], MemoryFacts] = {}
    for entry in memories:
        key = entry.purpose, entry.kind
        before = found.get(key, MemoryFacts("", *key, 0, Cost()))
        found[key] = MemoryFacts("", *key, before.bits + entry.bits, before.cost + entry.cost)
    order = [(purpose, kind) for purpose in Purpose for kind in Kind]
    return {key: found[key] for key in order if key in found}
