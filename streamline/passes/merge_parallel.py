"""``conv(x, v); conv(x, w)``  =  ``y = conv(x, [v, w]); y[..., :m]; y[..., m:]``: one layer.

Behind it ``threshold(y[..., :m], s); threshold(y[..., m:], t)``  =  ``threshold(y, [s, t])`` and
its parts, where all parts of ``y`` have such readers and nobody else. Linear layers likewise.

Exact: an output of a layer depends on its own column of the weights, a level on its own channel's
thresholds. Layers are merged whose windows see the same pixels: equal kernels, strides, dilations,
pads and spacings, one group, the same integer in the padding.

It is done where it pays. In the one layer, an image is buffered once for all windows, but all
weights are as wide as the widest, and so are all sums, and what is stored beside them to be
compared with. So it pays where the bits of the buffers that fall away are more than the bits that
are added; where nothing but the sums themselves becomes wider; and where the outputs of all fold
alike: their numbers have a common divisor of at least half of the smallest. It should come behind
``narrow_sums``, whose proofs begin with the range of each sum.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate, pairwise
from math import gcd, prod
from typing import TYPE_CHECKING, TypeAlias

from lutloom.core.graph import Graph, Node, fresh_name
from lutloom.core.ops import Conv, Linear, Slice, Threshold
from lutloom.core.types import Const, IntType

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from lutloom.core.types import TensorType

Layer: TypeAlias = Conv | Linear


def merge_parallel(graph: Graph) -> Graph:
    """Merge layers that read one value, where that pays."""
    for group in _groups(graph):
        together = _together(graph, group)
        if _pays(graph, together, group):
            graph = _with_thresholds(together, [node.name for node in group])
    return graph


def _groups(graph: Graph) -> Iterator[list[Node]]:
    """Yield the layers that could be one, two or more at a time."""
    groups: dict[Hashable, list[Node]] = {}
    for node in graph.nodes:
        match node.op:
            case Conv(groups=1, windows=windows, fill=fill):
                groups.setdefault((node.inputs, windows, fill), []).append(node)
            case Linear():
                groups.setdefault(node.inputs, []).append(node)
    for group in groups.values():
        counts = [graph.types[node.name].channels for node in group]
        if len(group) > 1 and 2 * gcd(*counts) >= min(counts):
            yield group


def _together(graph: Graph, group: Sequence[Node]) -> Graph:
    """Return the graph with one layer for ``group``, and parts of it by their names."""
    import numpy as np

    first = group[0].op
    assert isinstance(first, Conv | Linear)
    weights = np.concatenate([_weights(node).data for node in group], axis=-1)
    name = fresh_name(f"{group[0].name}/merged", set(graph.types))
    merged = replace(group[0], results=(name,), op=replace(first, weights=Const(weights)))
    parts = _parts([node.name for node in group], name, graph)
    gone = {node.name for node in group}
    nodes: list[Node] = []
    for node in graph.nodes:
        if node is group[0]:
            nodes += [merged, *parts]
        elif node.name not in gone:
            nodes.append(node)
    return Graph(graph.inputs, tuple(nodes), graph.outputs)


def _weights(node: Node) -> Const:
    assert isinstance(node.op, Conv | Linear)
    return node.op.weights


def _parts(names: Sequence[str], whole: str, graph: Graph) -> list[Node]:
    """Return what gives ``names`` as the parts of ``whole``, one behind the other."""
    types = [graph.types[name] for name in names]
    ends = accumulate((type_.channels for type_ in types), initial=0)
    axis = len(types[0].shape) - 1
    return [
        Node((name,), Slice(axis, start, stop), (whole,))
        for name, (start, stop) in zip(names, pairwise(ends), strict=True)
    ]


def _pays(before: Graph, after: Graph, group: Sequence[Node]) -> bool:
    """Whether the layers of ``group`` take less memory as one, and nothing else becomes wider."""
    sums = {node.name for node in group}
    if any(before.types[name] != after.types[name] for name in before.types.keys() - sums):
        return False
    x = before.types[group[0].inputs[0]]
    saved = (len(group) - 1) * _buffer(group[0], x)
    widest = max(_bits(_weights(node)) for node in group)
    added = sum((widest - _bits(w)) * prod(w.shape) for w in map(_weights, group))
    for name in sums:
        bits = after.types[name].element.bits - before.types[name].element.bits
        tables = [
            prod(user.op.thresholds.shape)
            for user in before.users[name]
            if isinstance(user.op, Threshold)
        ]
        added += bits * (sum(tables) or before.types[name].channels)
    return saved > added


def _buffer(node: Node, x: TensorType) -> int:
    """Return the bits of the rows that windows need at once; of a row of pixels; of a vector."""
    pixel = x.channels * x.element.bits
    if not isinstance(node.op, Conv):
        return pixel
    windows, image = node.op.windows, x.shape[:-1]
    rows = windows.dilation[0] * (windows.kernel[0] - 1)
    return pixel * max(1, rows * prod(image[1:]))


def _bits(weights: Const) -> int:
    import numpy as np

    return IntType.spanning(np.unique(weights.data).tolist()).bits


def _with_thresholds(graph: Graph, sums: Sequence[str]) -> Graph:
    """Return the graph with one operator for the thresholds of all ``sums``, if they fit."""
    import numpy as np

    readers = [reader for name in sums for reader in graph.users[name]]
    ops = [reader.op for reader in readers if isinstance(reader.op, Threshold)]
    is_private = len(readers) == len(ops) == len(sums) and not set(sums) & set(graph.outputs)
    if not is_private or len({graph.types[reader.name].element for reader in readers}) > 1:
        return graph
    rows = [op.thresholds.shape for op in ops]
    is_shared = all(op == ops[0] for op in ops) and rows[0][0] == 1
    counts = [graph.types[name].channels for name in sums]
    is_a_channel = [count for count, _ in rows] == counts
    if not is_shared and (
        not is_a_channel
        or len({(row[1], op.deltas.shape[1]) for row, op in zip(rows, ops, strict=True)}) > 1
    ):
        return graph
    op = ops[0]
    if not is_shared:
        tables = ([op.thresholds for op in ops], [op.base for op in ops], [op.deltas for op in ops])
        op = Threshold(*(Const(np.concatenate([t.data for t in table])) for table in tables))
    names = [reader.name for reader in readers]
    whole = graph.producers[sums[0]].inputs[0]
    name = fresh_name(f"{names[0]}/merged", set(graph.types))
    made = [Node((name,), op, (whole,)), *_parts(names, name, graph)]
    kept = [node for node in graph.nodes if node.name not in {*sums, *names}]
    place = next(i for i, node in enumerate(kept) if node.name == whole) + 1
    after = Graph(graph.inputs, (*kept[:place], *made, *kept[place:]), graph.outputs)
    return after if all(after.types[n] == graph.types[n] for n in names) else graph
