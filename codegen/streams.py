"""The streams of a lowered graph: who writes each, who reads it, in words of how many lanes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from lutloom.codegen.kernels import KERNELS, Site
from lutloom.codegen.kernels.convert import Converter, converter
from lutloom.codegen.kernels.kernel import Lanes
from lutloom.core.ops import Reshape

if TYPE_CHECKING:
    from lutloom.core.graph import Graph, Node
    from lutloom.core.plan import Plan
    from lutloom.core.types import TensorType


@dataclass(frozen=True)
class Stream:
    """One value on its way between two processes; ``None`` stands for the graph's border.

    ``value`` is its name and ``tensor`` its type where it is written: reshapes on the way are
    wires. ``source_port`` and ``target_port`` count the writer's results and reader's inputs, or
    those of the graph.
    """

    value: str
    tensor: TensorType
    source: str | None
    source_port: int
    target: str | None
    target_port: int


def site_of(graph: Graph, node: Node) -> Site:
    """Return ``node`` with the types of what it reads and writes."""
    return Site(
        node.op,
        tuple(graph.types[name] for name in node.inputs),
        tuple(graph.types[name] for name in node.results),
    )


def processes_of(graph: Graph) -> dict[str, Node]:
    """Return the processes of ``graph`` by name, in order: all nodes that are no wires."""
    return {node.name: node for node in graph.nodes if not isinstance(node.op, Reshape)}


def streams_of(graph: Graph) -> tuple[Stream, ...]:
    """Return the streams of a lowered ``graph``, in the order in which they are read."""
    origin: dict[str, tuple[str, str | None, int]] = {
        name: (name, None, index) for index, name in enumerate(graph.inputs)
    }
    streams: list[Stream] = []

    def add(name: str, target: str | None, port: int) -> None:
        value, source, source_port = origin[name]
        streams.append(Stream(value, graph.types[value], source, source_port, target, port))

    for node in graph.nodes:
        if isinstance(node.op, Reshape):
            origin[node.name] = origin[node.inputs[0]]
            continue
        for port, name in enumerate(node.inputs):
            add(name, node.name, port)
        origin.update({name: (name, node.name, i) for i, name in enumerate(node.results)})
    for port, name in enumerate(graph.outputs):
        add(name, None, port)
    return tuple(streams)


@dataclass(frozen=True)
class Wiring:
    """The words on every stream of a graph, as its plan folds the processes.

    A plan that adds channels and its graph are laid out before (``padding.laid_out``).
    """

    graph: Graph
    plan: Plan

    def __post_init__(self) -> None:
        if self.plan.channels:
            raise ValueError("a plan that adds channels should be laid out first")

    @cached_property
    def streams(self) -> tuple[Stream, ...]:
        """The streams, in the order in which they are read."""
        return streams_of(self.graph)

    @cached_property
    def processes(self) -> dict[str, Node]:
        """The processes by name, in order."""
        return processes_of(self.graph)

    def written_bits(self, stream: Stream) -> int:
        """Width of the words that the writer of ``stream`` writes, in bits."""
        return self._bits(stream, stream.source, stream.source_port, writes=True)

    def read_bits(self, stream: Stream) -> int:
        """Width of the words that the reader of ``stream`` reads, in bits."""
        return self._bits(stream, stream.target, stream.target_port, writes=False)

    def converter(self, stream: Stream) -> Converter | None:
        """Return the width converter between writer and reader, if one is needed."""
        frame = stream.tensor.size * stream.tensor.element.bits
        return converter(self.written_bits(stream), self.read_bits(stream), frame)

    def _bits(self, stream: Stream, process: str | None, port: int, *, writes: bool) -> int:
        if process is None:
            return self.plan.word_bits
        return self._lanes[process][writes][port] * stream.tensor.element.bits

    @cached_property
    def _lanes(self) -> dict[str, Lanes]:
        """The elements in the words of each process."""
        return {
            name: KERNELS[node.op.name].lanes(site_of(self.graph, node), self.plan.foldings[name])
            for name, node in self.processes.items()
        }
