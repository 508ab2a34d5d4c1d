"""What a report says of a build: gathered from the build, made into pages and JSON elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from lutloom.reporting.evidence import Evidence, read_evidence
from lutloom.reporting.memories import MemoryFacts, memories_of
from lutloom.reporting.rooflines import Roofline

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lutloom.added_channels import AddedChannels
    from lutloom.build import Build
    from lutloom.codegen.costs import Cost
    from lutloom.codegen.costs.design import DesignCost, Kind, Slowest
    from lutloom.codegen.design import Design, Fifo
    from lutloom.codegen.kernels import Site
    from lutloom.codegen.streams import Stream, Wiring
    from lutloom.core.plan import Folding
    from lutloom.core.types import TensorType
    from lutloom.fifo_table import FifoRow
    from lutloom.joins import Join
    from lutloom.verification import Verification


@dataclass(frozen=True)
class ProcessFacts:
    """A process of ``unit``: its shapes, its folding, its cycles an image, and what it takes.

    ``macs`` is how many multiply-accumulates an image takes, ``lanes`` how much works in a cycle.
    """

    name: str
    identifier: str
    unit: str
    kernel: str
    inputs: tuple[TensorType, ...]
    outputs: tuple[TensorType, ...]
    folding: Folding
    cycles: int
    macs: int
    lanes: int
    cost: Cost

    @property
    def form(self) -> str:
        """What the folding chooses beside its lanes: memory, multiplier and comparison."""
        folding = self.folding
        chosen = (folding.memory.value, folding.multiplier.value, folding.comparison.value)
        return ", ".join(word for word in chosen if word != "auto")


@dataclass(frozen=True)
class StreamFacts:
    """A stream from the process ``source`` to ``target``; None is the host, of a port's number.

    ``depth`` is that of its FIFO, in words of ``fifo_bits`` bits in ``memory``; ``converter`` is
    the kind of what stands between words of different widths, "" for none.
    """

    value: str
    tensor: TensorType
    source: str | None
    source_port: int
    target: str | None
    target_port: int
    written_bits: int
    read_bits: int
    converter: str
    depth: int
    fifo_bits: int
    memory: str
    is_deep: bool
    """Whether its FIFO is deeper than what tools default to."""


@dataclass(frozen=True)
class Facts:
    """Everything that a report says.

    ``cost`` is that of the design, ``shell`` that of what surrounds it on the board.
    ``weight_bits`` are those of the weights alone, as the integer graph has them.
    """

    build: Build
    directory: Path
    design: Design
    processes: tuple[ProcessFacts, ...]
    streams: tuple[StreamFacts, ...]
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    cost: DesignCost
    shell: Cost
    joins: tuple[Join, ...]
    channels: tuple[AddedChannels, ...]
    fifos: tuple[FifoRow, ...]
    memories: tuple[MemoryFacts, ...]
    weight_bits: int
    verification: Verification | None
    evidence: Evidence

    @cached_property
    def slowest(self) -> Slowest:
        """What takes most cycles an image, by its loop: images can't come faster."""
        return self.cost.slowest

    @property
    def slowest_process(self) -> str | None:
        """The name of the slowest, if that is a process, and no converter or port."""
        from lutloom.codegen.costs.design import Kind

        return self.slowest.name if self.slowest.kind is Kind.PROCESS else None

    @property
    def takes_several_pixels(self) -> bool:
        """Whether some process takes several pixels in a cycle."""
        return any(process.folding.pixels > 1 for process in self.processes)

    @property
    def images_per_second(self) -> float:
        """How many images a second the loops allow."""
        return self.build.clock_mhz * 1e6 / self.slowest.cycles

    @property
    def others(self) -> tuple[tuple[Kind, Cost], ...]:
        """What all converters, FIFOs and ports take, each kind together."""
        from lutloom.codegen.costs.design import Kind

        kinds = (kind for kind in Kind if kind is not Kind.PROCESS)
        return tuple((kind, self.cost.sum(kind)) for kind in kinds)

    @property
    def macs(self) -> int:
        """Multiply-accumulates an image."""
        return sum(process.macs for process in self.processes)

    @property
    def taken(self) -> Cost:
        """What the design and its shell take together."""
        return self.cost.total + self.shell

    @property
    def utilisation(self) -> tuple[tuple[str, int, int], ...]:
        """What is used of each resource, and what there is: ``name, used, there``."""
        used, there = self.taken.resources.named(), self.build.board.device
        return tuple((name, number, getattr(there, name)) for name, number in used.items())

    @property
    def fullest(self) -> tuple[str, int, int]:
        """The resource of which most is used, as in ``utilisation``; one that lacks before all."""
        return max(self.utilisation, key=lambda entry: _part(entry[1], entry[2]))

    @property
    def roofline(self) -> Roofline | None:
        """The roofline; None for a design without products."""
        return _roofline(self)


