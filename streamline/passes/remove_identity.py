"""``threshold(x)``, ``requantize(x)`` or ``reshape(x)``  =  ``x``, where it changes nothing.

Exact: a threshold operator is the identity if it is on every value that ``x`` can have, which are
few enough to try; so quantizing again on the same grid costs nothing. A product is one if
``(2^s * x + b) >> s`` with ``0 <= b < 2^s`` is clamped to the range of ``x`` or a wider one. A
reshape is one if the shape stays.
"""

from __future__ import annotations

from lutloom.core.graph import Graph, Node
from lutloom.core.multiply_shift import ShiftRounding
from lutloom.core.ops import Requantize, Reshape, Threshold
from lutloom.core.ops.requantize import numbers
from lutloom.core.types import TensorType
from lutloom.streamline.passes.rename import with_replaced

_MOST_VALUES = 1 << 16


def remove_identity(graph: Graph) -> Graph:
    """Let the input of every such node stand for its result."""
    replaced: dict[str, str] = {}
    kept: list[Node] = []
    for node in graph.nodes:
        if _is_identity(node, graph.types[node.inputs[0]]):
            source = node.inputs[0]
            replaced[node.name] = replaced.get(source, source)
        else:
            kept.append(node)
    return with_replaced(graph, kept, replaced) if replaced else graph


def _is_identity(node: Node, x: TensorType) -> bool:
    import numpy as np

    match node.op:
        case Reshape(shape):
            return shape == x.shape
        case Threshold() as threshold if threshold.thresholds.shape[0] == 1:
            if x.element.count > _MOST_VALUES:
                return False
            values = np.arange(x.element.lo, x.element.hi + 1, x.element.step, dtype=np.int64)
            (levels,) = threshold.reference(values[:, np.newaxis])
            return bool((levels[:, 0] == values).all())
        case Requantize() as product:
            m, b = numbers(product.multipliers), numbers(product.biases)
            unit = 1 << product.shift
            copies = bool((m == unit).all() and ((b >= 0) & (b < unit)).all())
            inside = product.lowest.hi <= x.element.lo and product.highest.lo >= x.element.hi
            return copies and inside and product.rounding is ShiftRounding.DOWN
        case _:
            return False
