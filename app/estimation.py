"""What a build is estimated to do and to take before any tool has seen it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from lutloom.core.errors import LutloomWarning
from lutloom.fifo_table import fifo_rows

if TYPE_CHECKING:
    from lutloom.boards import Board
    from lutloom.build import Build
    from lutloom.codegen.costs.design import DesignCost, Item, Kind
    from lutloom.codegen.costs.resources import Confidence, Cost
    from lutloom.codegen.design import Design
    from lutloom.codegen.planning.budget import Budget
    from lutloom.core.graph import Graph
    from lutloom.fifo_table import FifoRow

RESOURCES = {
    "lut": "look-up tables",
    "ff": "flip-flops",
    "bram18": "block RAMs of 18 Kbit",
    "uram": "UltraRAMs",
    "dsp": "DSP slices",
}
"""What people call the resources, by the names of the fields of ``Resources``."""


@dataclass(frozen=True)
class Usage:
    """How many of a resource are taken, of how many there are; and how that is known.

    ``needed`` is the design and the ``shell`` around it.
    """

    resource: str
    needed: int
    shell: int
    there: int
    confidence: Confidence

    @property
    def title(self) -> str:
        """What people call it."""
        return RESOURCES[self.resource]

    @property
    def share(self) -> Fraction:
        """What is taken as a share of what there is; of nothing, the number itself."""
        return Fraction(self.needed, max(self.there, 1))


@dataclass(frozen=True)
class Estimate:
    """What ``cost`` says of a design on ``board`` at ``clock_mhz``; nothing of it is measured.

    ``word_bits`` is the width of its streams from and to the host, ``shell`` what surrounds it.
    The one of these with most transfers an image is ``port``, and takes ``beats``. With pipelines
    that fill anew for each image, on the safe side, one comes every ``pessimistic`` cycles.
    """

    board: Board
    clock_mhz: float
    word_bits: int
    cost: DesignCost
    shell: Cost
    port: str
    beats: int
    pessimistic: int
    fifos: tuple[FifoRow, ...]

    @property
    def processes(self) -> dict[str, Item]:
        """Each process by its name: what it takes, and its cycles."""
        from lutloom.codegen.costs.design import Kind

        return {item.name: item for item in self.cost.of(Kind.PROCESS)}

    @property
    def usages(self) -> tuple[Usage, ...]:
        """What is taken of each resource."""
        return usages_of(self.cost.total, self.shell, self.board)

    @property
    def fps(self) -> float:
        """The most images a second that the slowest loop allows."""
        return self.rate(self.cost.slowest.cycles)

    def rate(self, cycles: int) -> float:
        """Return the images a second at one every so many clock cycles."""
        return self.clock_mhz * 1e6 / cycles

    @property
    def bottleneck(self) -> str:
        """What is slowest, in words."""
        return _described(self.cost.slowest.kind, self.cost.slowest.name)


def estimate_of(build: Build) -> Estimate:
    """Return what ``build`` is estimated to take of its board, and how fast it is."""
    from lutloom.codegen.assembly import make_design
    from lutloom.codegen.costs.design import design_cost

    names = build.port_names
    design = make_design(build.processes, build.plan, name=build.name, port_names=names)
    outer = [border for border in design.borders.values() if border not in design.between]
    busiest = max(outer, key=lambda border: border.beats)
    return Estimate(
        build.board,
        build.clock_mhz,
        build.plan.word_bits,
        design_cost(design, build.board.device),
        shell_of(build.processes, build.board, build.plan.word_bits),
        busiest.argument,
        busiest.beats,
        _pessimistic(design),
        fifo_rows(design),
    )


def _pessimistic(design: Design) -> int:
    """Return the cycles between images of the slowest loop, its pipeline and restart with them."""
    from lutloom.codegen.timing import PIPELINE_DEPTH, RESTART_GAP

    loops = []
    for unit in design.units:
        for call in unit.calls:
            if call.process is not None:
                loops.append((call.process.kernel, call.process.cycles))
            if call.converter is not None:
                loops.append((call.converter.kernel, call.converter.cycles))
        loops += [("read_axis", border.beats) for border in unit.entries]
        loops += [("write_axis", border.beats) for border in unit.exits]
    return max(cycles + PIPELINE_DEPTH[kernel] for kernel, cycles in loops) + RESTART_GAP


def shell_of(processes: Graph, board: Board, word_bits: int) -> Cost:
    """Return what surrounds a design of ``processes`` with streams of ``word_bits`` bits."""
    from lutloom.codegen.costs.shell import shell_cost

    return shell_cost(board, len(processes.inputs) + len(processes.outputs), word_bits)


def warn_if_too_large(estimate: Estimate, budget: Budget) -> None:
    """Warn, with the numbers, if the design takes more than ``budget`` allows."""
    resource = budget.exceeded(estimate.cost.total.resources)
    if resource is None:
        return
    usage = next(usage for usage in estimate.usages if usage.resource == resource)
    limit = budget.limits.named()[resource]
    warnings.warn(
        f"the plan does not fit on {estimate.board.name}: it takes {usage.needed:,} {usage.title},"
        f" and may take {limit:,} of {usage.there:,}; --target-fps and --fastest look for a plan"
        " that fits",
        LutloomWarning,
        stacklevel=3,
    )


def usages_of(design: Cost, shell: Cost, board: Board) -> tuple[Usage, ...]:
    """Return what a design and its shell are of each resource of ``board``."""
    taken = design + shell
    return tuple(
        Usage(
            name,
            getattr(taken.resources, name),
            getattr(shell.resources, name),
            getattr(board.device, name),
            getattr(taken.confidences, name),
        )
        for name in RESOURCES
    )


def _described(kind: Kind, name: str) -> str:
    from lutloom.codegen.costs.design import Kind

    match kind:
        case Kind.PROCESS:
            return name
        case Kind.PORT:
            return f"the stream {name}"
        case Kind.CONVERTER:
            return f"the converter in front of {name}"
        case Kind.FIFO:
            return f"the FIFO {name}"
