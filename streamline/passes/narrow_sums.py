"""``threshold(add(x, y, ..))``  =  the same with smaller multipliers and other thresholds.

Exact: thresholds only ask on which side of them a sum lies, and the new sum answers that for
every choice of the inputs' values (``multipliers``). The side condition is that nobody but
thresholds reads the sum. Reshapes and permutations in between are passed, where every channel of
the threshold is of one channel of the sum, or all share their multipliers. Additions of additions
become one beforehand, where nobody else reads the inner one:
``m * (p * x + q * y) + n * z  =  m p x + m q y + n z``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lutloom.core.graph import Graph, Node
from lutloom.core.ops import Add, Linear, Permute, Reshape, Threshold
from lutloom.core.types import Const
from lutloom.streamline.multipliers import Term, narrowed
from lutloom.streamline.passes.rename import with_replaced

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.types import IntArray

# Of one sum, in all channels: each costs about a millisecond.
_MOST_THRESHOLDS = 1 << 15


def narrow_sums(graph: Graph) -> Graph:
    """Give every sum that only thresholds read the smallest multipliers that are proved."""
    changed: dict[str, Node] = {}
    renamed: dict[str, str] = {}
    names = set(graph.types)
    for node in graph.nodes:
        sum_ = _sum_before_thresholds(graph, node)
        nodes = {} if sum_ is None else _narrow(graph, sum_)
        if sum_ is None or not nodes:
            continue
        changed |= nodes
        # Their integers are others now, and so are their names.
        renamed |= {moved.name: _fresh(moved.name, names) for moved in (node, *sum_.between)}
    if not changed:
        return graph
    kept = (changed.get(node.name, node) for node in graph.nodes)
    moved = [replace(n, results=tuple(renamed.get(r, r) for r in n.results)) for n in kept]
    return with_replaced(graph, moved, renamed)


@dataclass(frozen=True, slots=True, eq=False)
class _Sum:
    """An addition, with what it adds dissolved, and the thresholds that read it."""

    node: Node
    leaves: Mapping[str, NDArray[Any]]
    """The multipliers of each value, Python's integers: one, or one a channel."""
    bits: int
    """Of all multipliers, as they are."""
    between: tuple[Node, ...]
    readers: tuple[tuple[Node, IntArray], ...]
    """With the column of multipliers that each of its channels looks at."""

    @property
    def width(self) -> int:
        """How many columns of multipliers there are."""
        return max(len(row) for row in self.leaves.values())


def _sum_before_thresholds(graph: Graph, node: Node) -> _Sum | None:
    import numpy as np

    if not isinstance(node.op, Add):
        return None
    leaves, adds = _flattened(graph, node)
    if len(adds) == 1 and node.op.multipliers.lo >= -1 and node.op.multipliers.hi <= 1:
        return None
    width = max(len(row) for row in leaves.values())
    columns = np.broadcast_to(np.arange(width), (1, *graph.types[node.name].shape))
    between: list[tuple[Node, IntArray]] = [(node, columns)]
    readers: list[tuple[Node, IntArray]] = []
    for moved, columns in between:  # which grows
        users = graph.users[moved.name]
        if moved.name in graph.outputs or not users:
            return None
        for user in users:
            if isinstance(user.op, Threshold):
                last = columns.reshape(-1, graph.types[moved.name].channels)
                if (last != last[0]).any():
                    return None
                readers.append((user, last[0]))
            elif isinstance(user.op, Permute | Reshape):
                (behind,) = user.op.reference(columns)
                between.append((user, behind))
            else:
                return None
    bits = sum(_bits(add.multipliers.int64) for add in adds)
    return _Sum(node, leaves, bits, tuple(moved for moved, _ in between[1:]), tuple(readers))


def _flattened(graph: Graph, node: Node) -> tuple[dict[str, NDArray[Any]], list[Add]]:
    """Return the multipliers of what ``node`` adds, with all additions dissolved that nobody else
    reads, and those additions, its own in front.
    """
    assert isinstance(node.op, Add)
    leaves: dict[str, NDArray[Any]] = {}
    adds = [node.op]
    rows = node.op.multipliers.int64.astype(object)
    for name, row in zip(node.inputs, rows, strict=True):
        inner = graph.producers.get(name)
        is_private = graph.users[name] == (node,) and name not in graph.outputs
        below = {name: row}
        if inner is not None and isinstance(inner.op, Add) and is_private:
            parts, more = _flattened(graph, inner)
            below = {leaf: row * factors for leaf, factors in parts.items()}
            adds += more
        for leaf, factors in below.items():
            leaves[leaf] = leaves[leaf] + factors if leaf in leaves else factors
    return leaves, adds


