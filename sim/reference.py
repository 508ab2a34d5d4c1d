"""The reference interpreter: run the specification of every node, in order, on a batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from lutloom.core.errors import RangeError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.graph import Graph
    from lutloom.core.types import IntArray, TensorType


def run(
    graph: Graph, inputs: Mapping[str, IntArray], *, wanted: Collection[str] | None = None
) -> dict[str, IntArray]:
    """Return values of ``graph``, ``[batch, *shape]`` each, for ``inputs`` of that form.

    All of them, or those that are ``wanted``: the others are dropped when nothing reads them any
    more. Every value is checked against its type. Raises ``RangeError`` naming the value, the
    position and the number that does not belong there; for ``inputs`` that is the caller's
    mistake, for anything else one of ours.
    """
    readers: Counter[str] = Counter()
    if wanted is not None:
        readers.update(name for node in graph.nodes for name in node.inputs)
    values = {name: check(name, inputs[name], type_) for name, type_ in graph.inputs.items()}
    for node in graph.nodes:
        results = node.op.reference(*(values[name] for name in node.inputs))
        for name, result in zip(node.results, results, strict=True):
            values[name] = check(name, result, graph.types[name])
        if wanted is None:
            continue
        readers.subtract(node.inputs)
        for name in {*node.inputs, *node.results}.difference(wanted):
            if not readers[name]:
                values.pop(name, None)
    return values


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
