"""From a lowered graph and its plan to a design: which streams and calls each unit has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from lutloom.codegen.design import Call, Design, Fifo, Port, Probe, Process, Unit
from lutloom.codegen.fifo_memory import best_memory
from lutloom.codegen.folding import DEFAULT_DEPTH, check_plan, fifo_depth
from lutloom.codegen.kernels import KERNELS
from lutloom.codegen.names import identifier, identifiers
from lutloom.codegen.padding import laid_out, padded_runs
from lutloom.codegen.ports import Border, DesignPort, input_ports, leads, output_ports
from lutloom.codegen.streams import Stream, Wiring, site_of
from lutloom.codegen.units import MOST_PROCESSES, cut
from lutloom.core.plan import FifoMemory

if TYPE_CHECKING:
    from lutloom.codegen.padded_ops import Runs
    from lutloom.core.graph import Graph
    from lutloom.core.plan import Plan


def make_design(
    graph: Graph,
    plan: Plan,
    *,
    name: str,
    unit_limit: int = MOST_PROCESSES,
    port_names: Mapping[str, str] = MappingProxyType({}),
) -> Design:
    """Return the design of a lowered ``graph`` as ``plan`` folds it.

    Its inputs and outputs are the graph's, without the channels that ``plan`` adds within.
    ``unit_limit`` is how many processes a unit holds at most; ``port_names`` are the model's names
    of the graph's inputs and outputs, where it has others.
    Raises ``PlanError`` where the plan does not fit the graph.
    """
    check_plan(graph, plan)
    return design_of(graph, plan, name=name, unit_limit=unit_limit, port_names=port_names)


def design_of(
    graph: Graph,
    plan: Plan,
    *,
    name: str,
    unit_limit: int = MOST_PROCESSES,
    port_names: Mapping[str, str] = MappingProxyType({}),
) -> Design:
    """Return what ``make_design`` does of a ``plan`` that is known to fit the ``graph``."""
    wiring = Wiring(*laid_out(graph, plan))
    stem = identifier(name)
    # The C library has functions named index, time, read, ...: no namespace can be called so.
    namespace = f"{stem}_design"
    # A function of a process is told from the kernel that it calls by its name.
    names = identifiers(wiring.processes, taken=KERNELS)
    processes = {n: _process(wiring, n, names[n]) for n in wiring.processes}
    groups = cut(wiring.graph, unit_limit)
    tops = [f"{stem}_unit{index}" for index in range(len(groups))]
    if len(groups) == 1:
        tops = [f"{stem}_top"]
    outside = _Outside(
        wiring,
        processes,
        input_ports(graph, port_names),
        output_ports(graph, port_names),
        leads(graph),
        _between(wiring, groups),
    )
    return Design(
        namespace=namespace,
        name=name,
        word_bits=plan.word_bits,
        inputs=tuple(outside.inputs.values()),
        outputs=tuple(outside.outputs.values()),
        units=tuple(_unit(top, group, outside) for top, group in zip(tops, groups, strict=True)),
        probes=tuple(_probes(wiring, processes, padded_runs(graph, plan))),
    )


def _between(wiring: Wiring, groups: Sequence[tuple[str, ...]]) -> Mapping[str, str]:
    """Return the names of the streams that join units, by the value that they carry."""
    unit_of = {member: index for index, group in enumerate(groups) for member in group}
    values = (
        stream.value
        for stream in wiring.streams
        if stream.source is not None
        and stream.target is not None
        and unit_of[stream.source] != unit_of[stream.target]
    )
    return {value: f"between{index}" for index, value in enumerate(values)}


def _probes(
    wiring: Wiring, processes: Mapping[str, Process], runs: Mapping[str, Runs]
) -> Iterator[Probe]:
    for stream in wiring.streams:
        if stream.source is not None:
            fifo, value = _written_fifo(stream, processes), stream.value
            yield Probe(fifo, value, stream.tensor, wiring.written_bits(stream), runs.get(value))


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


def _written_fifo(stream: Stream, processes: Mapping[str, Process]) -> str:
    """Return the name of the local stream that the writer of ``stream`` writes."""
    assert stream.source is not None
    process = processes[stream.source]
    several = len(process.site.outputs) > 1
    return f"{process.identifier}_out{stream.source_port if several else ''}"


def _read_fifo(stream: Stream, processes: Mapping[str, Process]) -> str:
    """Return the name of the local stream behind the converter of ``stream``."""
    assert stream.target is not None
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
    memory = wiring.plan.fifo_memories.get(stream.value, FifoMemory.AUTO)
    if not is_planned:
        return Fifo(name, bits, -(-frame // bits), depth, stream.value, 0)
    if memory is FifoMemory.AUTO and depth > DEFAULT_DEPTH:
        memory = best_memory(bits, depth)
    return Fifo(name, bits, -(-frame // bits), depth, stream.value, written, memory)


@dataclass(frozen=True)
class _Outside:
    """What a unit needs to know of the design around it.

    The design's inputs and outputs by value, the first input that each value depends on, and the
    names of the streams that join units, by value.
    """

    wiring: Wiring
    processes: Mapping[str, Process]
    inputs: Mapping[str, DesignPort]
    outputs: Mapping[str, DesignPort]
    leads: Mapping[str, str]
    between: Mapping[str, str]

    def output(self, stream: Stream) -> DesignPort:
        """Return the output of the design that ``stream`` leads to."""
        return self.outputs[self.wiring.graph.outputs[stream.target_port]]

    def token(self, stream: Stream) -> str:
        """Return the local stream of TLAST for the exit of ``stream``, which leaves a unit."""
        suffix = "" if stream.target is not None else self.output(stream).suffix
        return f"{suffix[1:]}_last" if suffix else "last"

    def ordered(self, borders: Sequence[Border]) -> tuple[Border, ...]:
        """Return ``borders`` with the design's own ones at the end, in their order."""
        outer = [port.stream for port in (*self.inputs.values(), *self.outputs.values())]
        names = [*self.between.values(), *outer]
        return tuple(sorted(borders, key=lambda border: names.index(border.stream)))

    def lead(self, stream: Stream) -> str:
        """Return the input whose TLAST goes with ``stream``."""
        return self.leads[stream.value]


