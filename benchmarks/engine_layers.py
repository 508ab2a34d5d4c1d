"""What the engine's tiers make of the machine's peak, in the two largest layers of a network.

A program is planned with one tier for all products; the step of a layer is then run by itself,
again and again, for blocks of images as large as in the program, in the same layouts and by as many
threads. Its multiplications a second are held against the peak of the instruction that the tier
lives on, measured in the same rounds; of both it is the best window that counts, the one in which
nobody else was there. What an instruction counts for:

    planes   a full adder is two ternary logic operations on 512 sums of one bit: 256 products each
    bits     the population count of a register of products of one bit, 512 or fewer
    dot      64 products of bytes, or 32 where registers have 256 bits

A product with a zero weight counts, though planes don't compute it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks.engine_report import Grid
from lutloom.core.ops import Conv, Linear, MatVec
from lutloom.sim.engine.executable import Executable, make_executable
from lutloom.sim.engine.instruction_set import InstructionSet, available
from lutloom.sim.engine.kernels import LOWERINGS
from lutloom.sim.engine.kernels.bits import lower_bits
from lutloom.sim.engine.kernels.dot import lower_dot
from lutloom.sim.engine.kernels.planes import lower_planes
from lutloom.sim.engine.kernels.wide import lower_wide
from lutloom.sim.engine.library import load_kernels
from lutloom.sim.engine.planner import plan_in_planes, plan_program
from lutloom.sim.engine.products import products_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.engine_rounds import Found
    from benchmarks.peers.case import Case
    from lutloom.core.graph import Graph, Node
    from lutloom.sim.engine.planner import Planner
    from lutloom.sim.engine.products import Products
    from lutloom.sim.engine.program import Program

    Tier = Callable[[Planner, Products], bool]

_LAYERS = 2
_IMAGES = 16
_PRODUCTS = (Conv, Linear, MatVec)
_TIERS: Mapping[str, Tier] = {"planes": lower_planes, "bits": lower_bits, "dot": lower_dot}
_KERNELS = {"planes": "plane_stairs", "bits": "bits", "dot": "dot"}
_WIDE = {InstructionSet.AVX512, InstructionSet.VNNI, InstructionSet.POPCOUNT}


@dataclass(frozen=True, eq=False)
class Part:
    """The step of a layer: its kernel, and its products an image; ``each`` is an instruction's."""

    layer: str
    tier: str
    step: Executable
    images: int
    products: int
    instruction: str
    each: int

    def rate(self, threads: int, seconds: float) -> float:
        """Return products a second, in a window of that length."""
        calls, started = 0, time.perf_counter()
        while calls == 0 or time.perf_counter() - started < seconds:
            self.step.run([], self.images, threads)
            calls += 1
        return calls * self.images * self.products / (time.perf_counter() - started)


@dataclass(frozen=True, eq=False)
class Layers:
    """The parts that are measured of a network."""

    parts: Sequence[Part]
    threads: int

    @classmethod
    def of(cls, case: Case, threads: int) -> Layers:
        """Return the two largest layers of ``case``, in each tier that computes them."""
        graph, instructions = case.network().graph, available()[-1]
        parts = [part for tier in _TIERS for part in _parts(graph, instructions, tier, threads)]
        return cls(parts, threads)

    def measure(self, seconds: float) -> Mapping[str, float]:
        """Return products a second of each part, by its tier and layer."""
        return {
            f"{part.tier} {part.layer}": part.rate(self.threads, seconds / 2) for part in self.parts
        }


def _parts(graph: Graph, instructions: InstructionSet, tier: str, threads: int) -> list[Part]:
    program, made = _planned(graph, instructions, tier)
    if program is None:
        return []
    library = load_kernels(instructions)
    instruction, each = _instruction(tier, instructions)
    largest = sorted(made, key=lambda entry: -entry[1])[:_LAYERS]
    return [
        Part(
            name,
            tier,
            make_executable(
                replace(program, steps=(program.steps[step],), inputs=(), outputs=()), library
            ),
            program.block * threads,
            products,
            instruction,
            each,
        )
        for name, products, step in largest
        if step >= 0
    ]


def _planned(
    graph: Graph, instructions: InstructionSet, tier: str
) -> tuple[Program | None, list[tuple[str, int, int]]]:
    """Return a program with one tier; of each layer its name, its products, and its step or -1."""
    made: list[tuple[str, int, int]] = []

    def lower(planner: Planner, node: Node) -> None:
        products = products_of(planner, node)
        count = products.pixels * products.outputs * products.fan_in
        planner.products += count
        if _TIERS[tier](planner, products):
            # The sums come last, unless what is made of them in a step of its own does.
            own = [n for n, step in enumerate(planner.steps) if step.kernel == _KERNELS[tier]]
            made.append((node.name, count, own[-1] if own else -1))
        else:
            lower_wide(planner, products)
            made.append((node.name, count, -1))

    lowerings = {**LOWERINGS, **{kind.name: lower for kind in _PRODUCTS}}
    if tier == "planes":
        return plan_in_planes(graph, instructions, lowerings), made
    return plan_program(graph, instructions, lowerings, images=_IMAGES), made


def _instruction(tier: str, instructions: InstructionSet) -> tuple[str, int]:
    """Return the instruction that a tier lives on, and the products that one counts for."""
    if tier == "planes":
        return ("vpternlogd zmm", 256) if instructions in _WIDE else ("vpxor ymm", 51)
    if tier == "dot":
        if instructions in _WIDE - {InstructionSet.AVX512}:
            return "vpdpbusd zmm", 64
        return ("vpmaddubsw zmm", 64) if instructions in _WIDE else ("vpmaddubsw ymm", 32)
    if instructions is InstructionSet.POPCOUNT:
        return "vpopcntq zmm", 512
    return ("vpshufb zmm", 256) if instructions in _WIDE else ("vpshufb ymm", 128)


def shares(found: Found, layers: Layers) -> Grid:
    """Return what the parts made of the peak, each in its best window."""
    rows = []
    for part in layers.parts:
        rate = max(entry[f"{part.tier} {part.layer}"] for entry in found.layers)
        most = part.each * max(peak[part.instruction] for peak in found.peaks)
        row = (part.layer, part.tier, part.instruction, f"{rate / 1e9:,.0f}", f"{most / 1e9:,.0f}")
        rows.append((*row, f"{rate / most:.2f}"))
    return Grid(
        f"{found.case.name}, the two largest layers, 10^9 products a second in the best windows",
        ("layer", "tier", "instruction", "products", "peak", "share"),
        tuple(rows),
        texts=3,
    )
