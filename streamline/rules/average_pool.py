"""AveragePool, GlobalAveragePool, ReduceMean and ReduceSum: a sum of integers, a scale outside.

With ``x = s * q + b`` the mean of a window is ``s / d * sum(q) + n / d * b``, where ``n`` pixels
lie within the image and ``d`` divides: ``n`` again, or with ``count_include_pad`` all places within
the image and the padding that ``pads`` asks for, which does not include what a last window of
``ceil_mode`` has behind them. Both vary along the border only: by classes of rows and of columns.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING

from lutloom.core.ops import Add, Permute, Reshape, SumPool
from lutloom.core.windows import Windows
from lutloom.streamline.align import compact, model_shape, varies_in_place
from lutloom.streamline.clamp_terms import widest_factor
from lutloom.streamline.context import required_scaled
from lutloom.streamline.errors import ModelError
from lutloom.streamline.layout import in_model_order, reordered, reshaped
from lutloom.streamline.paddings import seen_by_taps
from lutloom.streamline.rules.reduced_axes import reduced_axes
from lutloom.streamline.symbols import Scaled
from lutloom.streamline.window_attributes import image_axes, kernel_shape, pads_of, windows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lutloom.core.op import Op
    from lutloom.core.rational import Rationals
    from lutloom.core.types import IntArray
    from lutloom.streamline.builder import GraphBuilder
    from lutloom.streamline.context import Context, Inputs
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Symbol

# Images of two dimensions, and their channels.
_MOST_RANK = 3
# Of multipliers that are no trouble.
_NARROW_BITS = 8


def average_pool(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """Return the mean of each window, channels being the model's axis 1."""
    x = unclamped(node, inputs, "a mean")
    x = reordered(context.build, node, x, image_axes(node, len(x.shape)))
    image = context.build.types[x.value].shape[:-1]
    kernel = kernel_shape(node, len(image))
    windows = windows_of(node, kernel, image, ceil_mode=bool(node.integer("ceil_mode", 0)))
    pads = pads_of(node, kernel, image) if node.integer("count_include_pad", 0) else None
    divisors = [
        inside if pads is None else _padded(windows, size, len(inside), axis, pads)
        for axis, (size, inside) in enumerate(zip(image, _inside(windows, image), strict=True))
    ]
    if any(0 in of_axis for of_axis in divisors):
        raise ModelError(
            f"{node}: a window lies in the padding altogether, and nothing there counts"
        )
    return pooled_sum(node, x, windows, context, divisors=divisors)


