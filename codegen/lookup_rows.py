"""Tables of rows for inputs whose types lowering widens.

A convolution knows which taps of each window are masked; the product that it is lowered to takes
all of them for integers of the data. So types behind it may be wider than the values that occur,
and reach beyond a table that was as long as the graph's own types ask for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lutloom.core.graph import result_types
from lutloom.core.ops import Lookup
from lutloom.core.types import Const

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lutloom.core.graph import Graph, Node
    from lutloom.core.types import IntType


def with_rows(graph: Graph, nodes: Sequence[Node]) -> list[Node]:
    """Return ``nodes``, what ``graph`` is lowered to, with a row for all their lookups may be fed.

    Integers that do not occur get a row that does, so that results have the types of ``graph``.
    """
    if not any(isinstance(node.op, Lookup) for node in nodes):
        return list(nodes)
    fed = {node.name: graph.types[node.inputs[0]].element for node in graph.nodes}
    types = dict(graph.inputs)
    result: list[Node] = []
    for node in nodes:
        op = node.op
        if isinstance(op, Lookup):
            op = _with_rows(op, fed[node.name], types[node.inputs[0]].element)
        result.append(replace(node, op=op))
        types.update(zip(node.results, result_types(result[-1], types), strict=True))
    return result


def _with_rows(op: Lookup, occurring: IntType, wider: IntType) -> Lookup:
    import numpy as np

    if wider == occurring:
        return op
    x = np.arange(wider.lo, wider.hi + 1, dtype=np.int64)
    nearest = np.clip(x, occurring.lo, occurring.hi)
    nearest -= (nearest - occurring.lo) % occurring.step
    return Lookup(Const(op.table.data[nearest - op.first]), wider.lo)
