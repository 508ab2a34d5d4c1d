"""TopK, ArgMax and ArgMin: comparisons of integers that are in the order of the reals.

``s * q[i] + b > s * q[j] + b`` holds if and only if ``q[i] > q[j]``, for ``s > 0``; equal integers
are equal reals, so that ties go to the lowest index on both sides. Channels with scales and biases
of their own are multiplied and shifted first (``ranking``). The smallest are the largest of the
negated numbers. A clamp that all channels share is one of integers. A function that increases
strictly changes no comparison: the indices behind a softmax or a sigmoid are those in front of it,
of real numbers, which do not saturate. Otherwise the host compares.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, floor
from typing import TYPE_CHECKING

from lutloom.core.ops import Permute, Requantize, TopK
from lutloom.core.ops.requantize import digits
from lutloom.core.types import Const
from lutloom.streamline.align import varying_axes
from lutloom.streamline.context import required, required_integers, shape_of
from lutloom.streamline.errors import ModelError
from lutloom.streamline.layout import reordered
from lutloom.streamline.ranking import Line, Ranks, ranks
from lutloom.streamline.rules.host import host_only
from lutloom.streamline.source import SourceNode
from lutloom.streamline.symbols import Curve, HostFloat, Indices, Scaled

if TYPE_CHECKING:
    from lutloom.core.rational import Rationals
    from lutloom.streamline.builder import GraphBuilder
    from lutloom.streamline.context import Context, Inputs, Results
    from lutloom.streamline.symbols import Symbol

_INCREASING = frozenset({"Dropout", "Erf", "Exp", "Identity", "Sigmoid", "Softplus", "Tanh"})
_SOFTMAX = frozenset({"LogSoftmax", "Softmax"})
_COERCED_SOFTMAX_UNTIL = 13


@dataclass(frozen=True, slots=True)
class Selection:
    """What a TopK, ArgMax or ArgMin asks for; axes leave the batch out."""

    axis: int
    k: int
    shape: tuple[int, ...]
    """Of the result."""
    largest: bool
    last: bool
    """Whether the last of equal values is chosen, not the first."""


def top_k(node: SourceNode, inputs: Inputs, context: Context) -> Results:
    """Return the indices of the largest or smallest, as the second result: values have none."""
    if node.outputs[0] and context.users.get(node.outputs[0], 0):
        raise ModelError(
            f"{node}: its values are used; end the model before it, or use its indices only"
        )
    return None, arg_max(node, inputs, context)


def arg_max(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """Return the index of the largest, or of the smallest for ``ArgMin``."""
    x = required(node, inputs, 0)
    shape = shape_of(node, x)
    wanted = selection(node, inputs, shape)
    before = _before_increasing(x, wanted.axis, context)
    found = _on_integers(node, before, wanted, context) if isinstance(before, Scaled) else None
    if found is not None:
        return Indices(found, wanted.shape)
    if wanted.last:
        raise ModelError(
            f"{node} takes the last of equal values, which the host does not; export it with"
            " select_last_index=0"
        )
    y = host_only(node, (x,), context)
    assert isinstance(y, HostFloat)
    return HostFloat(y.start, wanted.shape, y.trail, y.because)


def _before_increasing(x: Symbol, axis: int, context: Context) -> Symbol:
    """Return what has the same order along ``axis`` as ``x``, as far back as there is something."""
    while isinstance(x, HostFloat | Curve) and x.trail:
        node = x.trail[-1]
        if not isinstance(node, SourceNode):
            break
        if node.op_type in _SOFTMAX:
            coerced = context.opset < _COERCED_SOFTMAX_UNTIL
            rank = len(x.shape) + 1
            over = node.integer("axis", 1 if coerced else -1) % rank - 1
            # Until opset 13 it runs over all axes from the given one on.
            is_increasing = over <= axis if coerced else over == axis
        else:
            is_increasing = node.op_type in _INCREASING
        if not is_increasing:
            break
        x = context.symbols[node.inputs[0]]
    return x


def _on_integers(node: SourceNode, x: Scaled, wanted: Selection, context: Context) -> str | None:
    """Return the value of the graph that holds the indices; None if no integers are comparable."""
    build = context.build
    if x.value in build.deferred or (x.is_clamped and any(a.size > 1 for a in x.arrays)):
        return None
    if x.is_clamped:
        x = _clamped(node, x, build)
    order = (*(axis for axis in range(len(x.shape)) if axis != wanted.axis), wanted.axis)
    moves = tuple(x.axes.index(axis) for axis in order)
    slope, offset = x.slope.transpose(moves), x.offset.transpose(moves)
    last = len(order) - 1
    varying = varying_axes(slope, offset)
    channels: Ranks | None = None
    if (
        last in varying
        or wanted.last
        or not wanted.largest
        or any(s <= 0 for s in slope.ravel().tolist())
    ):
        if varying not in ((), (last,)):
            return None
        sign = 1 if wanted.largest else -1
        lines = _lines(build, x, slope * sign, offset * sign, order)
        channels = ranks(lines, last=wanted.last)
        if channels is None:
            return None
    x = reordered(build, node, x, order)
    value = x.value
    if channels is not None:
        value = build.add(node, "/scale", _product(channels, lines), (value,))
    value = build.add(node, "", TopK(wanted.k), (value,))
    if wanted.k > 1 and wanted.axis != last:
        back = tuple(order.index(axis) for axis in range(len(order)))
        value = build.add(node, "/permute", Permute(back), (value,))
    return value


def _clamped(node: SourceNode, x: Scaled, build: GraphBuilder) -> Scaled:
    """Return integers in the order of ``x``: clamped at the last ones behind its bounds.

    All channels share scale, bias and bounds.
    """
    element = build.types[x.value].element
    slope, offset = x.slope.item(), x.offset.item()
    lower, upper = (None if bound is None else bound.item() for bound in (x.lower, x.upper))
    if slope < 0:
        lower, upper = upper, lower
    lowest, highest = element.lo, element.hi
    if slope == 0 or (lower is not None and lower == upper):
        highest = lowest  # a constant
    if slope and lower is not None:
        lowest = min(max(lowest, floor((lower - offset) / slope)), element.hi)
    if slope and upper is not None:
        highest = max(min(highest, ceil((upper - offset) / slope)), element.lo)
    one, zero = Const([[1]]), Const([[0]])
    clamp = Requantize(one, zero, 0, Const([lowest]), Const([max(lowest, highest)]))
    value = build.add(node, "/clamp", clamp, (x.value,))
    return replace(x, value=value, lower=None, upper=None)


def _lines(
    build: GraphBuilder, x: Scaled, slope: Rationals, offset: Rationals, order: tuple[int, ...]
) -> list[Line]:
    import numpy as np

    count = x.shape[order[-1]]
    element = build.types[x.value].element
    lows, highs = build.bounds(x.value)
    if x.axes[-1] != order[-1]:
        lows, highs = [element.lo] * count, [element.hi] * count
    numbers = (np.broadcast_to(array.reshape(-1), (count,)).tolist() for array in (slope, offset))
    return [
        Line(a, b, lo, hi, element.step) for a, b, lo, hi in zip(*numbers, lows, highs, strict=True)
    ]


def _product(channels: Ranks, lines: list[Line]) -> Requantize:
    """Return the multiplication and shift of each channel, without any clamp that is felt."""
    import numpy as np

    ends = [
        sorted(m * end + bias for end in (line.lo, line.hi))
        for m, bias, line in zip(channels.multipliers, channels.biases, lines, strict=True)
    ]
    lowest, highest = min(end[0] for end in ends), max(end[1] for end in ends)
    multipliers, biases = (
        digits(np.array(numbers, dtype=object))
        for numbers in (channels.multipliers, channels.biases)
    )
    return Requantize(multipliers, biases, 0, Const([lowest]), Const([highest]))


def selection(node: SourceNode, inputs: Inputs, shape: tuple[int, ...]) -> Selection:
    """Return what ``node`` asks for of data of the ``shape``.

    Raises ``ModelError`` for results in no order, and for an axis or a k that the data do not
    have.
    """
    rank = len(shape) + 1
    is_top = node.op_type == "TopK"
    axis = node.integer("axis", -1 if is_top else 0)
    k = 1
    if is_top and "k" in node.attributes:  # before opset 10
        k = node.integer("k", 1)
    elif is_top:
        given = required_integers(node, inputs, 1, "k")
        if len(given) != 1:
            raise ModelError(f"{node}: its k should be one number, not {list(given)}")
        (k,) = given
    if not -rank <= axis < rank or axis % rank == 0:
        raise ModelError(f"{node}: its axis {axis} should be one of the data's, not the batch")
    axis = axis % rank - 1
    if not 1 <= k <= shape[axis]:
        raise ModelError(f"{node}: k is {k}, but the data have {shape[axis]} values to choose from")
    if k > 1 and not node.integer("sorted", 1):
        raise ModelError(
            f"{node} gives its {k} values in no order, which nothing can be equal to; export it"
            " with sorted=1"
        )
    result = (*shape[:axis], k, *shape[axis + 1 :])
    if not is_top and not node.integer("keepdims", 1):
        result = (*shape[:axis], *shape[axis + 1 :])
    largest = bool(node.integer("largest", 1)) and node.op_type != "ArgMin"
    last = not is_top and bool(node.integer("select_last_index", 0))
    return Selection(axis, k, result, largest, last)
