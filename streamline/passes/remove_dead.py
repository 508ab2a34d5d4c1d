"""A node whose results nobody reads  =  no node.

Exact: nodes have no effects besides their results.
"""

from __future__ import annotations

from lutloom.core.graph import Graph


def remove_dead(graph: Graph) -> Graph:
    """Drop every node that no output depends on."""
    wanted = set(graph.outputs)
    kept = []
    for node in reversed(graph.nodes):
        if not wanted.isdisjoint(node.results):
            kept.append(node)
            wanted.update(node.inputs)
    if len(kept) == len(graph.nodes):
        return graph
    return Graph(graph.inputs, tuple(reversed(kept)), graph.outputs)
