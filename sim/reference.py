"""The reference interpreter: run the specification of every node, in order, on a batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from lutloom.core.errors import RangeError
from lutloom.core.ops import Conv, Linear, MatVec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.graph import Graph, Node
    from lutloom.core.types import IntArray, TensorType


def run(
    graph: Graph,
    inputs: Mapping[str, IntArray],
    *,
    wanted: Collection[str] | None = None,
    trusts_types: bool = False,
) -> dict[str, IntArray]:
    """Return values of ``graph``, ``[batch, *shape]`` each, for ``inputs`` of that form.

    All of them, or those that are ``wanted``: the others are dropped when nothing reads them any
    more. Every value is checked against its type. Raises ``RangeError`` naming the value, the
    position and the number that does not belong there; for ``inputs`` that is the caller's
    mistake, for anything else one of ours. With ``trusts_types`` only the inputs are checked, which
    is faster: the others are of their types by proof, and so is the exactness of sums of floats.
    """
    readers: Counter[str] = Counter()
    if wanted is not None:
        readers.update(name for node in graph.nodes for name in node.inputs)
    values = {name: check(name, inputs[name], type_) for name, type_ in graph.inputs.items()}
    for node in graph.nodes:
        given = [values[name] for name in node.inputs]
        if trusts_types:
            values.update(zip(node.results, _proved(node, graph, given), strict=True))
        else:
            for name, result in zip(node.results, node.op.reference(*given), strict=True):
                values[name] = check(name, result, graph.types[name])
        if wanted is None:
            continue
        readers.subtract(node.inputs)
        for name in {*node.inputs, *node.results}.difference(wanted):
            if not readers[name]:
                values.pop(name, None)
    return values


def _proved(node: Node, graph: Graph, given: Sequence[IntArray]) -> tuple[IntArray, ...]:
    """Return the results of ``node``; how large its sums get is known by the type of its input."""
    if isinstance(node.op, Conv | Linear | MatVec):
        element = graph.types[node.inputs[0]].element
        return node.op.reference(*given, largest=max(element.hi, -element.lo))
    return node.op.reference(*given)


def check(name: str, value: IntArray, type_: TensorType) -> IntArray:
    """Return ``value [batch, *shape]`` as int64 if it belongs to ``type_``.

    Raises ``RangeError`` if it does not: another shape, no integers, or outside the type.
    """
    import numpy as np

    if value.shape[1:] != type_.shape or value.ndim != len(type_.shape) + 1:
        wanted = ["batch", *type_.shape]
        raise RangeError(f"{name} should have the shape {wanted}, not {list(value.shape)}")
    if value.dtype.kind not in "iu":
        raise RangeError(f"{name} should hold integers, not {value.dtype}")
    element = type_.element
    # Before the conversion, which would wrap unsigned numbers into the range.
    if value.size and (int(value.min()) < element.lo or int(value.max()) > element.hi):
        raise _outside(name, value, (value < element.lo) | (value > element.hi), type_)
    wide = value.astype(np.int64, copy=False)
    if element.step != 1:
        gaps = ~element.holds(wide)
        if gaps.any():
            raise _outside(name, wide, gaps, type_)
    return wide


def _outside(name: str, value: IntArray, where: NDArray[np.bool_], type_: TensorType) -> RangeError:
    import numpy as np

    index = tuple(int(i) for i in np.argwhere(where)[0])
    return RangeError(f"{name}{list(index)} is {int(value[index])}, outside {type_.element}")