@dataclass(eq=False)
class _Body:
    """A unit while it is put together, process by process."""

    outside: _Outside
    members: frozenset[str]
    fifos: list[Fifo] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    entries: list[Border] = field(default_factory=list)
    exits: list[Border] = field(default_factory=list)
    read_from: dict[tuple[str, int], str] = field(default_factory=dict)

    def enter(self, stream: Stream) -> None:
        """Read what another unit writes, or an input of the design."""
        outside, wiring = self.outside, self.outside.wiring
        suffix = outside.inputs[stream.value].suffix if stream.source is None else ""
        bits, words = wiring.written_bits(stream), f"in{suffix}_words"
        self._fifo(stream, words, bits, is_planned=not _is_planned_behind(wiring, stream))
        leaving = (s for s in wiring.streams if s.source in self.members)
        tokens = tuple(
            outside.token(s)
            for s in leaving
            if s.target not in self.members and outside.lead(s) == outside.lead(stream)
        )
        self.entries.append(self._border(stream, bits, words, tokens, is_entry=True))
        self._deliver(stream, words)

    def add(self, process: Process, written: Sequence[Stream]) -> None:
        """Call ``process``, which writes the streams ``written``."""
        wiring = self.outside.wiring
        ins = [self.read_from[process.name, port] for port in range(len(process.site.inputs))]
        outs = []
        for stream in written:
            # Of two units, the reader's has the words that wait.
            is_inner = stream.target is None or stream.target in self.members
            is_planned = is_inner and not _is_planned_behind(wiring, stream)
            name = _written_fifo(stream, self.outside.processes)
            bits = wiring.written_bits(stream)
            outs.append(self._fifo(stream, name, bits, is_planned=is_planned))
        self.calls.append(Call(process, None, (*ins, *outs)))
        for stream, fifo in zip(written, outs, strict=True):
            if stream.target in self.members:
                self._deliver(stream, fifo)
            else:
                self._leave(stream, fifo)

    def _leave(self, stream: Stream, fifo: str) -> None:
        """Write what another unit reads, or an output of the design."""
        outside, bits = self.outside, self.outside.wiring.written_bits(stream)
        if stream.target is None:
            bits = outside.wiring.plan.word_bits
            fifo = self._converted(stream, fifo, f"out{outside.output(stream).suffix}_words")
        tokens = (outside.token(stream),)
        self.exits.append(self._border(stream, bits, fifo, tokens, is_entry=False))

    def _deliver(self, stream: Stream, fifo: str) -> None:
        """Give ``stream``, whose words come from ``fifo``, to its reader."""
        assert stream.target is not None
        name = _read_fifo(stream, self.outside.processes)
        self.read_from[stream.target, stream.target_port] = self._converted(stream, fifo, name)

    def _converted(self, stream: Stream, fifo: str, name: str) -> str:
        """Put the converter of ``stream`` between ``fifo`` and ``name``, if it has one.

        Return the FIFO in front of the reader.
        """
        converter = self.outside.wiring.converter(stream)
        if converter is None:
            return fifo
        is_behind = _is_planned_behind(self.outside.wiring, stream)
        self._fifo(stream, name, converter.out_bits, is_planned=is_behind)
        self.calls.append(Call(None, converter, (fifo, name)))
        return name

    def _fifo(self, stream: Stream, name: str, bits: int, *, is_planned: bool) -> str:
        self.fifos.append(_fifo(self.outside.wiring, stream, name, bits, is_planned=is_planned))
        return name

    def _border(
        self, stream: Stream, bits: int, fifo: str, tokens: tuple[str, ...], *, is_entry: bool
    ) -> Border:
        """Return what ``stream`` is outside, its words of ``bits`` from or to ``fifo``."""
        outside = self.outside
        frame = stream.tensor.size * stream.tensor.element.bits
        suffix, name, axis_bits = "", outside.between.get(stream.value), -(-bits // 8) * 8
        if name is None:
            port = outside.inputs[stream.value] if is_entry else outside.output(stream)
            suffix, name, axis_bits = port.suffix, port.stream, outside.wiring.plan.word_bits
        argument = f"{'s' if is_entry else 'm'}_axis{suffix}"
        return Border(argument, name, axis_bits, bits, -(-frame // bits), fifo, tokens)


def _unit(top: str, group: tuple[str, ...], outside: _Outside) -> Unit:
    body = _Body(outside, frozenset(group))
    streams = outside.wiring.streams
    for stream in streams:
        if stream.source not in body.members and stream.target in body.members:
            body.enter(stream)
    by_source = {(s.source, s.source_port): s for s in streams}
    for name in group:
        process = outside.processes[name]
        ports = range(len(process.site.outputs))
        body.add(process, [by_source[name, port] for port in ports])
    # An image each in every process, and as many as fit into the FIFOs behind them: so that the
    # tokens never are what holds the data up.
    token_depth = len(body.calls) + 2 + sum(-(-fifo.depth // fifo.words) for fifo in body.fifos)
    return Unit(
        top,
        outside.ordered(body.entries),
        outside.ordered(body.exits),
        tuple(body.fifos),
        tuple(body.calls),
        token_depth,
    )
