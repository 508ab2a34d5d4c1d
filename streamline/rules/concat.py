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
from lutloom.streamline.border_classes import check_elements, in_one_form
from lutloom.streamline.constant_branch import constant_branch
from lutloom.streamline.context import required, required_formula
from lutloom.streamline.data_axes import data_axis
from lutloom.streamline.errors import ModelError
from lutloom.streamline.layout import reordered
from lutloom.streamline.one_scale import with_one_scale
from lutloom.streamline.pending_concat import PendingConcat, own_axes
from lutloom.streamline.rules.shape_arithmetic import concat_of_shapes
from lutloom.streamline.symbols import ONE, ZERO, Constant, Scaled, ShapeOf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lutloom.core.rational import Rationals
    from lutloom.streamline.builder import GraphBuilder
    from lutloom.streamline.context import Context, Inputs
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Formula, Symbol

# Of these the first dimension may be rows as well as channels.
_LONGEST_ROWS = 2


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
    rest = iter(branches)
    whole = [
        constant_branch(node, symbol, branches, axis, context.build)
        if isinstance(symbol, Constant)
        else next(rest)
        for symbol in symbols
    ]
    for branch in whole:
        _check_shape(node, branch.shape, first.shape, axis)
    return _joined(node, whole, axis, context.build)


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


def _joined(
    node: SourceNode, branches: Sequence[Formula], axis: int, build: GraphBuilder
) -> Scaled:
    """Return ``branches``, which differ in size along the model's ``axis`` only, as one."""
    first, axes = branches[0], _order(branches)
    shape = (*first.shape[:axis], sum(x.shape[axis] for x in branches), *first.shape[axis + 1 :])
    # Channels that nobody has moved yet: they come last, as layers want them.
    is_first = axis == 0 and axes == tuple(range(len(axes)))
    held = [x for x in branches if isinstance(x, Scaled) and _is_held(x, build)]
    if len(held) < len(branches):
        axes = (*axes[1:], 0) if is_first else axes
        moved = [reordered(build, node, x, axes) for x in branches]
        return _pending(node, moved, axis, shape, build)
    integers = [reordered(build, node, x, axes) for x in held]
    is_channel = axes[-1] == axis or (is_first and len(axes) > _LONGEST_ROWS)
    if not is_channel and not any(x.is_clamped for x in integers):
        integers = with_one_scale(build, node, integers)
    if is_first and not _are_alike(integers):
        axes = (*axes[1:], 0)
        integers = [reordered(build, node, x, axes) for x in integers]
    place = axes.index(axis)
    integers = list(in_one_form(node, *integers, but=place))
    value = build.add(node, "", Concat(place), [x.value for x in integers])

    def one(arrays: list[Rationals | None]) -> Rationals | None:
        return _along(node, arrays, place, [x.shape[axis] for x in integers])

    slope, offset = one([x.slope for x in integers]), one([x.offset for x in integers])
    lower, upper = one([x.lower for x in integers]), one([x.upper for x in integers])
    assert slope is not None
    assert offset is not None
    y = Scaled(value, axes, shape, slope, offset, lower, upper, classes=integers[0].classes)
    # A clamp of several tensors is for a quantizer: no chain of the host's has their clamps.
    return replace(y, root=value, trail=(node,)) if y.is_clamped else y


def _is_held(x: Formula, build: GraphBuilder) -> bool:
    """Whether the value of ``x`` is in the graph, or is a pool of integers that can be."""
    pool = build.pools.get(x.value)
    is_real = pool is not None and pool.signs is None
    return not is_real and x.value not in build.deferred and x.value not in build.concats


def _pending(
    node: SourceNode,
    branches: Sequence[Formula],
    axis: int,
    shape: tuple[int, ...],
    build: GraphBuilder,
) -> Scaled:
    """Return what only a quantizer can read: branches that are more than integers with scales."""
    import numpy as np

    axes = branches[0].axes
    own = tuple(own_axes(x, build.types[x.value].shape) for x in branches)
    sizes = tuple(x.shape[axis] for x in branches)
    value = build.concat(PendingConcat(node, axes.index(axis), own, sizes))
    one, zero = (np.full((1,) * len(axes), number, dtype=object) for number in (ONE, ZERO))
    return Scaled(value, axes, shape, one, zero, root=value, trail=(node,))


def _order(branches: Sequence[Formula]) -> tuple[int, ...]:
    """Return the order of axes in which branches meet: not the model's own, if one has another."""
    in_order = tuple(range(len(branches[0].axes)))
    return next((x.axes for x in branches if x.axes != in_order), in_order)


def _are_alike(branches: Sequence[Formula]) -> bool:
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


def _along(
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