def _narrow(graph: Graph, sum_: _Sum) -> dict[str, Node]:
    """Return the new nodes by the names of those that they replace; none if nothing is won."""
    import numpy as np

    width = sum_.width
    tables = []
    for reader, columns in sum_.readers:
        assert isinstance(reader.op, Threshold)
        rows = reader.op.thresholds.int64
        count = max(len(rows), len(columns) if width > 1 else 1)
        tables.append((columns[:count], np.broadcast_to(rows, (count, rows.shape[1])).copy()))
    if sum(table.size for _, table in tables) > _MOST_THRESHOLDS:
        return {}
    multipliers = np.zeros((len(sum_.leaves), width), dtype=object)
    for column in range(width):
        asked = sorted({t for of, table in tables for t in table[of == column].ravel().tolist()})
        narrow = narrowed(_terms(graph, sum_, column), asked)
        if narrow is None:
            return {}
        multipliers[:, column] = narrow.multipliers
        moved = dict(zip(asked, narrow.thresholds, strict=True))
        new = np.vectorize(moved.__getitem__, otypes=[np.int64])
        for of, table in tables:
            if (of == column).any() and table.size:
                table[of == column] = new(table[of == column])
    if _bits(multipliers) >= sum_.bits:
        return {}
    readers = (
        _with_thresholds(reader, table)
        for (reader, _), (_, table) in zip(sum_.readers, tables, strict=True)
    )
    return {node.name: node for node in (_addition(sum_, multipliers), *readers)}


def _terms(graph: Graph, sum_: _Sum, column: int) -> list[Term]:
    terms = []
    for name, row in sum_.leaves.items():
        x = graph.types[name]
        lo, hi = x.element.lo, x.element.hi
        producer = graph.producers.get(name)
        if sum_.width > 1 and producer is not None and isinstance(producer.op, Linear):
            # A channel may reach less far than the widest.
            lows, highs = producer.op.sums.bounds(graph.types[producer.inputs[0]].element)
            lo, hi = lows[column], highs[column]
        terms.append(Term(int(row[column % len(row)]), lo, hi, x.element.step))
    return terms


def _addition(sum_: _Sum, multipliers: NDArray[np.object_]) -> Node:
    """Return the addition of what still counts; of two values at least, as an addition has."""
    import numpy as np

    names = list(sum_.leaves)
    counts = [i for i in range(len(names)) if multipliers[i].any()]
    # Several may have fallen out, or been one value all along.
    kept = [*counts, *(i for i in range(len(names)) if i not in counts)][: max(2, len(counts))]
    rows = multipliers[kept].astype(np.int64)
    inputs = [names[i] for i in kept]
    if len(inputs) == 1:
        inputs, rows = inputs * 2, np.concatenate([rows, np.zeros_like(rows)])
    if (rows == rows[:, :1]).all():
        rows = rows[:, :1]
    return replace(sum_.node, op=Add(Const(rows)), inputs=tuple(inputs))


def _with_thresholds(reader: Node, table: IntArray) -> Node:
    import numpy as np

    op = reader.op
    assert isinstance(op, Threshold)
    base = np.broadcast_to(op.base.int64, len(table))
    deltas = np.broadcast_to(op.deltas.int64, (len(table), op.deltas.shape[1]))
    if all((array == array[:1]).all() for array in (table, base, deltas)):
        table, base, deltas = table[:1], base[:1], deltas[:1]
    return replace(reader, op=Threshold(Const(table), Const(base), Const(deltas)))


def _bits(multipliers: NDArray[Any]) -> int:
    """Return the widths of the multipliers of each value, added up."""
    return sum(max(abs(m) for m in row).bit_length() for row in multipliers.tolist())


def _fresh(name: str, names: set[str]) -> str:
    candidate = f"{name}/narrow"
    while candidate in names:
        candidate += "'"
    names.add(candidate)
    return candidate
