"""Which FIFOs lie in UltraRAMs: the largest ones, as many as the device has room for.

Smaller ones waste most of an UltraRAM: they only lie there where block RAMs run out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lutloom.codegen.fifo_memory import best_memory, block_rams, ultra_rams
from lutloom.codegen.folding import DEFAULT_DEPTH
from lutloom.core.errors import PlanError
from lutloom.core.plan import FifoMemory

if TYPE_CHECKING:
    from lutloom.codegen.design import Design, Fifo, Unit
    from lutloom.core.plan import Plan


def in_ultra_rams(design: Design, plan: Plan, urams: int, taken: int = 0) -> Plan:
    """Return ``plan`` with its largest FIFOs in the ``urams`` UltraRAMs that a device has.

    ``design`` is the one that the plan makes, whatever its processes lie in; those have ``taken``
    some of the UltraRAMs. FIFOs whose memory the plan names stay there. Raises ``PlanError`` where
    it names UltraRAM and there are none, or fewer than it takes.
    """
    others = f", of which processes take {taken}" if taken else ""
    fits: list[tuple[int, Fifo]] = []
    for unit in design.units:
        for fifo in unit.fifos:
            count = ultra_rams(fifo.bits, fifo.depth)
            if fifo.memory is FifoMemory.URAM:
                taken += count
                if taken > urams:
                    legal = [m.value for m in FifoMemory if m is not FifoMemory.URAM]
                    raise PlanError(
                        f"fifos: the memory of {fifo.value} is 'uram', but the device has {urams}"
                        f" UltraRAMs{others}: use one of {legal}"
                    )
            elif fifo.planned_bits and fifo.value not in plan.fifo_memories:
                fits.append((count, fifo))
    memories = dict(plan.fifo_memories)
    for count, fifo in sorted(fits, key=lambda entry: -entry[1].bits * entry[1].depth):
        best = best_memory(fifo.bits, fifo.depth, has_uram=taken + count <= urams)
        if best is FifoMemory.URAM and fifo.depth > DEFAULT_DEPTH:
            memories[fifo.value] = best
            taken += count
    return replace(plan, fifo_memories=memories)


def without_block_rams(design: Design, plan: Plan, urams: int) -> Plan:
    """Return ``plan`` with FIFOs moved from block RAMs to UltraRAMs, as many as there is room for.

    ``design`` is the one that the plan makes; for all its FIFOs there are ``urams`` of them. Those
    come first that spare most block RAMs for each.
    """
    memories, places = dict(plan.fifo_memories), []
    for unit in design.units:
        for fifo in unit.fifos:
            count = ultra_rams(fifo.bits, fifo.depth)
            if fifo.memory is FifoMemory.URAM:
                urams -= count
            elif fifo.memory is FifoMemory.BRAM and fifo.value not in memories:
                places.append((block_rams(fifo.bits, fifo.depth), count, fifo.value))
    for _, count, value in sorted(places, key=lambda place: -place[0] / place[1]):
        if count <= urams:
            memories[value] = FifoMemory.URAM
            urams -= count
    return replace(plan, fifo_memories=memories)


def with_memories(design: Design, plan: Plan) -> Design:
    """Return ``design`` with FIFOs in the memories that ``plan`` names, which says them anew."""

    def placed(fifo: Fifo) -> Fifo:
        memory = plan.fifo_memories.get(fifo.value, fifo.memory)
        return replace(fifo, memory=memory) if fifo.planned_bits else fifo

    def rebuilt(unit: Unit) -> Unit:
        return replace(unit, fifos=tuple(map(placed, unit.fifos)))

    return replace(design, units=tuple(map(rebuilt, design.units)))
