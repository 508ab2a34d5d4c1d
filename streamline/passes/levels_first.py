"""``threshold(move(x))``  =  ``move(threshold(x))``, and of ``concat(x, y)`` the same; so with
``requantize``.

Exact: both work element by element, and elements only move, or are repeated. The side condition:
each element keeps its numbers, so those of a channel behind the moves are of a channel in front of
them. It is done where levels are narrower than what they are levels of, so that what moves is
narrower; in front of an enlarged image there are fewer levels to compute besides; and where a sum
is joined with others, which its own quantizer lets have smaller multipliers (``narrow_sums``).
"""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from lutloom.core.graph import Graph, Node, fresh_name
from lutloom.core.ops import (
    Add,
    BorderThreshold,
    Concat,
    Permute,
    Requantize,
    Reshape,
    Threshold,
    Upsample,
)
from lutloom.core.windows import class_indices
from lutloom.streamline.channel_tables import own_channels, with_channels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lutloom.core.op import Op
    from lutloom.core.types import IntArray

# Of a tensor whose elements are followed one by one.
_MOST_ELEMENTS = 1 << 24
# Multipliers from here on are worth a staircase for each branch of a concatenation.
_WIDE = 1 << 8


def levels_first(graph: Graph) -> Graph:
    """Move staircases and products of one input in front of what only moves elements."""
    names = set(graph.types)
    changed: dict[str, list[Node]] = {}
    gone: set[str] = set()
    for node in graph.nodes:
        if not isinstance(node.op, BorderThreshold | Requantize | Threshold):
            continue
        found = _before_moves(graph, node, names) or _before_join(graph, node, names)
        if found and gone.isdisjoint(found[0]) and node.inputs[0] not in changed:
            gone |= found[0]
            changed[node.name] = found[1]
    if not changed:
        return graph
    nodes = [
        new
        for node in graph.nodes
        if node.name not in gone
        for new in changed.get(node.name, [node])
    ]
    return Graph(graph.inputs, tuple(nodes), graph.outputs)


def _is_private(graph: Graph, name: str) -> bool:
    return len(graph.users[name]) == 1 and name not in graph.outputs


def _before_moves(graph: Graph, node: Node, names: set[str]) -> tuple[set[str], list[Node]] | None:
    """Return what goes, and what comes in the place of ``node``: levels, and moves behind them."""
    chain: list[Node] = []
    source = node.inputs[0]
    best: tuple[int, Op] | None = None
    if graph.types[node.name].size > _MOST_ELEMENTS:
        return None
    while _is_private(graph, source):
        move = graph.producers.get(source)
        if move is None or not isinstance(move.op, Permute | Reshape | Upsample):
            break
        chain.append(move)
        source = move.inputs[0]
        op = _in_front(graph, node, chain)
        # Reshapes alone are wires: nothing becomes narrower in front of them.
        if op is not None and any(not isinstance(link.op, Reshape) for link in chain):
            best = len(chain), op
    if best is None:
        return None
    count, op = best
    start = chain[count - 1].inputs[0]
    levels, before = graph.types[node.name].element, graph.types[start].element
    has_fewer = any(isinstance(move.op, Upsample) for move in chain[:count])
    if levels.bits > before.bits or (levels.bits == before.bits and not has_fewer):
        return None
    name = fresh_name(f"{node.name}/levels", names)
    nodes = [Node((name,), op, (start,))]
    for move in reversed(chain[1:count]):
        own = fresh_name(f"{node.name}/{move.op.name}", names)
        nodes.append(Node((own,), move.op, (name,)))
        name = own
    nodes.append(replace(node, op=chain[0].op, inputs=(name,)))
    return {move.name for move in chain[:count]}, nodes


def _in_front(graph: Graph, node: Node, chain: Sequence[Node]) -> Op | None:
    """Return the operator of ``node`` in front of ``chain``; None where channels get mixed."""
    import numpy as np

    before, behind = graph.types[chain[-1].inputs[0]], graph.types[node.name]
    op, numbers = _by_number(node.op, behind.shape)
    if own_channels(op) == 1:
        return op
    order = np.arange(before.size).reshape(1, *before.shape)
    for move in reversed(chain):
        (order,) = move.op.reference(order)
    # Which row of the tables each element of the source needs: one for all that are a channel.
    wanted = np.zeros(before.size, dtype=np.int64)
    wanted[order.ravel()] = numbers.ravel()
    rows = wanted.reshape(-1, before.channels)
    if (wanted[order.ravel()] != numbers.ravel()).any() or (rows != rows[0]).any():
        return None
    return with_channels(op, rows[0])


def _by_number(op: Op, shape: tuple[int, ...]) -> tuple[Requantize | Threshold, IntArray]:
    """Return ``op`` of tables with a row for each number, and the number of every element."""
    import numpy as np

    if isinstance(op, BorderThreshold):
        rows, columns = class_indices(shape, op.rows, op.columns)
        numbers = np.arange(op.base.int64.size).reshape(op.base.shape)[rows, columns]
        return op.shared, np.broadcast_to(numbers, shape)
    assert isinstance(op, Requantize | Threshold)
    channels = np.arange(shape[-1]) if shape else np.zeros((), dtype=np.int64)
    return op, np.broadcast_to(channels, shape)


def _is_wide_sum(graph: Graph, name: str) -> bool:
    """Whether ``name`` is a sum with multipliers that a quantizer of its own may do without."""
    node = graph.producers.get(name)
    if node is None or not isinstance(node.op, Add) or not _is_private(graph, name):
        return False
    return max(-node.op.multipliers.lo, node.op.multipliers.hi) >= _WIDE


def _before_join(graph: Graph, node: Node, names: set[str]) -> tuple[set[str], list[Node]] | None:
    """Return what goes, and levels of each branch and their join."""
    import numpy as np

    source = graph.producers.get(node.inputs[0])
    if source is None or not isinstance(source.op, Concat) or not _is_private(graph, source.name):
        return None
    if isinstance(node.op, BorderThreshold):
        return None
    types = [graph.types[name] for name in source.inputs]
    bits = graph.types[node.name].element.bits
    is_wide = any(_is_wide_sum(graph, name) for name in source.inputs)
    if not is_wide and any(2 * bits > type_.element.bits for type_ in types):
        return None
    assert isinstance(node.op, Threshold | Requantize)
    axis = source.op.axis
    ends = accumulate((type_.shape[axis] for type_ in types), initial=0)
    is_last = axis == len(types[0].shape) - 1
    nodes = []
    for name, (start, stop) in zip(source.inputs, pairwise(ends), strict=True):
        own = fresh_name(f"{node.name}/levels", names)
        op = with_channels(node.op, np.arange(start, stop)) if is_last else node.op
        nodes.append(Node((own,), op, (name,)))
    joined = tuple(new.name for new in nodes)
    return {source.name}, [*nodes, replace(node, op=source.op, inputs=joined)]
