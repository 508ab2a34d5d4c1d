"""``y = f(x); z = f(x)``  =  ``y = f(x)`` for both, where operators and inputs are equal.

Exact: an operator is a function of its parameters and inputs. A quantizer that the exporter wrote
once for each reader becomes one.
"""

from __future__ import annotations

from lutloom.core.graph import Graph, Node
from lutloom.core.op import Op
from lutloom.streamline.passes.rename import with_replaced


def merge_equal(graph: Graph) -> Graph:
    """Keep the first of equal nodes, and let it stand for all."""
    replaced: dict[str, str] = {}
    first: dict[tuple[Op, tuple[str, ...]], Node] = {}
    kept: list[Node] = []
    for node in graph.nodes:
        inputs = tuple(replaced.get(name, name) for name in node.inputs)
        twin = first.setdefault((node.op, inputs), node)
        if twin is node:
            kept.append(node)
        else:
            replaced.update(zip(node.results, twin.results, strict=True))
    return with_replaced(graph, kept, replaced) if replaced else graph
