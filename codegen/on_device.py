"""A plan on a device: what it leaves open is chosen by waste, and what is not there is refused.

Whatever Vitis HLS would choose by rules of its own is said: what memories lie in, what multiplies.
Of the choices of a process the one is taken that takes the fewest look-up tables, with a price for
all else: a block RAM as many as for FIFOs (``fifo_memory``), an UltraRAM as many as the block RAMs
that it replaces, and a DSP slice ``DSP_LUTS``, about what its product would take.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lutloom.codegen.assembly import design_of
from lutloom.codegen.costs.processes import process_cost
from lutloom.codegen.fifo_memory import BRAMS_A_URAM, LUTS_A_BRAM, ultra_rams
from lutloom.codegen.folding import settled_plan
from lutloom.codegen.kernels import KERNELS
from lutloom.codegen.kernels.packed import WIDER_FACTOR, packed_multiplier
from lutloom.codegen.kernels.threshold import DSP_LUTS
from lutloom.codegen.padding import folded_back, laid_out
from lutloom.codegen.streams import processes_of, site_of
from lutloom.codegen.ultra_rams import in_ultra_rams
from lutloom.core.errors import PlanError
from lutloom.core.plan import FifoMemory, Memory, Multiplier

if TYPE_CHECKING:
    from lutloom.boards.device import Device
    from lutloom.codegen.costs.resources import Resources
    from lutloom.codegen.design import Design
    from lutloom.codegen.kernels import Legal, Site
    from lutloom.core.graph import Graph
    from lutloom.core.plan import Folding, Plan


def on_device(graph: Graph, plan: Plan, device: Device) -> Plan:
    """Return ``plan``, legal for the lowered ``graph``, with nothing left open on ``device``.

    What the plan says stays. Raises ``PlanError`` where that needs DSP slices of another type, or
    more UltraRAMs than there are.
    """
    wide, laid = laid_out(graph, plan)
    return folded_back(plan, _on_device(wide, laid, device))


def _on_device(graph: Graph, plan: Plan, device: Device) -> Plan:
    settled = settled_plan(graph, plan)
    sites = {name: site_of(graph, node) for name, node in processes_of(graph).items()}
    taken = 0
    for name, site in sites.items():
        _check_multiplier(name, site, settled.foldings[name], device)
        if settled.foldings[name].memory is Memory.URAM:
            taken += _figures(site, settled.foldings[name], device).uram
            if taken > device.uram:
                legal = [m.value for m in _legal(site, settled.foldings[name]).memory]
                legal.remove(Memory.URAM.value)
                raise PlanError(
                    f"{name}: memory is 'uram', but the device has {device.uram} UltraRAMs:"
                    f" use one of {legal}"
                )
    # What processes lie in, which is chosen yet, has no say in the FIFOs.
    design = design_of(graph, settled, name="plan")
    left = device.uram - taken - _of_named_fifos(design)
    foldings = {}
    for name, site in sites.items():
        folding = settled.foldings[name]
        foldings[name] = decided(site, folding, device, urams=max(left, 0))
        if folding.memory is not foldings[name].memory is Memory.URAM:
            count = _figures(site, foldings[name], device).uram
            left, taken = left - count, taken + count
    return in_ultra_rams(design, replace(settled, foldings=foldings), device.uram, taken)


def decided(site: Site, folding: Folding, device: Device, *, urams: int) -> Folding:
    """Return ``folding`` with its memory and multiplier chosen; ``urams`` are left for it."""
    legal = _legal(site, folding)

    def fits(memory: Memory) -> bool:
        return _figures(site, replace(folding, memory=memory), device).uram <= urams

    memories: tuple[Memory, ...] = (folding.memory,)
    if folding.memory is Memory.AUTO and len(legal.memory) > 1:
        memories = tuple(m for m in legal.memory if m is not Memory.AUTO and fits(m))
    multipliers: tuple[Multiplier, ...] = (folding.multiplier,)
    if folding.multiplier is Multiplier.AUTO and len(legal.multiplier) > 1:
        alone = (Multiplier.FABRIC, Multiplier.DSP)
        multipliers = tuple(m for m in alone if m in legal.multiplier)

    def price(choice: Folding) -> int:
        figures = _figures(site, choice, device)
        brams = figures.bram18 + BRAMS_A_URAM * figures.uram
        return figures.lut + LUTS_A_BRAM * brams + DSP_LUTS * figures.dsp

    choices = [
        replace(folding, memory=memory, multiplier=multiplier)
        for memory in memories
        for multiplier in multipliers
    ]
    return choices[0] if len(choices) == 1 else min(choices, key=price)


def _of_named_fifos(design: Design) -> int:
    """Return how many UltraRAMs the FIFOs take that the plan puts there."""
    fifos = (fifo for unit in design.units for fifo in unit.fifos)
    return sum(ultra_rams(f.bits, f.depth) for f in fifos if f.memory is FifoMemory.URAM)


def _check_multiplier(name: str, site: Site, folding: Folding, device: Device) -> None:
    packed = packed_multiplier(device.dsp_type)
    if WIDER_FACTOR.get(folding.multiplier, 0) <= WIDER_FACTOR[packed]:
        return
    legal = [
        m.value
        for m in _legal(site, folding).multiplier
        if WIDER_FACTOR.get(m, 0) <= WIDER_FACTOR[packed]
    ]
    raise PlanError(
        f"{name}: multiplier is '{folding.multiplier.value}', but a {device.dsp_type.value}"
        f" multiplies {WIDER_FACTOR[packed]} x 18 bits: use one of {legal}"
    )


def _figures(site: Site, folding: Folding, device: Device) -> Resources:
    return process_cost(site, folding, device).resources


def _legal(site: Site, folding: Folding) -> Legal:
    return KERNELS[site.op.name].legal(site, folding)
