"""The design's inputs and outputs: an AXI stream each, named after the model's.

The last transfer of an image carries TLAST if the host's own last one did: an output's is that of
the first of the inputs, in their order, that it depends on. Between two units it goes with the
data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lutloom.codegen.names import identifiers

if TYPE_CHECKING:
    from lutloom.core.graph import Graph
    from lutloom.core.types import TensorType


@dataclass(frozen=True)
class DesignPort:
    """An input or output of the design: a value of the graph, which the model calls ``name``.

    ``suffix`` is what its names in C++ end with: nothing where it is the only one. ``lead`` is the
    input whose TLAST it carries.
    """

    value: str
    name: str
    tensor: TensorType
    suffix: str
    lead: str
    is_input: bool

    @property
    def stream(self) -> str:
        """The name of its AXI stream in the design."""
        return f"{'in' if self.is_input else 'out'}{self.suffix}"


@dataclass(frozen=True)
class Border:
    """An AXI stream of a unit, which is its ``argument``: ``beats`` transfers a frame, each a word
    of ``word_bits`` bits in ``axis_bits`` bits of data.

    ``stream`` is its name in the design: a port's, or what joins two units. ``fifo`` is the local
    stream behind it or in front of it; ``tokens`` are those with TLAST of each image, which an
    entry writes, or an exit reads: the only one.
    """

    argument: str
    stream: str
    axis_bits: int
    word_bits: int
    beats: int
    fifo: str
    tokens: tuple[str, ...]


def input_ports(graph: Graph, names: Mapping[str, str]) -> dict[str, DesignPort]:
    """Return the inputs of ``graph`` by value; ``names`` are the model's, where it has others."""
    return _ports(graph, graph.inputs, names, is_input=True)


def output_ports(graph: Graph, names: Mapping[str, str]) -> dict[str, DesignPort]:
    """Return the outputs of ``graph`` by value, named likewise."""
    return _ports(graph, graph.outputs, names, is_input=False)


def leads(graph: Graph) -> dict[str, str]:
    """Return the first input, in their order, that each value of ``graph`` depends on."""
    order = {name: index for index, name in enumerate(graph.inputs)}
    found = {name: name for name in graph.inputs}
    for node in graph.nodes:
        first = min((found[name] for name in node.inputs), key=order.__getitem__)
        found.update(dict.fromkeys(node.results, first))
    return found


def _ports(
    graph: Graph, values: Iterable[str], names: Mapping[str, str], *, is_input: bool
) -> dict[str, DesignPort]:
    shown = {value: names.get(value, value) for value in values}
    made = identifiers(shown.values())
    lead = leads(graph)
    return {
        value: DesignPort(
            value,
            name,
            graph.types[value],
            "" if len(shown) == 1 else f"_{made[name]}",
            lead[value],
            is_input,
        )
        for value, name in shown.items()
    }
