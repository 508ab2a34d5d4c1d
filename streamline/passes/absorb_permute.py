"""``linear(reshape(permute(x)))``  =  ``linear(reshape(x))`` with the rows of the weights permuted.

Exact: a sum does not depend on the order of its terms. The side condition is that the reshape makes
one row of all elements, so that every output sums over all of them, and that nobody else reads
the permuted tensor.
"""

from __future__ import annotations

from dataclasses import replace

from lutloom.core.graph import Graph, Node
from lutloom.core.ops import Linear, Permute, Reshape
from lutloom.core.types import Const


def absorb_permute(graph: Graph) -> Graph:
    """Move permutations before a flatten into the weights behind it."""
    rewritten: dict[str, Node] = {}
    dropped: set[str] = set()
    for node in graph.nodes:
        found = _flattened_permute(graph, node)
        if found is None:
            continue
        permute, reshape = found
        rewritten[reshape.name] = replace(reshape, inputs=permute.inputs)
        rewritten[node.name] = replace(node, op=_with_rows_moved(node, permute, graph))
        dropped.add(permute.name)
    if not dropped:
        return graph
    nodes = (rewritten.get(n.name, n) for n in graph.nodes if n.name not in dropped)
    return Graph(graph.inputs, tuple(nodes), graph.outputs)


def _flattened_permute(graph: Graph, node: Node) -> tuple[Node, Node] | None:
    if not isinstance(node.op, Linear):
        return None
    reshape = graph.producers.get(node.inputs[0])
    if reshape is None or not isinstance(reshape.op, Reshape) or len(reshape.op.shape) != 1:
        return None
    permute = graph.producers.get(reshape.inputs[0])
    if permute is None or not isinstance(permute.op, Permute):
        return None
    for between in (permute, reshape):
        if len(graph.users[between.name]) != 1 or between.name in graph.outputs:
            return None
    return permute, reshape


def _with_rows_moved(node: Node, permute: Node, graph: Graph) -> Linear:
    import numpy as np

    assert isinstance(node.op, Linear)
    assert isinstance(permute.op, Permute)
    shape = graph.types[permute.inputs[0]].shape
    # Element i of the permuted row is element origin[i] of the row before.
    origin = np.arange(int(np.prod(shape))).reshape(shape).transpose(permute.op.axes).ravel()
    weights = np.empty_like(node.op.weights.data)
    weights[origin] = node.op.weights.data
    return Linear(Const(weights))
