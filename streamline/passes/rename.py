"""Values that turn out to be others: readers are pointed at the one that stays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from lutloom.core.graph import Graph, Node


def with_replaced(graph: Graph, nodes: Iterable[Node], replaced: Mapping[str, str]) -> Graph:
    """Return the graph of ``nodes`` in which every read of a key of ``replaced`` reads its value.

    The values of ``replaced`` are not keys of it themselves.
    """
    renamed = tuple(
        replace(node, inputs=tuple(replaced.get(name, name) for name in node.inputs))
        for node in nodes
    )
    return Graph(graph.inputs, renamed, tuple(replaced.get(name, name) for name in graph.outputs))
