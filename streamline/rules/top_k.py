"""TopK and ArgMax: comparisons of integers where one positive scale makes them comparable.

``s * q[i] + b > s * q[j] + b`` holds if and only if ``q[i] > q[j]``, for ``s > 0``; equal integers
are equal reals, so that ties go to the lowest index on both sides. Otherwise the host compares.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.core.ops import TopK
from lutloom.streamline.context import required, required_integers, shape_of
from lutloom.streamline.errors import ModelError
from lutloom.streamline.layout import in_model_order
from lutloom.streamline.rules.host import host_only
from lutloom.streamline.symbols import HostFloat, Indices, Scaled

if TYPE_CHECKING:
    from lutloom.streamline.context import Context, Inputs
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Symbol


def top_k(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """Return the indices of the largest; the values must be unused.

    The result stands for the node's second output.
    """
    if node.outputs[0] and context.users.get(node.outputs[0], 0):
        raise ModelError(
            f"{node}: its values are used; end the model before it, or use its indices only"
        )
    return _largest(node, inputs, context)


def arg_max(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """Return the index of the largest."""
    if node.integer("select_last_index", 0):
        raise ModelError(f"{node} takes the last of equal values: export it with the first")
    return _largest(node, inputs, context)


def _largest(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    x = required(node, inputs, 0)
    shape = shape_of(node, x)
    axis, k, result = selection(node, inputs, shape)
    if not isinstance(x, Scaled) or axis != len(shape) - 1 or not _comparable(x):
        y = host_only(node, (x,), context)
        assert isinstance(y, HostFloat)
        return HostFloat(y.start, result, y.trail, y.because)
    x = in_model_order(context.build, node, x)
    value = context.build.add(node, "", TopK(k), (x.value,))
    return Indices(value, result)


def _comparable(x: Scaled) -> bool:
    return not x.is_clamped and x.slope.size == 1 and x.offset.size == 1 and x.slope.ravel()[0] > 0


def selection(
    node: SourceNode, inputs: Inputs, shape: tuple[int, ...]
) -> tuple[int, int, tuple[int, ...]]:
    """Return axis (without the batch), k and the shape of the result of a TopK or ArgMax.

    Raises ``ModelError`` for the smallest instead of the largest, and for an axis or a k that
    the data do not have.
    """
    rank = len(shape) + 1
    if node.op_type == "ArgMax":
        axis, k = node.integer("axis", 0), 1
    else:
        axis = node.integer("axis", -1)
        has_attribute = "k" in node.attributes  # before opset 10
        given = (
            (node.integer("k", 1),) if has_attribute else required_integers(node, inputs, 1, "k")
        )
        if len(given) != 1:
            raise ModelError(f"{node}: its k should be one number, not {list(given)}")
        (k,) = given
        if not node.integer("largest", 1) or not node.integer("sorted", 1):
            raise ModelError(f"{node} should give the largest values, sorted")
    if not -rank <= axis < rank or axis % rank == 0:
        raise ModelError(f"{node}: its axis {axis} should be one of the data's, not the batch")
    axis = axis % rank - 1
    if not 1 <= k <= shape[axis]:
        raise ModelError(f"{node}: k is {k}, but the data have {shape[axis]} values to choose from")
    result = (*shape[:axis], k, *shape[axis + 1 :])
    if node.op_type == "ArgMax" and not node.integer("keepdims", 1):
        result = (*shape[:axis], *shape[axis + 1 :])
    return axis, k, result