def global_average_pool(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """Return the mean of each channel."""
    x = unclamped(node, inputs, "a mean")
    return _along(node, x, tuple(range(1, len(x.shape))), context, is_mean=True)


def reduce_sum(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """Return the sum along some axes, or the mean."""
    is_mean = node.op_type == "ReduceMean"
    x = unclamped(node, inputs, "a mean" if is_mean else "a sum")
    reduction = reduced_axes(node, inputs, x.shape)
    if not reduction.axes:
        return x
    y = _along(node, x, reduction.axes, context, is_mean=is_mean)
    return reshaped(context.build, node, y, reduction.shape)


def unclamped(node: SourceNode, inputs: Inputs, wanted: str) -> Scaled:
    """Return an input that must be integers in disguise, without a ReLU or clip behind them."""
    x = required_scaled(node, inputs, 0, wanted)
    if x.is_clamped:
        raise ModelError(
            f"{node}: {wanted} needs integers, but {x.trail[-1]} before it makes floats and is not"
            " followed by a quantizer; quantize the activations of that layer"
        )
    return x


def pooled_sum(
    node: SourceNode,
    x: Scaled,
    windows: Windows,
    context: Context,
    *,
    divisors: Sequence[IntArray] | None = None,
) -> Scaled:
    """Return the sum of each window of ``x``, whose value is ``[*image, C]``.

    It is divided by the product of the ``divisors`` of its place along each axis, ``[results]``.

    Raises ``ModelError`` where the pixels have scales of their own.
    """
    import numpy as np

    build = context.build
    if varies_in_place(x.slope):
        raise ModelError(
            f"{node} adds up pixels that have scales of their own, as those of a mean have at the"
            " border of an image; put a quantizer in front of it"
        )
    image = build.types[x.value].shape[:-1]
    op = SumPool(windows.kernel, windows.stride, windows.dilation, windows.pads)
    value = _pooled(node, op, x.value, build)
    shape = model_shape(x.axes, build.types[value].shape)
    inside = _inside(windows, image)
    divisors = [np.ones_like(counts) for counts in inside] if divisors is None else divisors
    offset, of_results = x.offset, [np.zeros_like(counts) for counts in inside]
    if varies_in_place(offset):
        offset, of_results = _sums_of_offsets(node, x, windows, of_results)
        inside = [np.ones_like(counts) for counts in inside]
    slope, found = x.slope, []
    for axis, keys in enumerate(zip(inside, divisors, of_results, strict=True)):
        _, first, index = np.unique(np.stack(keys), axis=1, return_index=True, return_inverse=True)
        counts, by, own = (key[first].tolist() for key in keys)
        if offset.shape[axis] > 1:
            offset = offset.take(own, axis=axis)
        slope = slope * _along_axis([Fraction(1, d) for d in by], axis, x)
        shares = [Fraction(n, d) for n, d in zip(counts, by, strict=True)]
        offset = offset * _along_axis(shares, axis, x)
        found.append(None if len(first) == 1 else index.reshape(-1))
    slope, offset = compact(slope), compact(offset)
    borders = tuple(
        index if max(slope.shape[axis], offset.shape[axis]) > 1 else None
        for axis, index in enumerate((*found, None))
    )
    if all(index is None for index in borders):
        borders = ()
    return Scaled(value, x.axes, shape, slope, offset, classes=borders)


def _pooled(node: SourceNode, op: SumPool, value: str, build: GraphBuilder) -> str:
    """Return the sums of windows of ``value``; of a sum with wide multipliers, that of its pools.

    Then a quantizer behind may do with narrow multipliers, and there are fewer results to multiply.
    """
    moves: list[Op] = [op]
    add = build.producer(value)
    while add is not None and isinstance(add.op, Permute | Reshape):
        moves.append(add.op)
        add = build.producer(add.inputs[0])
    if add is None or not isinstance(add.op, Add) or widest_factor(add.op) <= _NARROW_BITS:
        return build.add(node, "", op, (value,))
    if len(moves) > 1 and add.op.multipliers.shape[1] > 1:
        return build.add(node, "", op, (value,))
    pools = list(add.inputs)
    for move in reversed(moves):
        pools = [build.add(node, "/branch", move, (name,)) for name in pools]
    return build.add(node, "", add.op, pools)


def _sums_of_offsets(
    node: SourceNode, x: Scaled, windows: Windows, alone: Sequence[IntArray]
) -> tuple[Rationals, list[IntArray]]:
    """Return what the offsets of ``x``, which vary by place, add up to, with an entry a class.

    The second result is the class of each result along each axis: that of ``alone`` where there
    is only one.
    """
    import numpy as np

    zero = np.full(1, Fraction(0), dtype=object)
    image = tuple(x.shape[axis] for axis in x.axes)[:-1]
    seen, classes = seen_by_taps(node, x, windows, image, zero)
    of_results = list(alone)
    for axis, index in enumerate(classes[: windows.rank]):
        of_results[axis] = of_results[axis] if index is None else index
    return np.asarray(seen.sum(axis=tuple(range(windows.rank)))), of_results


def _along_axis(numbers: list[Fraction], axis: int, x: Scaled) -> Rationals:
    """Return ``numbers`` along one axis of the value of ``x``."""
    import numpy as np

    shape = [1] * len(x.shape)
    shape[axis] = len(numbers)
    return np.array(numbers, dtype=object).reshape(shape)


def _inside(windows: Windows, image: tuple[int, ...]) -> list[IntArray]:
    """Return how many taps of each result see a pixel, along each axis."""
    borders = windows.borders(image)
    return [
        mask.sum(axis=1)[classes]
        for classes, mask in zip(borders.classes, borders.patterns, strict=True)
    ]


def _padded(
    windows: Windows, size: int, results: int, axis: int, pads: tuple[int, ...]
) -> IntArray:
    """Return how many taps of each result lie within the image or its ``pads``, along an axis."""
    import numpy as np

    starts = windows.stride[axis] * np.arange(results)
    taps = windows.dilation[axis] * np.arange(windows.kernel[axis])
    end = size + pads[axis] + pads[windows.rank + axis]
    return np.asarray((starts[:, None] + taps < end).sum(axis=1))


def _along(
    node: SourceNode, x: Scaled, axes: tuple[int, ...], context: Context, *, is_mean: bool
) -> Scaled:
    """Return the sum or the mean along ``axes``, which stay, of size 1."""
    import numpy as np

    rank = len(x.shape)
    kept = tuple(axis for axis in range(rank) if axis not in axes)
    is_image = 0 not in axes and 1 < rank <= _MOST_RANK
    order = (*range(1, rank), 0) if is_image else (*axes, *kept)
    x = replace(
        x, axes=tuple(order.index(axis) for axis in x.axes), shape=tuple(x.shape[a] for a in order)
    )
    whole = x.shape
    if not is_image:
        sizes = (prod(x.shape[: len(axes)]), prod(x.shape[len(axes) :]))
        x = reshaped(context.build, node, x, sizes)
    x = in_model_order(context.build, node, x)
    image = context.build.types[x.value].shape[:-1]
    kernel = tuple(
        size if not is_image or place + 1 in axes else 1 for place, size in enumerate(image)
    )
    count = len(image)
    windows = Windows(kernel, (1,) * count, (1,) * count, (0,) * (2 * count), (1,) * count)
    y = pooled_sum(node, x, windows, context)
    share = Fraction(1, prod(kernel) if is_mean else 1)
    y = replace(y, slope=np.asarray(y.slope * share), offset=np.asarray(y.offset * share))
    left = tuple(1 if axis in axes else size for axis, size in zip(order, whole, strict=True))
    y = reshaped(context.build, node, y, left)
    shape = model_shape(order, left)
    return replace(y, axes=tuple(order[axis] for axis in y.axes), shape=shape)
