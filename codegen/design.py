"""The design: units of processes joined by streams, with every name and width decided.

What the templates write down, and nothing they could get wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from lutloom.codegen.folding import DEFAULT_DEPTH, check_plan, fifo_depth
from lutloom.codegen.kernels import KERNELS, Code, Site
from lutloom.codegen.kernels.convert import Converter
from lutloom.codegen.kernels.kernel import code_type
from lutloom.codegen.names import comment, identifier, identifiers
from lutloom.codegen.streams import Stream, Wiring, site_of
from lutloom.codegen.units import MOST_PROCESSES, cut

if TYPE_CHECKING:
    from lutloom.core.graph import Graph
    from lutloom.core.plan import Folding, Plan
    from lutloom.core.types import TensorType


@dataclass(frozen=True)
class Port:
    """A stream argument of a process, and its width in bits."""

    name: str
    bits: int


@dataclass(frozen=True)
class Process:
    """A process: its function, named ``identifier``, and what it is made from."""

    identifier: str
    name: str
    kernel: str
    site: Site
    folding: Folding
    ports: tuple[Port, ...]
    cycles: int

    @cached_property
    def code(self) -> Code:
        """The tables and values that are written down; made when they are first asked for."""
        return KERNELS[self.kernel].code(self.site, self.folding)

    @property
    def note(self) -> str:
        """The model's own name, fit for a comment."""
        return comment(self.name)

    @property
    def in_type(self) -> str:
        """C++ type of the codes of the first input."""
        return code_type(self.site.inputs[0].element)

    @property
    def in_types(self) -> tuple[str, ...]:
        """C++ types of the codes of all inputs."""
        return tuple(code_type(tensor.element) for tensor in self.site.inputs)

    @property
    def out_bits(self) -> int:
        """Bits of a code of the first output."""
        return self.site.outputs[0].element.bits


@dataclass(frozen=True)
class Fifo:
    """A local stream of a unit: ``words`` words a frame, at most ``depth`` at a time.

    ``value`` is what it carries. ``planned_bits`` is the width of the words in which the plan
    counts its depth, those of the value's writer; 0 where the plan says nothing of it.
    """

    identifier: str
    bits: int
    words: int
    depth: int
    value: str
    planned_bits: int

    @property
    def note(self) -> str:
        """The model's own name of the value, fit for a comment."""
        return comment(self.value)

    def planned(self, depth: int) -> int:
        """Return the least depth in the plan with which it holds ``depth`` words."""
        return (depth - 1) * self.bits // self.planned_bits + 1


@dataclass(frozen=True)
class Call:
    """A call in the body of a unit: of a process, or of a converter between ``arguments``."""

    process: Process | None
    converter: Converter | None
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Border:
    """An AXI stream of a unit: ``beats`` transfers a frame, each a word of ``word_bits`` bits
    in ``axis_bits`` bits of data. ``fifo`` is the local stream behind it.
    """

    axis_bits: int
    word_bits: int
    beats: int
    fifo: str


@dataclass(frozen=True)
class Unit:
    """One IP: a top-level function ``top`` with an AXI stream in and one out."""

    top: str
    entry: Border
    exit: Border
    fifos: tuple[Fifo, ...]
    calls: tuple[Call, ...]
    tokens: int

    @property
    def sources(self) -> tuple[str, ...]:
        """What is compiled for the unit, below ``hls/``."""
        return (f"src/{self.top}.cpp",)

    @property
    def processes(self) -> tuple[Process, ...]:
        """The processes, in order."""
        return tuple(call.process for call in self.calls if call.process is not None)

    @property
    def kernels(self) -> tuple[str, ...]:
        """Headers of the library that the unit itself includes."""
        used = {call.converter.kernel for call in self.calls if call.converter is not None}
        return ("axis", *sorted(used))


@dataclass(frozen=True)
class Probe:
    """Where the words of a value pass: a local stream, in words of ``bits`` bits."""

    fifo: str
    value: str
    tensor: TensorType
    bits: int


