"""Channels that can only be added together: those of all values between two products.

    y[..., c] = f(x[..., c])        y has as many channels as x, and so has what is added to y

A *group* are values joined by such operators. Its values hold runs of as many elements, one behind
the other: a pixel, a tap of a window, a pixel of an image that was flattened. Products end a group:
their rows are the channels of one, their columns those of another. What tells channels apart by
their number keeps a group as it is: an operator that moves them, chooses among them, or takes parts
of them; and a port whose images would be other ones for the host.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lutloom.core.ops import (
    Add,
    BorderThreshold,
    Concat,
    Depthwise,
    Duplicate,
    Lookup,
    MatVec,
    MaxPool,
    Multiply,
    Permute,
    Requantize,
    Reshape,
    Split,
    SumPool,
    Threshold,
    Upsample,
    Window,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lutloom.core.graph import Graph, Node
    from lutloom.core.types import TensorType


@dataclass(frozen=True)
class ChannelGroup:
    """Values, in order, that have the same ``channels`` in each of their runs.

    ``obstacle`` says why there can't be more of them, if so: the end of a sentence.
    """

    channels: int
    values: tuple[str, ...]
    obstacle: str | None

    @property
    def name(self) -> str:
        """What a plan calls it: the first of its values."""
        return self.values[0]


def channel_groups(graph: Graph) -> dict[str, ChannelGroup]:
    """Return the groups of the lowered ``graph`` by name; every value is in one."""
    making = _Making(graph)
    for name, tensor in graph.inputs.items():
        making.begin(name, tensor.channels)
        making.check_port(name, tensor, "an input")
        element = tensor.element
        if not element.is_offset_coded and 0 not in element:
            making.block([name], f"0, which the host fills up with, is not among its {element}")
    for node in graph.nodes:
        making.add(node)
    for name in graph.outputs:
        making.check_port(name, graph.types[name], "an output")
    for name in sorted(zeroed_values(graph)):
        element = graph.types[name].element
        if element.is_offset_coded or 0 not in element:
            making.block([name], f"0, which fills up an output, is not among its {element}")
    return making.groups()


def zeroed_values(graph: Graph) -> frozenset[str]:
    """Return the values whose added channels have to be zeros, so that an output's are.

    Where an operator can make zeros of anything, nothing is asked of what it reads.
    """
    found = set(graph.outputs)
    for node in reversed(graph.nodes):
        if found.isdisjoint(node.results):
            continue
        if not isinstance(
            node.op,
            MatVec | Depthwise | Threshold | BorderThreshold | Requantize | Add | Lookup,
        ):
            found.update(node.inputs)
    return frozenset(found)


@dataclass(eq=False)
class _Making:
    """Groups in the making: each value's representative, and of these the runs and obstacles."""

    graph: Graph
    heads: dict[str, str] = field(default_factory=dict)
    runs: dict[str, int] = field(default_factory=dict)
    obstacles: dict[str, str] = field(default_factory=dict)

    def begin(self, name: str, channels: int) -> None:
        """Begin a group with the value ``name``."""
        self.heads[name] = name
        self.runs[name] = channels

    def head(self, name: str) -> str:
        """Return the value that stands for the group of ``name``."""
        while self.heads[name] != name:
            name = self.heads[name]
        return name

    def block(self, names: Iterable[str], obstacle: str) -> None:
        """Say why the groups of ``names`` stay as they are, unless that is known."""
        for name in names:
            self.obstacles.setdefault(self.head(name), obstacle)

    def join(self, names: Iterable[str]) -> None:
        """Make one group of those of ``names``."""
        first, *others = dict.fromkeys(map(self.head, names))
        for other in others:
            if self.runs[other] != self.runs[first]:
                lengths = sorted({self.runs[other], self.runs[first]})
                self.block([first, other], f"they meet in runs of {lengths} channels")
            self.heads[other] = first
            if other in self.obstacles:
                self.obstacles.setdefault(first, self.obstacles[other])

    def check_port(self, name: str, tensor: TensorType, what: str) -> None:
        """Block the group of ``tensor``, ``what`` of the design, unless it is one run."""
        if tensor.shape and tensor.size == self.runs[self.head(name)]:
            return
        shape = list(tensor.shape)
        self.block([name], f"{name} is {what} of {shape}, which the host has pixel by pixel")

    def add(self, node: Node) -> None:
        """Add the results of ``node``."""
        if self._is_product(node):
            for name in node.results:
                self.begin(name, self.graph.types[name].channels)
            if isinstance(node.op, Lookup):
                self._block_ends(node, node.inputs)
            return
        if not self._is_by_channel(node):
            for name in node.results:
                self.begin(name, self.graph.types[name].channels)
            self._block_ends(node, (*node.inputs, *node.results))
            return
        self.join(node.inputs)
        head = self.head(node.inputs[0])
        for name in node.results:
            self.heads[name] = head

    def _block_ends(self, node: Node, names: Iterable[str]) -> None:
        self.block(names, f"{node.name}, a {node.op.name}, tells them apart by their number")

    def _is_product(self, node: Node) -> bool:
        """Return whether ``node`` makes channels of its own, and takes each of its input's."""
        return isinstance(node.op, Lookup) or (isinstance(node.op, MatVec) and node.op.groups == 1)

    def _is_by_channel(self, node: Node) -> bool:
        """Return whether each channel of the results is made of the same one of the inputs."""
        x = self.graph.types[node.inputs[0]]
        last = len(x.shape) - 1
        match node.op:
            case Window(groups=groups):
                return groups == 1
            case Reshape():
                y = self.graph.types[node.name]
                return y.channels % self.runs[self.head(node.inputs[0])] == 0
            case Permute(axes=axes):
                return axes[-1] == last
            case Upsample(factors=factors):
                return bool(factors) and factors[-1] == 1
            case Concat(axis=axis) | Split(axis=axis):
                return axis != last
            case (
                Depthwise()
                | MaxPool()
                | SumPool()
                | Threshold()
                | BorderThreshold()
                | Requantize()
                | Add()
                | Multiply()
                | Duplicate()
            ):
                return bool(x.shape)
            case _:
                return False

    def groups(self) -> dict[str, ChannelGroup]:
        """Return what was made, by the first value of each."""
        members: dict[str, list[str]] = {}
        for name in self.graph.types:
            members.setdefault(self.head(name), []).append(name)
        made = (
            ChannelGroup(self.runs[head], tuple(values), self.obstacles.get(head))
            for head, values in members.items()
        )
        return {group.name: group for group in made}
