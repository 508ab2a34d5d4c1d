"""Concat of data: ``[s p + a, t q + b, ...]`` along an axis, each branch with its own scales.

Along the channels this costs nothing: every channel has a scale and a bias of its own, which the
layer behind takes, as it does those of a quantizer by channel. Along another axis the integers get
one scale and one bias, if integers that are a little wider can have that; else the numbers differ
by place, which a quantizer takes and a sum does not. Exact: elements move, and integers are
multiplied where the rationals they stand for are divided.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lutloom.core.ops import Concat
from lutloom.streamline.align import compact
from lutloom.streamline.border_classes import check_elements, expanded
from lutloom.streamline.context import required, required_formula
from lutloom.streamline.data_axes import data_axis
from lutloom.streamline.errors import ModelError
from lutloom.streamline.layout import reordered
from lutloom.streamline.rules.shape_arithmetic import concat_of_shapes
from lutloom.streamline.symbols import Constant, Scaled, ShapeOf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lutloom.core.rational import Rationals
    from lutloom.streamline.context import Context, Inputs
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Formula, Symbol


def concat(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """Return the data, and constants among them, one behind the other.

    Raises ``ModelError`` where they differ in shape, and for the batch.
    """
    symbols = [required(node, inputs, index) for index in range(len(inputs))]
    if any(isinstance(symbol, ShapeOf) for symbol in symbols):
        return concat_of_shapes(node, inputs)
    branches = [
        required_formula(node, inputs, index, "a concatenation")
        for index, symbol in enumerate(symbols)
        if not isinstance(symbol, Constant)
    ]
    first = branches[0]
    axis = data_axis(node, node.integer("axis", 1), first.shape)
    if len(symbols) == 1:
        return first
    for branch in branches:
        _check_shape(node, branch.shape, first.shape, axis)
    return joined(node, branches, axis, context)


def _check_shape(
    node: SourceNode, shape: tuple[int, ...], first: tuple[int, ...], axis: int
) -> None:
    if len(shape) == len(first):
        others = (*shape[:axis], first[axis], *shape[axis + 1 :])
        if others == first:
            return
    raise ModelError(
        f"{node} joins tensors of the shapes {['N', *first]} and {['N', *shape]}, which should"
        f" differ along axis {axis + 1} only; export the model again"
    )


def joined(node: SourceNode, branches: Sequence[Formula], axis: int, context: Context) -> Scaled:
    """Return ``branches``, which differ in size along the model's ``axis`` only, as one."""
    build = context.build
    whole = [expanded(node, branch) for branch in branches if isinstance(branch, Scaled)]
    axes = _order(whole)
    whole = [reordered(build, node, branch, axes) for branch in whole]
    if not _are_alike(whole) and axes[-1] != axis and axes == tuple(range(len(axes))):
        # Nobody has moved these yet: what differs lies last, as the channels of a layer.
        axes = (*(a for a in axes if a != axis), axis)
        whole = [reordered(build, node, branch, axes) for branch in whole]
    place = axes.index(axis)
    value = build.add(node, "", Concat(place), [branch.value for branch in whole])
    sizes = [branch.shape[axis] for branch in whole]
    shape = (*whole[0].shape[:axis], sum(sizes), *whole[0].shape[axis + 1 :])

    def one(arrays: list[Rationals | None]) -> Rationals | None:
        return along(node, arrays, place, sizes)

    slope, offset = one([x.slope for x in whole]), one([x.offset for x in whole])
    assert slope is not None
    assert offset is not None
    lower, upper = one([x.lower for x in whole]), one([x.upper for x in whole])
    y = Scaled(value, axes, shape, slope, offset, lower, upper)
    # A clamp of several tensors is for a quantizer: no chain of the host's has their clamps.
    return replace(y, root=value, trail=(node,)) if y.is_clamped else y


def _order(branches: Sequence[Scaled]) -> tuple[int, ...]:
    """Return the order of axes in which branches meet: not the model's own, if one has another."""
    in_order = tuple(range(len(branches[0].axes)))
    return next((x.axes for x in branches if x.axes != in_order), in_order)


def _are_alike(branches: Sequence[Scaled]) -> bool:
    """Whether all have one scale, one bias and the same clamp."""
    first = branches[0]
    return all(
        len(x.arrays) == len(first.arrays)
        and all(
            a.size == b.size == 1 and a.item() == b.item()
            for a, b in zip(x.arrays, first.arrays, strict=True)
        )
        for x in branches[1:]
    )


def along(
    node: SourceNode, arrays: Sequence[Rationals | None], place: int, sizes: Sequence[int]
) -> Rationals | None:
    """Return ``arrays`` of so many places one behind the other; None where all are absent.

    An absent bound among others is None for each of its places.
    """
    import numpy as np

    present = [array for array in arrays if array is not None]
    if not present:
        return None
    absent = np.full((1,) * present[0].ndim, None, dtype=object)
    own = [absent if array is None else array for array in arrays]
    shape = np.broadcast_shapes(*(np.delete(array.shape, place) for array in own))
    whole = [
        np.broadcast_to(array, (*shape[:place], size, *shape[place:]))
        for array, size in zip(own, sizes, strict=True)
    ]
    check_elements(node, sum(array.size for array in whole))
    return compact(np.concatenate(whole, axis=place))