@dataclass(frozen=True)
class Design:
    """A whole design; ``namespace`` holds everything but the tops."""

    namespace: str
    name: str
    word_bits: int
    input_name: str
    input: TensorType
    output_name: str
    output: TensorType
    units: tuple[Unit, ...]
    probes: tuple[Probe, ...]

    @cached_property
    def largest_word(self) -> int:
        """What ``AP_INT_MAX_W`` should be, the same in all units."""
        widths = [fifo.bits for unit in self.units for fifo in unit.fifos]
        for unit in self.units:
            widths += [unit.entry.axis_bits, unit.exit.axis_bits]
            widths += [process.code.widest for process in unit.processes]
            widths += [c.converter.widest for c in unit.calls if c.converter is not None]
        return max(1024, 1 << (max(widths) - 1).bit_length())


def make_design(graph: Graph, plan: Plan, *, name: str, unit_limit: int = MOST_PROCESSES) -> Design:
    """Return the design of a lowered ``graph`` as ``plan`` folds it.

    ``unit_limit`` is how many processes a unit holds at most.
    Raises ``PlanError`` where the plan does not fit the graph.
    """
    check_plan(graph, plan)
    wiring = Wiring(graph, plan)
    stem = identifier(name)
    # The C library has functions named index, time, read, ...: no namespace can be called so.
    namespace = f"{stem}_design"
    # A function of a process is told from the kernel that it calls by its name.
    names = identifiers(wiring.processes, taken=KERNELS)
    processes = {n: _process(wiring, n, names[n]) for n in wiring.processes}
    groups = cut(graph, unit_limit)
    tops = [f"{stem}_unit{index}" for index in range(len(groups))]
    if len(groups) == 1:
        tops = [f"{stem}_top"]
    units = tuple(
        _unit(wiring, top, group, processes) for top, group in zip(tops, groups, strict=True)
    )
    probes = tuple(
        Probe(_written_fifo(s, processes), s.value, s.tensor, wiring.written_bits(s))
        for s in wiring.streams
        if s.source is not None
    )
    ((input_name, input_type),) = graph.inputs.items()
    (output_name,) = graph.outputs
    return Design(
        namespace=namespace,
        name=name,
        word_bits=plan.word_bits,
        input_name=input_name,
        input=input_type,
        output_name=output_name,
        output=graph.types[output_name],
        units=units,
        probes=probes,
    )


def _process(wiring: Wiring, name: str, identifier: str) -> Process:
    node = wiring.processes[name]
    site, kernel = site_of(wiring.graph, node), KERNELS[node.op.name]
    folding = kernel.settled(site, wiring.plan.foldings[name])
    lanes_in, lanes_out = kernel.lanes(site, folding)
    ins = [n * t.element.bits for n, t in zip(lanes_in, site.inputs, strict=True)]
    outs = [n * t.element.bits for n, t in zip(lanes_out, site.outputs, strict=True)]
    return Process(
        identifier,
        name,
        node.op.name,
        site,
        folding,
        (*_ports("in", ins), *_ports("out", outs)),
        kernel.cycles(site, folding),
    )


def _ports(kind: str, widths: list[int]) -> tuple[Port, ...]:
    if len(widths) == 1:
        return (Port(kind, widths[0]),)
    return tuple(Port(f"{kind}{index}", bits) for index, bits in enumerate(widths))


def _written_fifo(stream: Stream, processes: dict[str, Process]) -> str:
    """Return the name of the local stream that the writer of ``stream`` writes."""
    assert stream.source is not None
    process = processes[stream.source]
    several = len(process.site.outputs) > 1
    return f"{process.identifier}_out{stream.source_port if several else ''}"


def _read_fifo(stream: Stream, processes: dict[str, Process]) -> str:
    """Return the name of the local stream behind the converter of ``stream``."""
    if stream.target is None:
        return "out_words"
    process = processes[stream.target]
    several = len(process.site.inputs) > 1
    return f"{process.identifier}_in{stream.target_port if several else ''}"


