"""Values in the order in which they are read: no element of a stream waits for another one.

Layers with windows read images channels-last, while most models have channels first. A permutation
at the graph's input is left to the host, which permutes the image; one in front of a flatten moves
into the weights behind it, and into the tables of what lies between. Exact: elements move together
with all that is their own. What the values mean follows them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lutloom.core.graph import Graph, Node
from lutloom.core.ops import Add, Linear, Permute, Requantize, Reshape, Threshold
from lutloom.core.types import Const, TensorType
from lutloom.streamline.channel_tables import own_channels, with_channels

if TYPE_CHECKING:
    from collections.abc import Callable
    from fractions import Fraction

    from lutloom.core.meaning import ValueMeaning
    from lutloom.core.network import Network
    from lutloom.core.op import Op
    from lutloom.core.types import IntArray


def in_reading_order(network: Network) -> Network:
    """Return ``network`` without permutations at its input and in front of flattened tensors."""
    return without_permuted_rows(without_permuted_inputs(network))


def without_permuted_inputs(network: Network) -> Network:
    """Return ``network`` whose inputs have the axes in which they are read, if all readers agree.

    Thresholds that all channels share, and sums of values in one order, read any. Inputs of one
    shape, which may meet in such sums, are also tried together.
    """
    by_shape: dict[tuple[int, ...], set[str]] = {}
    for name, type_ in network.graph.inputs.items():
        by_shape.setdefault(type_.shape, set()).add(name)
    together = [names for names in by_shape.values() if len(names) > 1]
    for sources in (*({name} for name in network.graph.inputs), *together):
        network = _without_permuted(network, sources)
    return network


def _without_permuted(network: Network, sources: set[str]) -> Network:
    """Return ``network`` whose inputs ``sources``, all of one shape, have the axes of the readers.

    It is ``network`` itself where the readers don't agree.
    """
    graph = network.graph
    members = _grown(graph, sources, _treats_all_alike)
    borders = _readers(graph, members)
    axes = {node.op.axes for node in borders if isinstance(node.op, Permute)}
    if len(axes) != 1 or not all(isinstance(node.op, Permute) for node in borders):
        return network
    (order,) = axes
    entries = {name: network.meaning[name] for name in members if name in network.meaning}
    moves_channels = order[-1] != len(order) - 1
    has_channels = any(len(entry.scale) > 1 or len(entry.bias) > 1 for entry in entries.values())
    outputs = {*members, *(node.name for node in borders)} & set(graph.outputs)
    if outputs or (moves_channels and has_channels):
        return network
    moved = {
        name: TensorType(type_.element, tuple(type_.shape[axis] for axis in order))
        for name, type_ in graph.inputs.items()
        if name in sources
    }
    gone = {node.name: node.inputs[0] for node in borders}
    nodes = (
        replace(node, inputs=tuple(gone.get(name, name) for name in node.inputs))
        for node in graph.nodes
        if node.name not in gone
    )
    # What a permuted value means, the one that was permuted means now, if nothing else.
    meaning = {
        before: network.meaning[name] for name, before in gone.items() if name in network.meaning
    }
    meaning |= {
        name: replace(entry, axes=tuple(entry.axes[axis] for axis in order))
        for name, entry in entries.items()
    }
    return replace(
        network,
        graph=Graph({**graph.inputs, **moved}, tuple(nodes), graph.outputs),
        meaning={**network.meaning, **meaning},
    )


def _treats_all_alike(op: Op) -> bool:
    """Return whether ``op`` does the same with each element, wherever that is."""
    return isinstance(op, Add | Requantize | Threshold) and own_channels(op) == 1


def _grown(graph: Graph, start: set[str], belongs: Callable[[Op], bool]) -> set[str]:
    """Return ``start`` and the results of nodes that belong to them and read nothing else."""
    members = set(start)
    for node in graph.nodes:
        if members.issuperset(node.inputs) and belongs(node.op):
            members.add(node.name)
    return members


def _readers(graph: Graph, members: set[str]) -> list[Node]:
    """Return the nodes that read any of ``members`` and are none of them."""
    return [
        node
        for node in graph.nodes
        if node.name not in members and not members.isdisjoint(node.inputs)
    ]


def without_permuted_rows(network: Network) -> Network:
    """Return ``network`` without permutations in front of a flatten, where products read the rows.

    Thresholds, products by element and sums in between get their tables in the new order.
    """
    for flatten in network.graph.nodes:
        permute = network.graph.producers.get(flatten.inputs[0])
        is_flat = isinstance(flatten.op, Reshape) and len(flatten.op.shape) == 1
        if is_flat and permute is not None and isinstance(permute.op, Permute):
            after = _in_order_of_stream(network, flatten, permute)
            if after is not network:
                return without_permuted_rows(after)
    return network


def _in_order_of_stream(network: Network, flatten: Node, permute: Node) -> Network:
    """Return ``network`` with ``flatten``, and all like it, reading in front of the permutation."""
    import numpy as np

    assert isinstance(permute.op, Permute)
    graph, axes = network.graph, permute.op.axes
    shape = graph.types[permute.inputs[0]].shape
    twins = {
        node.name: graph.producers[node.inputs[0]].inputs
        for node in graph.nodes
        if node.op == flatten.op and _is_permuted_so(graph, node, axes, shape)
    }
    size = graph.types[flatten.name].size
    members = _grown(graph, set(twins), lambda op: _is_by_element(op, size))
    borders = _readers(graph, members)
    entries = {name: network.meaning[name] for name in members if name in network.meaning}
    if not all(isinstance(node.op, Linear) for node in borders):
        return network
    # Element i of the permuted row is element origin[i] of the row before.
    origin = np.arange(size).reshape(shape).transpose(axes).ravel()
    changed = {name: Node((name,), flatten.op, inputs) for name, inputs in twins.items()}
    for node in graph.nodes:
        if node.name in twins or (node not in borders and node.name not in members):
            continue
        changed[node.name] = replace(node, op=_with_rows_moved(node.op, origin))

    def in_order(entry: ValueMeaning) -> ValueMeaning:
        return replace(
            entry,
            scale=_moved(entry.scale, origin),
            bias=_moved(entry.bias, origin),
            split=tuple(shape[axis] for axis in axes),
            axes=tuple(int(axis) for axis in np.argsort(axes)),
        )

    meaning = {name: in_order(entry) for name, entry in entries.items()}
    outputs = (
        replace(port, meaning=in_order(port.meaning)) if port.value in members else port
        for port in network.outputs
    )
    nodes = tuple(changed.get(node.name, node) for node in graph.nodes)
    return replace(
        network,
        graph=Graph(graph.inputs, nodes, graph.outputs),
        meaning={**network.meaning, **meaning},
        outputs=tuple(outputs),
    )


def _is_permuted_so(
    graph: Graph, flatten: Node, axes: tuple[int, ...], shape: tuple[int, ...]
) -> bool:
    """Return whether ``flatten`` reads a value of ``shape`` that is permuted by ``axes``."""
    permute = graph.producers.get(flatten.inputs[0])
    return (
        permute is not None
        and permute.op == Permute(axes)
        and graph.types[permute.inputs[0]].shape == shape
    )


def _is_by_element(op: Op, size: int) -> bool:
    return isinstance(op, Add | Requantize | Threshold) and own_channels(op) in {1, size}


def _with_rows_moved(op: Op, origin: IntArray) -> Op:
    """Return ``op`` for rows whose element ``origin[i]`` is what element ``i`` was."""
    import numpy as np

    places = np.argsort(origin)
    match op:
        case Linear(weights):
            return Linear(Const(weights.data.take(places, axis=0)))
        case Add() | Threshold() | Requantize():
            return with_channels(op, places)
    raise AssertionError(op)


def _moved(numbers: tuple[Fraction, ...], origin: IntArray) -> tuple[Fraction, ...]:
    import numpy as np

    if len(numbers) == 1:
        return numbers
    return tuple(numbers[place] for place in np.argsort(origin))
