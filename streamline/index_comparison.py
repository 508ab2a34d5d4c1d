"""Indices of the largest or smallest values, ours and a float executor's, and what explains them.

Two channels that are equal, or nearly so, may change places by the executor's rounding. That
explains a difference if and only if our channel comes next in the order of the exact values (the
lower of equal ones first), and theirs is within the bounds of it.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from lutloom.streamline.bounded import FLOAT64_MARGIN
from lutloom.streamline.exact_element import element
from lutloom.streamline.source import STANDARD_DOMAINS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.types import IntArray
    from lutloom.streamline.error_bound import Followed
    from lutloom.streamline.exact_model import ExactModel
    from lutloom.streamline.source import Source, SourceNode

_INCREASING = frozenset({"Dropout", "Erf", "Exp", "Identity", "Sigmoid", "Softplus", "Tanh"})


def unexplained_indices(
    ours: IntArray,
    theirs: IntArray,
    source: Source,
    output: str,
    followed: Followed,
) -> NDArray[np.bool_]:
    """Return which of ``ours [batch, ...]`` differ from ``theirs`` without an explanation.

    They are the model's ``output``. Where the values were not ``followed`` with their bounds,
    nothing is explained.
    """
    import numpy as np

    differs = np.asarray(ours != theirs)
    node = _selection(source, output)
    values = None if node is None else followed.known.get(node.inputs[0])
    if not differs.any() or node is None or values is None:
        return differs
    axis = node.integer("axis", -1 if node.op_type == "TopK" else 0) % values.value.ndim
    is_largest = node.op_type != "ArgMin" and bool(node.integer("largest", 1))
    sign = 1 if is_largest else -1
    is_last = bool(node.integer("select_last_index", 0))
    exact = followed.exact
    name = _in_front_of_increasing(node.inputs[0], axis, exact)
    shape = list(values.value.shape)
    shape[axis] = ours.size // (values.value.size // shape[axis])
    mine, other = (np.moveaxis(x.reshape(shape), axis, -1) for x in (ours, theirs))
    wrong = np.moveaxis(differs.reshape(shape).copy(), axis, -1)
    rows, errors = (np.moveaxis(x, axis, -1) for x in (values.value, values.error))
    for place in map(tuple, np.argwhere(wrong).tolist()):
        row, rank = place[:-1], place[-1]
        there = int(other[place])
        if not 0 <= there < rows.shape[-1]:
            continue
        chosen = [int(index) for index in mine[row][: rank + 1]]
        value, error = rows[row], errors[row]
        bound = float(error[there] + error.max())
        if not bound > 0 or not abs(value[chosen[-1]] - value[there]) <= bound:
            continue
        # The channels that float64 can't tell from ours; of the others, none may come before it.
        lead = sign * (value[chosen[-1]] - value)
        lead[chosen] = np.inf
        margin = FLOAT64_MARGIN * (error + error[chosen[-1]])
        if (lead < -margin).any():
            continue
        close = [chosen[-1], *np.flatnonzero(lead <= margin).tolist()]
        exactly = [element(exact, name, (*row[:axis], channel, *row[axis:])) for channel in close]
        order = [-channel if is_last else channel for channel in close]
        wrong[place] = not _is_first(order, [x if x is None else sign * x for x in exactly])
    return np.asarray(np.moveaxis(wrong, -1, axis).reshape(differs.shape))


def _is_first(order: list[int], values: list[Fraction | None]) -> bool:
    """Return whether the first of ``values`` is the largest, and of equal ones that by ``order``.

    What is no rational number is no tie either: float64's word is taken for it.
    """
    own = values[0]
    return own is None or all(
        value is None or own > value or (own == value and order[0] < place)
        for place, value in zip(order[1:], values[1:], strict=True)
    )


def _in_front_of_increasing(name: str, axis: int, exact: ExactModel) -> str:
    """Return the tensor behind which only strictly increasing functions lie: its order is theirs.

    In real numbers, that is: floats saturate.
    """
    while (node := exact.nodes.get(name)) is not None:
        rank = exact.tensors[name].ndim
        is_softmax = node.op_type in ("Softmax", "LogSoftmax")
        if is_softmax and node.integer("axis", -1) % rank != axis:
            break
        if not is_softmax and node.op_type not in _INCREASING:
            break
        name = node.inputs[0]
    return name


def _selection(source: Source, output: str) -> SourceNode | None:
    """Return the last node in front of ``output`` that selects channels."""
    wanted = {output}
    for node in reversed(source.nodes):
        if wanted.isdisjoint(node.outputs):
            continue
        if node.op_type in ("TopK", "ArgMax", "ArgMin") and node.domain in STANDARD_DOMAINS:
            return node
        wanted.update(name for name in node.inputs if name)
    return None
