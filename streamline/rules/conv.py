"""Conv with constant weights: a convolution of integers, a scale an output channel outside.

Padding is the real number 0. With ``x = s * q + b`` it is the integer ``z = -b / s``, if that is
one and the same for all channels: then masked taps see it, and the offset is that of all taps. Else
they see nothing, and what the offsets add up to differs with the taps that see a pixel: along the
border of the image, by classes of its rows and columns. Both are the same sum; the first has one
offset for each channel. (``z`` is 0 for a bipolar tensor without offset, which no value of it
stands for: it contributes nothing, as it should.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.core.ops import Conv
from lutloom.core.rational import rationals
from lutloom.core.types import Const
from lutloom.streamline.align import aligned, compact, model_shape
from lutloom.streamline.clamp_terms import integers_of
from lutloom.streamline.constant_grids import moved
from lutloom.streamline.context import required_constant, required_scaled
from lutloom.streamline.errors import ModelError
from lutloom.streamline.layout import reordered
from lutloom.streamline.paddings import integer_of, seen_by_taps
from lutloom.streamline.scaling import scale_and_shift
from lutloom.streamline.symbols import ZERO, Scaled
from lutloom.streamline.weighted_sum import weighted_sum
from lutloom.streamline.window_attributes import auto_pad, check_axes, image_axes, windows_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from lutloom.core.windows import Windows
    from lutloom.streamline.context import Context, Inputs
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Constant, Symbol


def conv(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """Return the convolution, channels being the model's axis 1, or the last one.

    Raises ``ModelError`` where data, weights and groups do not fit, and for what is no integers.
    """
    return convolved(node, inputs, context, _kernel_first, windows_of)


def _kernel_first(_: SourceNode, weights: Constant, axes: tuple[int, ...]) -> Constant:
    # The weights have their filters where the data have their batch.
    order = (*(axis + 1 for axis in axes), 0)
    return moved(weights, lambda array: array.transpose(order))


def convolved(
    node: SourceNode,
    inputs: Inputs,
    context: Context,
    arranged: Callable[[SourceNode, Constant, tuple[int, ...]], Constant],
    windows_on: Callable[[SourceNode, tuple[int, ...], tuple[int, ...]], Windows],
) -> Symbol:
    """Return the convolution of data, weights and bias, the ``inputs`` of ``node``.

    ``arranged`` makes ``[*kernel, C / groups, M]`` of the weights, where ``axes`` are those of the
    image; ``windows_on`` are those of a kernel on an image.
    """
    x = required_scaled(node, inputs, 0, "a convolution")
    weights = required_constant(node, inputs, 1, "weight tensor")
    _check_rank(node, x, weights)
    axes = image_axes(node, len(x.shape))
    weights = arranged(node, weights, axes)
    groups = _groups_of(node, x.shape[axes[-1]], weights)
    x = reordered(context.build, node, x, axes)
    image = context.build.types[x.value].shape[:-1]
    _check_padded_once(node)
    windows = windows_on(node, _kernel_of(node, weights), image)
    y = _sums_of_windows(node, x, weights, windows, groups, context)
    return _with_bias(node, y, inputs)


def _check_rank(node: SourceNode, x: Scaled, weights: Constant) -> None:
    """Refuse weights of another number of dimensions than the data, the batch among them."""
    if weights.array.ndim != len(x.shape) + 1 or not weights.array.size or len(x.shape) < 2:
        raise ModelError(
            f"{node}: weights of the shape {list(weights.array.shape)} do not fit data of the shape"
            f" {['N', *x.shape]}; both should have 3 or 4 dimensions, none of them 0"
        )


def _check_padded_once(node: SourceNode) -> None:
    """Refuse pads in two ways: the standard allows one, and executors do not agree which."""
    how, pads = auto_pad(node), node.integers("pads")
    if how != "NOTSET" and pads and any(pads):
        raise ModelError(
            f"{node}: its pads {list(pads)} and its auto_pad {how} say two things; export the"
            " model again"
        )


def _groups_of(node: SourceNode, channels: int, weights: Constant) -> int:
    """Return how many groups there are; ``weights`` are ``[*kernel, C / groups, M]``."""
    groups = node.integer("group", 1)
    fan_in, outputs = weights.array.shape[-2:]
    if groups < 1 or outputs % groups or fan_in * groups != channels:
        raise ModelError(
            f"{node}: {channels} channels in {groups} groups do not fit {outputs} filters of"
            f" {fan_in}; export the model again"
        )
    return groups


def _kernel_of(node: SourceNode, weights: Constant) -> tuple[int, ...]:
    """Return the taps along each axis of ``weights [*kernel, C / groups, M]``."""
    kernel = weights.array.shape[:-2]
    said = node.integers("kernel_shape")
    if said and said != kernel:
        raise ModelError(
            f"{node}: its kernel_shape {list(said)} is not that of its weights, {list(kernel)}:"
            " the file is damaged; export the model again"
        )
    return kernel


def _sums_of_windows(
    node: SourceNode,
    x: Scaled,
    weights: Constant,
    windows: Windows,
    groups: int,
    context: Context,
) -> Scaled:
    """Return the sums of the windows of ``x``, whose value is ``[*image, C]``.

    ``weights [*kernel, C / groups, M]``.
    """
    build = context.build
    x = integers_of(node, x, build)
    type_ = build.types[x.value]
    image = type_.shape[:-1]
    check_axes(node, windows.kernel, image)
    sums = weighted_sum(node, weights, groups, layer="QuantConv2d")
    integers, slope = sums.scaled(x)
    zero = integer_of(ZERO, x, type_.element)
    is_masking = windows.borders(image).is_masking
    fill = zero if is_masking and zero is not None else 0
    padding = rationals([0]) if is_masking and zero is None else None
    seen, classes = seen_by_taps(node, x, windows, image, padding)
    places = (windows.stride, windows.dilation, windows.pads, windows.spacing)
    op = Conv(Const(integers), *places, groups, fill)
    value = build.add(node, "", op, (x.value,))
    leading = (1,) * len(image)
    return Scaled(
        value,
        x.axes,
        model_shape(x.axes, build.types[value].shape),
        compact(slope.reshape(*leading, -1)),
        sums.offset(seen),
        classes=classes,
    )


def _with_bias(node: SourceNode, y: Scaled, inputs: Inputs) -> Scaled:
    """Return ``y`` and the constant third input of ``node``, one number a channel."""
    if len(inputs) < 3 or inputs[2] is None:
        return y
    channel = y.axes[-1]
    bias = required_constant(node, inputs, 2, "bias").reals()
    shape = [1] * (len(y.shape) + 1)
    shape[channel + 1] = -1
    if bias.shape != (y.shape[channel],):
        raise ModelError(
            f"{node}: its bias of the shape {list(bias.shape)} should be one number for each of"
            f" {y.shape[channel]} filters; export the model again"
        )
    return scale_and_shift(y, rationals(1), aligned(node, y, bias.reshape(shape), "bias"))
