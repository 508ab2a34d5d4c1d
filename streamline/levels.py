"""The levels of a quantizer as numbers of their own: thresholds, products, pools behind them.

The channels of a staircase are the last axis of a value. Along the border of an image staircases
may differ, by classes of rows and columns; where they vary along several axes otherwise, every
element is a channel. A max pool in front of a quantizer comes behind its levels where that makes
the pixels narrower.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

from lutloom.core.ops import Concat
from lutloom.core.rational import rationals
from lutloom.core.types import IntType
from lutloom.streamline.align import by_channel, compact, varies_in_place
from lutloom.streamline.border_classes import check_elements, expanded, spread
from lutloom.streamline.border_steps import border_of
from lutloom.streamline.errors import ModelError
from lutloom.streamline.layout import reordered, reshaped
from lutloom.streamline.pending_pool import (
    before,
    ends_of,
    falling,
    turned,
    turning,
)
from lutloom.streamline.requantize import WideSteps, requantize
from lutloom.streamline.settled_sum import settled
from lutloom.streamline.staircase import Ramp, staircase
from lutloom.streamline.symbols import Curve, Scaled

if TYPE_CHECKING:
    from lutloom.core.ops import Requantize, Threshold
    from lutloom.core.rational import Rationals
    from lutloom.streamline.border_steps import Border
    from lutloom.streamline.context import Context
    from lutloom.streamline.pending_pool import PendingPool
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.steps import Steps
    from lutloom.streamline.symbols import Formula


def levelled(node: SourceNode, y: Formula, steps: Rationals, context: Context) -> Scaled:
    """Return the levels ``steps(y)`` as numbers of their own, in some order of axes.

    The channels of a staircase are the last axis. Along the border of an image they may differ;
    where they vary along several axes otherwise, the tensor is flattened.
    """
    build = context.build
    if y.value in build.pools:
        pooled = _before_pool(node, y, steps, context)
        if pooled is not None:
            return pooled
        build.settle(y.value, node)
    if y.value in build.concats:
        return _of_branches(node, y, steps, context)
    deferred = build.deferred.get(y.value)
    factors = () if deferred is None else tuple(deferred.factors.values())
    if not varies_in_place(*y.arrays, *factors, steps):
        return _integers(_levels(node, y, steps, context), y)
    if not (varies_in_place(*factors) or isinstance(steps.reshape(-1)[0], WideSteps)):
        border = border_of(y, steps, build.types[y.value].shape, _channels(y, steps, *factors))
        if border is not None:
            stairs, source = _of_classes(node, border, context)
            return _integers(build.add(node, "", border.operator(stairs), (source,)), y)
    steps = spread(steps, y.classes)
    return _by_element(node, expanded(node, y), steps, context)


def _integers(value: str, like: Formula) -> Scaled:
    """Return the integers ``value``, whose axes are those of ``like``."""
    one, zero = (rationals([n]).reshape((1,) * len(like.shape)) for n in (1, 0))
    return Scaled(value, like.axes, like.shape, one, zero)


def _of_branches(node: SourceNode, y: Formula, steps: Rationals, context: Context) -> Scaled:
    """Return the levels of each branch, joined."""
    build = context.build
    concat = build.concats[y.value]
    steps = spread(steps, y.classes)
    parts = concat.applied(expanded(node, y), steps, build)
    values = [
        reordered(build, node, levelled(node, part, own, context), y.axes).value
        for part, own in parts
    ]
    if len(values) == 1:
        return _integers(values[0], y)
    return _integers(build.add(concat.node, "/levels", Concat(concat.place), values), y)


def _before_pool(node: SourceNode, y: Formula, steps: Rationals, context: Context) -> Scaled | None:
    """Return the levels of the largest as the largest of the levels; None where they differ.

    Raises ``ModelError`` if they differ, and the pool has no results that integers stand for.
    """
    build = context.build
    pool = build.pools[y.value]
    pool.check_moves(*y.arrays, steps)
    falls = None if varies_in_place(*y.arrays, steps) else falling(y, pool, steps)
    if falls is None and pool.signs is None:
        raise ModelError(
            f"{node}: what lies between it and {pool.node} is not known to rise only, or to fall"
            " only, and the largest of what is pooled is no integer; put a quantizer in front of"
            " the pool"
        )
    is_wide = isinstance(steps.reshape(-1)[0], WideSteps)
    is_turned = falls is not None and bool(falls.any())
    if falls is None or not _is_worth_it(steps, pool, is_turned and is_wide, context):
        return None
    ends = ends_of(steps)
    if is_turned and not is_wide:
        steps = turned(steps, falls)
    below = before(y, pool, build)
    if pool.moves:
        steps = steps.reshape((1,) * len(below.shape))
    levels = reordered(build, node, levelled(node, below, steps, context), below.axes)
    value = levels.value
    if is_turned and is_wide:
        turn = turning(falls, ends, build.types[value].element)
        value = build.add(node, "/turned", turn, (value,))
    value = build.add(pool.node, "/levels", pool.op, (value,))
    if is_turned:
        back = turning(falls, ends, build.types[value].element)
        value = build.add(node, "/turned", back, (value,))
    for move in pool.moves:
        value = build.add(node, "/moved", move, (value,))
    return _integers(value, y)


def _is_worth_it(
    steps: Rationals,
    pool: PendingPool,
    is_turned_by_products: bool,  # noqa: FBT001 - a property of the first two
    context: Context,
) -> bool:
    """Whether levels are better pooled than the integers under them, if those can be."""
    if pool.signs is None:
        return True
    if is_turned_by_products:
        return False
    tables: list[Steps | WideSteps] = steps.ravel().tolist()
    lows, highs = zip(*(table.ends for table in tables), strict=True)
    levels = IntType(min(lows), max(highs), abs(tables[0].height))
    integers = context.build.types[pool.source.value].element
    return bool((pool.signs < 0).any()) or levels.bits < integers.bits


def _by_element(node: SourceNode, y: Formula, steps: Rationals, context: Context) -> Scaled:
    """Treat every element as a channel of its own, in the order in which they lie."""
    import numpy as np

    shape = context.build.types[y.value].shape
    size = (prod(shape),)
    check_elements(node, size[0])
    # As if the value's own axes were the model's, so that none of them moves.
    own = replace(y, axes=tuple(range(len(shape))), shape=shape)
    flat = reshaped(context.build, node, own, size)
    flat_steps = compact(np.broadcast_to(steps, shape).reshape(size))
    value = _levels(node, flat, flat_steps, context)
    # No tensor of the model is flat: this value's meaning is recorded behind the next reshape.
    back = reshaped(context.build, node, _integers(value, flat), shape)
    return replace(back, axes=y.axes, shape=y.shape)


def _levels(node: SourceNode, y: Formula, steps: Rationals, context: Context) -> str:
    """Return the value that holds ``steps(y)``; channels are the last axis."""
    build = context.build
    deferred = build.deferred.get(y.value)
    wide = steps.reshape(-1)[0]
    if isinstance(wide, WideSteps):
        return build.add(node, "", _product(node, y, wide, context), (y.value,))
    if deferred is None:
        ranges = _ranges(_channels(y, steps), y, context)
        return build.add(node, "", _staircase(node, y, steps, ranges, context), (y.value,))
    op, source = settled(node, y, steps, build)
    return build.add(node, "", op, (source,))


def _of_classes(node: SourceNode, border: Border, context: Context) -> tuple[Threshold, str]:
    """Return the staircases of all classes, and the value that they are of."""
    build, y = context.build, border.y
    if y.value in build.deferred:
        return settled(node, y, border.steps, build, border.classes)
    lows, highs = _ranges(border.channels, y, context)
    ranges = lows * border.classes, highs * border.classes
    return _staircase(node, y, border.steps, ranges, context), y.value


def _product(node: SourceNode, y: Formula, steps: WideSteps, context: Context) -> Requantize:
    """Return the operator that computes ``steps(y)`` without thresholds; channels as above."""
    levels = f"{node} has {steps.hi - steps.lo + 1} levels within reach, too many for thresholds"
    if isinstance(y, Curve) or y.value in context.build.deferred:
        what = "the function" if isinstance(y, Curve) else "the sum"
        raise ModelError(f"{levels}, and {what} in front of it needs them: quantize to 12 bits")
    op = requantize(_ramps(y, _ranges(_channels(y), y, context)), steps)
    if isinstance(op, str):
        raise ModelError(f"{levels}, and {op}, or quantize to 12 bits")
    return op


def _staircase(
    node: SourceNode,
    y: Formula,
    steps: Rationals,
    ranges: tuple[list[int], list[int]],
    context: Context,
) -> Threshold:
    """Return the operator that computes ``steps(y)``; channels are the last axis."""
    if isinstance(y, Curve):
        # NumPy at module level there.
        from lutloom.streamline.curve_steps import curve_staircase

        element = context.build.types[y.value].element
        shared = steps.reshape(-1).tolist()
        return curve_staircase(node, y.expression, shared, ranges, element.step)
    ramps = _ramps(y, ranges)
    return staircase(ramps, by_channel(steps, len(ramps)))


def _channels(y: Formula, *others: Rationals) -> int:
    """Return how many channels differ in ``y`` or in ``others``: 1 where all share them."""
    return max((array.shape[-1] for array in (*y.arrays, *others) if array.ndim), default=1)


def _ranges(channels: int, y: Formula, context: Context) -> tuple[list[int], list[int]]:
    """Return the ends of the range of each of ``channels``."""
    if channels > 1:
        return context.build.bounds(y.value)
    element = context.build.types[y.value].element
    return [element.lo], [element.hi]


def _ramps(y: Scaled, ranges: tuple[list[int], list[int]]) -> list[Ramp]:
    """Return ``y`` of each channel, one where all share it."""
    lows, highs = ranges
    numbers = (by_channel(array, len(lows)) for array in (y.slope, y.offset, y.lower, y.upper))
    return [Ramp(*entries) for entries in zip(*numbers, lows, highs, strict=True)]
