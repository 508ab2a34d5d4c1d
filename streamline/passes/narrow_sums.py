"""``threshold(add(x, y, ..))``  =  the same with smaller multipliers and other thresholds.

Exact: thresholds only ask on which side of them a sum lies, and the new sum answers that for
every choice of the inputs' values (``multipliers``). The side condition is that nobody but
thresholds reads the sum. Moves in between are passed, where every channel of the threshold is of
one channel of the sum, or all share their multipliers; so are max pools, since the largest of some
sums reaches a threshold if one of them does. Additions of additions become one beforehand, where
nobody else reads the inner one: ``m * (p * x + q * y) + n * z  =  m p x + m q y + n z``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lutloom.core.graph import Graph, Node, fresh_name
from lutloom.core.ops import (
    Add,
    BorderThreshold,
    Linear,
    MaxPool,
    Permute,
    Reshape,
    Slice,
    Threshold,
    Upsample,
)
from lutloom.core.types import Const
from lutloom.streamline.multipliers import Term, narrowed
from lutloom.streamline.passes.rename import with_replaced

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.types import IntArray

# Of one sum, in all channels: each costs about a millisecond.
_MOST_THRESHOLDS = 1 << 15
# Additions that are dissolved in one.
_MOST_DISSOLVED = 8


def narrow_sums(graph: Graph) -> Graph:
    """Give every sum that only thresholds read the smallest multipliers that are proved."""
    changed: dict[str, Node] = {}
    renamed: dict[str, str] = {}
    names = set(graph.types)
    for node in graph.nodes:
        path = _path_to_thresholds(graph, node)
        if path is None:
            continue
        leaves, adds = _dissolved(graph, node, _MOST_DISSOLVED)
        nodes = _narrow(graph, node, path, leaves, adds)
        if not nodes and len(adds) > 1:
            # Of more than two values the smallest multipliers are not always found.
            nodes = _narrow(graph, node, path, *_dissolved(graph, node, 0))
        if not nodes:
            continue
        changed |= nodes
        # Their integers are others now, and so are their names.
        renamed |= {
            moved.name: fresh_name(f"{moved.name}/narrow", names) for moved in (node, *path.between)
        }
    if not changed:
        return graph
    kept = (changed.get(node.name, node) for node in graph.nodes)
    moved = [replace(n, results=tuple(renamed.get(r, r) for r in n.results)) for n in kept]
    return with_replaced(graph, moved, renamed)


@dataclass(frozen=True, slots=True, eq=False)
class _Path:
    """What lies between an addition and its readers, which are all thresholds."""

    between: tuple[Node, ...]
    readers: tuple[tuple[Node, IntArray | None], ...]
    """With the channel of the sum that each of its channels is of; None where that differs."""


def _path_to_thresholds(graph: Graph, node: Node) -> _Path | None:
    import numpy as np

    if not isinstance(node.op, Add):
        return None
    x = graph.types[node.name]
    between: list[tuple[Node, IntArray]] = [
        (node, np.broadcast_to(np.arange(x.channels), (1, *x.shape)))
    ]
    readers: list[tuple[Node, IntArray | None]] = []
    for moved, channels in between:  # which grows
        users = graph.users[moved.name]
        if moved.name in graph.outputs or not users:
            return None
        for user in users:
            if isinstance(user.op, BorderThreshold | Threshold):
                rows = channels.reshape(-1, graph.types[moved.name].channels)
                readers.append((user, rows[0] if (rows == rows[0]).all() else None))
            elif isinstance(user.op, MaxPool | Permute | Reshape | Slice | Upsample):
                (behind,) = user.op.reference(channels)
                between.append((user, behind))
            else:
                return None
    return _Path(tuple(moved for moved, _ in between[1:]), tuple(readers))


def _dissolved(graph: Graph, node: Node, most: int) -> tuple[dict[str, NDArray[Any]], list[Add]]:
    """Return the multipliers of what ``node`` adds, one or one a channel, with up to ``most``
    additions dissolved that nobody else reads; and all those additions, its own in front.
    """
    assert isinstance(node.op, Add)
    leaves: dict[str, NDArray[Any]] = {}
    adds = [node.op]
    waiting = list(zip(node.inputs, node.op.multipliers.int64.astype(object), strict=True))
    while waiting:
        name, row = waiting.pop(0)
        inner = graph.producers.get(name)
        is_private = len(graph.users[name]) == 1 and name not in graph.outputs
        if inner is not None and isinstance(inner.op, Add) and is_private and len(adds) <= most:
            adds.append(inner.op)
            rows = inner.op.multipliers.int64.astype(object)
            waiting += [(leaf, row * own) for leaf, own in zip(inner.inputs, rows, strict=True)]
        else:
            leaves[name] = leaves[name] + row if name in leaves else row
    return leaves, adds


def _narrow(
    graph: Graph,
    node: Node,
    path: _Path,
    leaves: Mapping[str, NDArray[Any]],
    adds: Sequence[Add],
) -> dict[str, Node]:
    """Return the new nodes by the names of those that they replace; none if nothing is won."""
    import numpy as np

    bits = sum(_bits(add.multipliers.int64) for add in adds)
    width = max(len(row) for row in leaves.values())
    tables = []
    for reader, channels in path.readers:
        assert isinstance(reader.op, BorderThreshold | Threshold)
        rows = reader.op.thresholds.int64
        # One column of multipliers has to suit the thresholds of all channels.
        of = np.zeros(rows.shape[-2], dtype=np.int64) if width == 1 else channels
        if of is None:
            return {}
        tables.append(
            (of, np.broadcast_to(rows, (*rows.shape[:-2], len(of), rows.shape[-1])).copy())
        )
    is_plain = len(adds) == 1 and adds[0].multipliers.lo >= -1 and adds[0].multipliers.hi <= 1
    if is_plain or sum(table.size for _, table in tables) > _MOST_THRESHOLDS:
        return {}
    multipliers = np.zeros((len(leaves), width), dtype=object)
    for column in range(width):
        asked = sorted(
            {t for of, rows in tables for t in rows[..., of == column, :].ravel().tolist()}
        )
        narrow = narrowed(_terms(graph, leaves, column, width), asked)
        if narrow is None:
            return {}
        multipliers[:, column] = narrow.multipliers
        moved = dict(zip(asked, narrow.thresholds, strict=True))
        for of, rows in tables:
            old = rows[..., of == column, :]
            new = np.array([moved[t] for t in old.ravel().tolist()], dtype=np.int64)
            rows[..., of == column, :] = new.reshape(old.shape)
    if _bits(multipliers) >= bits:
        return {}
    readers = (
        _with_thresholds(reader, table)
        for (reader, _), (_, table) in zip(path.readers, tables, strict=True)
    )
    return {new.name: new for new in (_addition(node, list(leaves), multipliers), *readers)}


def _terms(graph: Graph, leaves: Mapping[str, NDArray[Any]], column: int, width: int) -> list[Term]:
    terms = []
    for name, row in leaves.items():
        x = graph.types[name]
        lo, hi = x.element.lo, x.element.hi
        producer = graph.producers.get(name)
        if width > 1 and producer is not None and isinstance(producer.op, Linear):
            # A channel may reach less far than the widest.
            lows, highs = producer.op.sums.bounds(graph.types[producer.inputs[0]].element)
            lo, hi = lows[column], highs[column]
        terms.append(Term(int(row[column % len(row)]), lo, hi, x.element.step))
    return terms


def _addition(node: Node, names: list[str], multipliers: NDArray[np.object_]) -> Node:
    """Return the addition of what still counts; of two values at least, as an addition has."""
    import numpy as np

    counts = [i for i in range(len(names)) if multipliers[i].any()]
    # Several may have fallen out, or been one value all along.
    kept = [*counts, *(i for i in range(len(names)) if i not in counts)][: max(2, len(counts))]
    rows = multipliers[kept].astype(np.int64)
    inputs = [names[i] for i in kept]
    if len(inputs) == 1:
        inputs, rows = inputs * 2, np.concatenate([rows, np.zeros_like(rows)])
    if (rows == rows[:, :1]).all():
        rows = rows[:, :1]
    return replace(node, op=Add(Const(rows)), inputs=tuple(inputs))


def _with_thresholds(reader: Node, table: IntArray) -> Node:
    import numpy as np

    op = reader.op
    assert isinstance(op, BorderThreshold | Threshold)
    base = np.broadcast_to(op.base.int64, table.shape[:-1])
    deltas = np.broadcast_to(op.deltas.int64, (*table.shape[:-1], op.deltas.shape[-1]))
    parts = (table, base[..., np.newaxis], deltas)
    if all((part == part[..., :1, :]).all() for part in parts):
        table, base, deltas = table[..., :1, :], base[..., :1], deltas[..., :1, :]
    return replace(
        reader, op=replace(op, thresholds=Const(table), base=Const(base), deltas=Const(deltas))
    )


def _bits(multipliers: NDArray[Any]) -> int:
    """Return the widths of the multipliers of each value, added up."""
    return sum(max(abs(m) for m in row).bit_length() for row in multipliers.tolist())
