"""``reshape(reshape(x))``  =  ``reshape(x)``; ``permute(permute(x))``  =  ``permute(x)``; and a
chain of both that leaves the elements in their order  =  one reshape; ``upsample(upsample(x))``  =
``upsample(x)`` by the products of the factors. Dimensions of size 1 come behind:
``permute(reshape(x))``  =  ``reshape(permute(x))``, where the inner reshape adds or removes
nothing else, and nobody else reads it.

Exact: they move elements, and do nothing else with them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lutloom.core.graph import Graph, Node, fresh_name
from lutloom.core.ops import Permute, Reshape, Upsample

if TYPE_CHECKING:
    from lutloom.core.op import Op

# Of a tensor whose elements are followed one by one.
_MOST_ELEMENTS = 1 << 24


def cancel_moves(graph: Graph) -> Graph:
    """Let every move read what lies before moves that it undoes, or that are one with it."""
    changed: dict[str, Node] = {}
    names = set(graph.types)
    for node in graph.nodes:
        source = graph.producers.get(node.inputs[0])
        if source is None or not isinstance(node.op, Permute | Reshape | Upsample):
            continue
        together = _of_one_kind(node.op, source)
        if not isinstance(node.op, Upsample):
            together = _undone(graph, node) or together
        if together is not None:
            op, name = together
            changed[node.name] = replace(node, op=op, inputs=(name,))
        elif source.name not in changed and (exchanged := _exchanged(graph, node, source, names)):
            changed |= exchanged
    if not changed:
        return graph
    nodes = tuple(changed.get(node.name, node) for node in graph.nodes)
    return Graph(graph.inputs, nodes, graph.outputs)


def _of_one_kind(op: Op, source: Node) -> tuple[Op, str] | None:
    """Return ``op`` and that of ``source`` as one, and what it reads."""
    match op, source.op:
        case Reshape(), Reshape():
            return op, source.inputs[0]
        case Permute(second), Permute(first):
            return Permute(tuple(first[axis] for axis in second)), source.inputs[0]
        case Upsample(second), Upsample(first):
            factors = tuple(a * b for a, b in zip(first, second, strict=True))
            return Upsample(factors), source.inputs[0]
    return None


def _undone(graph: Graph, node: Node) -> tuple[Op, str] | None:
    """Return the reshape that the longest chain up to ``node`` is, if that holds a permutation."""
    import numpy as np

    chain = [node]
    while True:
        source = graph.producers.get(chain[-1].inputs[0])
        if source is None or not isinstance(source.op, Permute | Reshape):
            break
        chain.append(source)
    if graph.types[node.name].size > _MOST_ELEMENTS:
        return None
    shape = graph.types[node.name].shape
    for start in range(len(chain) - 1, 0, -1):
        links = chain[: start + 1]
        if not any(isinstance(link.op, Permute) for link in links):
            continue
        name = links[-1].inputs[0]
        type_ = graph.types[name]
        order = np.arange(type_.size).reshape(1, *type_.shape)
        for link in reversed(links):
            (order,) = link.op.reference(order)
        if (order.ravel() == np.arange(type_.size)).all():
            return Reshape(shape), name
    return None


def _exchanged(graph: Graph, node: Node, source: Node, names: set[str]) -> dict[str, Node]:
    """Return a permutation and the dimensions of size 1 behind it, by what they replace."""
    before, between = graph.types[source.inputs[0]].shape, graph.types[source.name].shape
    is_private = len(graph.users[source.name]) == 1 and source.name not in graph.outputs
    if not (is_private and isinstance(node.op, Permute) and isinstance(source.op, Reshape)):
        return {}
    here, there = ([a for a, size in enumerate(s) if size > 1] for s in (before, between))
    if [before[axis] for axis in here] != [between[axis] for axis in there]:
        return {}
    ones = (axis for axis, size in enumerate(before) if size == 1)
    order = (*ones, *(here[there.index(axis)] for axis in node.op.axes if axis in there))
    name = fresh_name(f"{source.name}/permute", names)
    return {
        source.name: Node((name,), Permute(order), source.inputs),
        node.name: replace(node, op=Reshape(graph.types[node.name].shape), inputs=(name,)),
    }