def facts_of(build: Build, directory: Path | None = None) -> Facts:
    """Return what is to be said of ``build``, whose files are in ``directory``, its own by default.

    Raises a ``LutloomError`` for evidence or a verification that can't be read.
    """
    from lutloom.added_channels import added_channels
    from lutloom.codegen.assembly import make_design
    from lutloom.codegen.costs.design import design_cost
    from lutloom.codegen.padding import laid_out
    from lutloom.codegen.streams import Wiring
    from lutloom.estimation import shell_of
    from lutloom.fifo_table import fifo_rows
    from lutloom.inspection import layers_of
    from lutloom.joins import joins_of
    from lutloom.verification_report import read_report

    where = build.directory if directory is None else directory
    design = make_design(build.processes, build.plan, name=build.name, port_names=build.port_names)
    cost = design_cost(design, build.board.device)
    fifos = {f.value: f for unit in design.units for f in unit.fifos if f.planned_bits}
    wiring = Wiring(*laid_out(build.processes, build.plan))
    layers = layers_of(build.network.graph)
    return Facts(
        build,
        where,
        design,
        _processes(build, design, cost.processes),
        tuple(_stream(wiring, stream, fifos) for stream in wiring.streams),
        tuple(port.name for port in design.inputs),
        tuple(port.name for port in design.outputs),
        cost,
        shell_of(build.processes, build.board, build.plan.word_bits),
        joins_of(build.network, build.plan),
        added_channels(build),
        fifo_rows(design),
        memories_of(design, build.board.device),
        sum(layer.weights * layer.weight_bits for layer in layers),
        read_report(where),
        read_evidence(where),
    )


def _processes(build: Build, design: Design, costs: Mapping[str, Cost]) -> tuple[ProcessFacts, ...]:
    from lutloom.codegen.streams import processes_of, site_of

    # What is multiplied for the model, without the channels that the plan adds.
    macs = {n: _macs(site_of(build.processes, p)) for n, p in processes_of(build.processes).items()}
    return tuple(
        ProcessFacts(
            process.name,
            process.identifier,
            unit.top,
            process.kernel,
            process.site.inputs,
            process.site.outputs,
            process.folding,
            process.cycles,
            macs[process.name],
            process.folding.pe * process.folding.simd * process.folding.pixels,
            costs[process.name],
        )
        for unit in design.units
        for process in unit.processes
    )


def _macs(site: Site) -> int:
    """Return the multiply-accumulates of an image, taps on padding included, as is usual."""
    from lutloom.core.ops import Depthwise, MatMul, MatVec

    output = site.outputs[0]
    match site.op:
        case MatVec(matrix=weights) | Depthwise(weights=weights):
            return int(weights.data.size) * (output.size // output.channels)
        case MatMul():
            return output.size * site.inputs[0].channels
        case _:
            return 0


def _stream(wiring: Wiring, stream: Stream, fifos: Mapping[str, Fifo]) -> StreamFacts:
    from lutloom.codegen.fifos import DEFAULT_DEPTH

    converter, fifo = wiring.converter(stream), fifos[stream.value]
    return StreamFacts(
        stream.value,
        stream.tensor,
        stream.source,
        stream.source_port,
        stream.target,
        stream.target_port,
        wiring.written_bits(stream),
        wiring.read_bits(stream),
        "" if converter is None else converter.kernel,
        fifo.depth,
        fifo.bits,
        fifo.memory.value,
        fifo.depth > DEFAULT_DEPTH,
    )


def _part(used: int, there: int) -> float:
    if there:
        return used / there
    return float("inf") if used else 0.0


def _roofline(facts: Facts) -> Roofline | None:
    if not facts.macs:
        return None
    borders = {
        name: border.beats * border.axis_bits // 8
        for name, border in facts.design.borders.items()
        if name in {port.stream for port in (*facts.design.inputs, *facts.design.outputs)}
    }
    stream = max(borders, key=borders.__getitem__)
    ports = facts.build.board.memory_ports
    return Roofline(
        2 * facts.macs,
        2 * sum(process.lanes for process in facts.processes if process.macs),
        stream,
        borders[stream],
        facts.design.borders[stream].axis_bits // 8,
        ports[0].width // 8 if ports else 0,
        facts.images_per_second,
        facts.build.clock_mhz,
        _device_share(facts),
    )


def _device_share(facts: Facts) -> float | None:
    """Return how much the design takes of what the shell leaves, of the scarcest resource."""
    device, shell = facts.build.board.device, facts.shell.resources.named()
    design = facts.cost.total.resources.named()
    left = {name: getattr(device, name) - shell[name] for name in design}
    taken = [name for name, number in design.items() if number]
    if any(left[name] <= 0 for name in taken):
        return None
    return max((design[name] / left[name] for name in taken), default=None)