def _is_planned_behind(wiring: Wiring, stream: Stream) -> bool:
    """Return whether the depth that the plan gives ``stream`` lies behind its converter.

    It lies where words are wider: a reader that takes a word a cycle for a while doesn't wait for
    a converter then. What leaves the design is never waited for.
    """
    converter = wiring.converter(stream)
    if converter is None or stream.target is None:
        return False
    return converter.out_bits >= converter.in_bits


def _fifo(wiring: Wiring, stream: Stream, name: str, bits: int, *, is_planned: bool) -> Fifo:
    """Return a FIFO of ``stream`` in words of ``bits``, as deep as the plan says if it does."""
    frame = stream.tensor.size * stream.tensor.element.bits
    depth, written = DEFAULT_DEPTH, wiring.written_bits(stream)
    if is_planned:
        wanted = -(-fifo_depth(wiring.plan, stream.value) * written // bits)
        # A converter needs room for two words to go on at full rate.
        depth = wanted if bits == written else max(wanted, DEFAULT_DEPTH)
    return Fifo(name, bits, -(-frame // bits), depth, stream.value, written if is_planned else 0)


def _unit(wiring: Wiring, top: str, group: tuple[str, ...], processes: dict[str, Process]) -> Unit:
    members = set(group)
    fifos: list[Fifo] = []
    calls: list[Call] = []
    read_from: dict[tuple[str, int], str] = {}
    entry: Border | None = None
    exit_: Border | None = None

    def fifo(name: str, stream: Stream, bits: int, *, is_planned: bool) -> str:
        fifos.append(_fifo(wiring, stream, name, bits, is_planned=is_planned))
        return name

    def deliver(stream: Stream, source: str) -> str:
        """Put the converter of ``stream`` behind the local stream ``source``, if it has one."""
        converter = wiring.converter(stream)
        if converter is None:
            return source
        name = _read_fifo(stream, processes)
        is_behind = _is_planned_behind(wiring, stream)
        target = fifo(name, stream, converter.out_bits, is_planned=is_behind)
        calls.append(Call(None, converter, (source, target)))
        return target

    def border(stream: Stream, source: str, bits: int) -> Border:
        frame = stream.tensor.size * stream.tensor.element.bits
        outer = stream.source is None or stream.target is None
        axis_bits = wiring.plan.word_bits if outer else -(-bits // 8) * 8
        return Border(axis_bits, bits, -(-frame // bits), source)

    for stream in wiring.streams:
        if stream.source not in members and stream.target in members:
            bits = wiring.written_bits(stream)
            name = "in_words"
            fifo(name, stream, bits, is_planned=not _is_planned_behind(wiring, stream))
            entry = border(stream, name, bits)
            read_from[stream.target, stream.target_port] = deliver(stream, name)
    by_source = {(s.source, s.source_port): s for s in wiring.streams}
    for name in group:
        process = processes[name]
        ins = [read_from[name, port] for port in range(len(process.site.inputs))]
        outs = []
        leaving: list[tuple[Stream, str]] = []
        for port in range(len(process.site.outputs)):
            stream = by_source[name, port]
            bits = wiring.written_bits(stream)
            written = _written_fifo(stream, processes)
            # Of two units, the reader's has the words that wait.
            is_inner = stream.target is None or stream.target in members
            is_planned = is_inner and not _is_planned_behind(wiring, stream)
            outs.append(fifo(written, stream, bits, is_planned=is_planned))
            leaving.append((stream, written))
        calls.append(Call(process, None, (*ins, *outs)))
        for stream, written in leaving:
            if stream.target in members:
                read_from[stream.target, stream.target_port] = deliver(stream, written)
            elif stream.target is None:
                last = deliver(stream, written)
                exit_ = border(stream, last, wiring.plan.word_bits)
            else:
                exit_ = border(stream, written, wiring.written_bits(stream))
    assert entry is not None
    assert exit_ is not None
    # An image each in every process, and as many as fit into the FIFOs behind them: so that the
    # tokens never are what holds the data up.
    tokens = len(calls) + 2 + sum(-(-fifo.depth // fifo.words) for fifo in fifos)
    return Unit(top, entry, exit_, tuple(fifos), tuple(calls), tokens)
