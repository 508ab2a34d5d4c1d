"""Gather: elements of the data by constant numbers; a constant table by data; sizes of a shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.streamline.context import required, required_constant, required_formula
from lutloom.streamline.data_axes import data_axis
from lutloom.streamline.errors import ModelError
from lutloom.streamline.layout import reshaped
from lutloom.streamline.rules.lookup import lookup
from lutloom.streamline.rules.shape_arithmetic import gather_of_shape
from lutloom.streamline.symbols import Constant, ShapeOf
from lutloom.streamline.take import behind, take

if TYPE_CHECKING:
    from lutloom.streamline.context import Context, Inputs
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Symbol

_MOST_INDICES = 1 << 20


def gather(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """Return elements by their indices.

    Raises ``ModelError`` for indices that are none of the elements, and for the batch.
    """
    match required(node, inputs, 0):
        case ShapeOf():
            return gather_of_shape(node, inputs)
        case Constant() as table:
            return lookup(node, table, inputs, context)
    x = required_formula(node, inputs, 0, "a selection")
    axis = data_axis(node, node.integer("axis", 0), x.shape)
    indices = required_constant(node, inputs, 1, "index").array
    size = x.shape[axis]
    if indices.dtype.kind not in "iu" or not 1 <= indices.size <= _MOST_INDICES:
        raise ModelError(
            f"{node}: its indices should be some integers, not {indices.dtype} of the shape"
            f" {list(indices.shape)}: the file is damaged"
        )
    flat = [int(index) for index in indices.ravel().tolist()]
    if any(not -size <= index < size for index in flat):
        raise ModelError(
            f"{node}: its indices {min(flat)} to {max(flat)} lie outside of {size} elements"
        )
    y = take(context.build, node, x, axis, [index % size for index in flat])
    shape = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    return behind(node, x, reshaped(context.build, node, y, shape))
