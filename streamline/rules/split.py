"""Split: parts of the data one behind the other along an axis, each a result."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from lutloom.streamline.context import required_formula, required_integers
from lutloom.streamline.data_axes import data_axis
from lutloom.streamline.errors import ModelError
from lutloom.streamline.take import behind, take

if TYPE_CHECKING:
    from lutloom.streamline.context import Context, Inputs, Results
    from lutloom.streamline.source import SourceNode

_INPUTS_SINCE = 13


def split(node: SourceNode, inputs: Inputs, context: Context) -> Results:
    """Return parts of given sizes, or equal ones but for a smaller last.

    Raises ``ModelError`` for sizes that do not add up, and for the batch.
    """
    x = required_formula(node, inputs, 0, "a split")
    axis = data_axis(node, node.integer("axis", 0), x.shape)
    sizes = _sizes(node, inputs, x.shape[axis], context.opset)
    if min(sizes) < 1 or sum(sizes) != x.shape[axis] or len(sizes) != len(node.outputs):
        raise ModelError(
            f"{node} splits {x.shape[axis]} elements into {len(node.outputs)} parts of the sizes"
            f" {list(sizes)}, which should be positive and add up; export the model again"
        )
    ends = pairwise(accumulate(sizes, initial=0))
    return tuple(
        behind(node, x, take(context.build, node, x, axis, range(*part))) if name else None
        for name, part in zip(node.outputs, ends, strict=True)
    )


def _sizes(node: SourceNode, inputs: Inputs, size: int, opset: int) -> tuple[int, ...]:
    if opset < _INPUTS_SINCE:
        sizes = node.integers("split")
    else:
        is_given = len(inputs) > 1 and inputs[1] is not None
        sizes = required_integers(node, inputs, 1, "split") if is_given else None
    if sizes:
        return sizes
    count = node.integer("num_outputs", len(node.outputs))
    if count < 1:
        raise ModelError(f"{node}: its num_outputs is {count}, and should be positive")
    each = -(-size // count)
    return (*(each for _ in range(count - 1)), size - each * (count - 1))
