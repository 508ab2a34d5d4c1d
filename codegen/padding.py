"""Where a plan meets its graph: the graph with the channels that the plan adds.

    padded(graph, channels)[..., : C]  =  graph[..., : C],  for every run of every value

A layer of 593 inputs has no folding between one lane and all of them: 593 is a prime. Seven inputs
that carry nothing make it one of 600, which many numbers divide. The host's images stay as they
are: an input that grows fits into the same transfers, which are padded with zeros anyway, and so
does an output, whose added channels are zeros.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lutloom.codegen.channel_groups import ChannelGroup, channel_groups, zeroed_values
from lutloom.codegen.padded_ops import Runs, padded_op
from lutloom.core.counts import counted
from lutloom.core.errors import PlanError
from lutloom.core.graph import Graph, Node
from lutloom.core.strict_json import quoted
from lutloom.core.text import graph_digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lutloom.core.plan import Plan

_MOST_TIMES = 2
_ALWAYS = 16


@dataclass(frozen=True, eq=False)
class Padding:
    """How the values of a lowered ``graph`` grow with ``channels``, by the groups' names."""

    graph: Graph
    groups: Mapping[str, ChannelGroup]
    channels: Mapping[str, int]
    zeroed: frozenset[str]

    @staticmethod
    def of(graph: Graph, channels: Mapping[str, int]) -> Padding:
        """Return the padding of ``graph``; raises ``PlanError`` where it is not legal."""
        groups = channel_groups(graph)
        for name, count in channels.items():
            _check(groups, name, count)
        return Padding(graph, groups, channels, zeroed_values(graph))

    def run(self, name: str) -> Runs:
        """Return how the values of the group ``name`` grow."""
        channels = self.groups[name].channels
        return Runs(channels, self.channels.get(name, channels))

    def runs(self) -> dict[str, Runs]:
        """Return how each value grows."""
        return {
            value: self.run(name) for name, group in self.groups.items() for value in group.values
        }

    def node(self, node: Node, runs: Mapping[str, Runs]) -> Node:
        """Return ``node`` with the channels that it reads and writes."""
        source, types = node.inputs[0], self.graph.types
        op = padded_op(
            node.op,
            types[source],
            runs[source],
            types[node.name],
            runs[node.name],
            zero=node.name in self.zeroed,
        )
        return node if op is node.op else replace(node, op=op)


def padded(graph: Graph, channels: Mapping[str, int]) -> Graph:
    """Return the lowered ``graph`` with ``channels`` in the groups of these names.

    All values have their names, and but for their shapes their types. An input's added channels
    are to be those of code 0; an output's are zeros. Raises ``PlanError`` for a name that is no
    group's, for a group that has to stay as it is, and for fewer channels than it has, or far more.
    """
    if not channels:
        return graph
    padding = Padding.of(graph, channels)
    runs = padding.runs()
    inputs = {name: runs[name].widened(tensor) for name, tensor in graph.inputs.items()}
    nodes = tuple(padding.node(node, runs) for node in graph.nodes)
    wide = Graph(inputs, nodes, graph.outputs)
    for name, tensor in graph.types.items():
        if wide.types[name] != runs[name].widened(tensor):
            raise AssertionError(f"padded, {name} is {wide.types[name]}: another type")
    return wide


def laid_out(graph: Graph, plan: Plan) -> tuple[Graph, Plan]:
    """Return the lowered ``graph`` with the channels of ``plan``, and the plan for that graph.

    That adds none itself. Raises ``PlanError`` where the plan is another graph's, or its channels
    are not legal.
    """
    if not plan.channels:
        return graph, plan
    check_graph(graph, plan)
    wide = padded(graph, plan.channels)
    for name in (*graph.inputs, *graph.outputs):
        _check_transfers(name, graph, wide, plan.word_bits)
    return wide, replace(plan, graph=graph_digest(wide), channels={})


def padded_runs(graph: Graph, plan: Plan) -> dict[str, Runs]:
    """Return how the values of the lowered ``graph`` grow to which ``plan`` adds channels."""
    if not plan.channels:
        return {}
    runs = Padding.of(graph, plan.channels).runs()
    return {value: run for value, run in runs.items() if run.padded > run.channels}


def folded_back(plan: Plan, laid: Plan) -> Plan:
    """Return ``plan`` with all that ``laid`` says, which is a plan for its padded graph."""
    return replace(laid, graph=plan.graph, channels=plan.channels)


def check_graph(graph: Graph, plan: Plan) -> None:
    """Raise ``PlanError`` unless ``plan`` is one of ``graph``."""
    digest = graph_digest(graph)
    if plan.graph != digest:
        raise PlanError(
            f"the plan is for the graph {quoted(plan.graph)}, but this is {digest}: make a new"
            " plan, or build the model the plan was made for"
        )


def most_channels(channels: int) -> int:
    """Return how many channels a group of so many may get."""
    return max(_MOST_TIMES * channels, _ALWAYS)


def transfers(size: int, bits: int, word_bits: int) -> int:
    """Return how many words an image of ``size`` elements of ``bits`` bits takes."""
    return -(-size * bits // word_bits)


def _check(groups: Mapping[str, ChannelGroup], name: str, count: int) -> None:
    group = groups.get(name)
    if group is None:
        for other in groups.values():
            if name in other.values:
                raise PlanError(
                    f"channels: {name} has the channels of {other.name}: name that one instead"
                )
        free = [other.name for other in groups.values() if other.obstacle is None]
        raise PlanError(
            f"channels: there is no value {name}: use one of {free[:20]}"
            if free
            else f"channels: there is no value {name}, and none that can have more channels"
        )
    if group.obstacle is not None:
        raise PlanError(
            f"channels: {name} can't have more than {group.channels}: {group.obstacle}; leave it"
            " out"
        )
    most = most_channels(group.channels)
    if not group.channels <= count <= most:
        raise PlanError(
            f"channels: {name} has {group.channels}, and should have {count}: use one from"
            f" {group.channels} to {most}"
        )


def _check_transfers(name: str, graph: Graph, wide: Graph, word_bits: int) -> None:
    before, behind = graph.types[name], wide.types[name]
    bits = before.element.bits
    there = transfers(before.size, bits, word_bits)
    if transfers(behind.size, bits, word_bits) > there:
        most = there * word_bits // bits
        raise PlanError(
            f"channels: {name} has {before.size} of {counted(bits, 'bit')}, which the host has in"
            f" {counted(there, 'transfer')} of {word_bits} bits; {behind.size} don't fit:"
            f" use at most {most}"
        )
