"""Slice: some of the data along some axes; or some numbers of a shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.streamline.context import required, required_formula, required_integers
from lutloom.streamline.data_axes import data_axis
from lutloom.streamline.errors import ModelError
from lutloom.streamline.rules.shape_arithmetic import slice_of_shape
from lutloom.streamline.symbols import ShapeOf
from lutloom.streamline.take import behind, take

if TYPE_CHECKING:
    from lutloom.streamline.context import Context, Inputs
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Symbol

_INPUTS_SINCE = 10
# An end beyond every size, as exporters write it: PyTorch's is 2^63 - 1.
_NO_END = 2**31 - 1


def slice_(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """Return what lies between ``starts`` and ``ends``, every ``steps``-th element.

    Raises ``ModelError`` for the batch, for a step of 0, and where nothing is left.
    """
    if isinstance(required(node, inputs, 0), ShapeOf):
        return slice_of_shape(node, inputs)
    x = required_formula(node, inputs, 0, "a slice")
    starts, ends, axes, steps = _numbers(node, inputs, len(x.shape) + 1, context.opset)
    y = x
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step == 0:
            raise ModelError(f"{node}: its step is 0: the file is damaged")
        if axis in (0, -len(x.shape) - 1) and start == 0 and end >= _NO_END and step == 1:
            continue  # the whole batch
        place = data_axis(node, axis, x.shape)
        index = range(*slice(start, end, step).indices(y.shape[place]))
        if not index:
            raise ModelError(
                f"{node} leaves nothing of {y.shape[place]} elements: from {start} to {end} by"
                f" {step}; export the model again"
            )
        y = take(context.build, node, y, place, index)
    return behind(node, x, y)


def _numbers(
    node: SourceNode, inputs: Inputs, rank: int, opset: int
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Return starts, ends, axes and steps: one of each for every axis that is cut."""
    names = ("starts", "ends", "axes", "steps")
    found: list[tuple[int, ...] | None] = []
    for place, name in enumerate(names, 1):
        if opset < _INPUTS_SINCE:
            found.append(node.integers(name))
        else:
            is_given = len(inputs) > place and inputs[place] is not None
            found.append(required_integers(node, inputs, place, name) if is_given else None)
    starts, ends = found[0] or (), found[1] or ()
    axes = tuple(range(len(starts))) if found[2] is None else found[2]
    steps = (1,) * len(starts) if found[3] is None else found[3]
    whole = [axis % rank for axis in axes if -rank <= axis < rank]
    if not len(starts) == len(ends) == len(axes) == len(steps) or len(set(whole)) < len(whole):
        raise ModelError(
            f"{node}: its starts {list(starts)}, ends {list(ends)}, axes {list(axes)} and steps"
            f" {list(steps)} should be one number for each of several axes of {rank} dimensions;"
            " export the model again"
        )
    return starts, ends, axes, steps
