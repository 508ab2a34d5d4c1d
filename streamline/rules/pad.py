"""Pad and Im2Col: what windows see of the data, and a constant around them.

With ``x = s * q + b`` the constant ``v`` is the integer ``(v - b) / s``, if that is one, and the
same for all channels. Else the places around hold some other integer, and an offset of their own. A
padding is windows of one tap; negative pads take pixels away.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from lutloom.core.ops import Window
from lutloom.core.rational import rationals
from lutloom.streamline.align import compact, model_shape, varies_in_place
from lutloom.streamline.clamp_terms import integers_of
from lutloom.streamline.context import required_constant, required_integers, required_scaled
from lutloom.streamline.errors import ModelError
from lutloom.streamline.layout import reordered
from lutloom.streamline.paddings import integer_of, seen_by_taps
from lutloom.streamline.window_attributes import check_axes, fitting

if TYPE_CHECKING:
    from lutloom.core.windows import Windows
    from lutloom.streamline.context import Context, Inputs
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Scaled, Symbol

_INPUTS_SINCE, _AXES_SINCE = 11, 18


def pad(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """Return the data with a number around them, or without their border.

    Raises ``ModelError`` for other modes than constants, and for a padding of all dimensions.
    """
    x = required_scaled(node, inputs, 0, "a padding")
    mode = node.text("mode", "constant")
    if mode != "constant":
        raise ModelError(
            f"{node} repeats pixels (mode '{mode}'), which this version has no hardware for; pad"
            " with a constant, as nn.ZeroPad2d does"
        )
    befores, behinds = _amounts(node, inputs, len(x.shape), context.opset)
    padded = {axis for axis in range(len(x.shape)) if befores[axis] or behinds[axis]}
    if not padded:
        return x.after(node)
    kept = [axis for axis in x.axes if axis not in padded]
    if not kept:
        raise ModelError(
            f"{node} pads every dimension of {['N', *x.shape]}, and one should stay as it is: that"
            " of the channels"
        )
    # Channels lie last, or are the model's first dimension in a value that nobody has moved yet.
    is_as_in_model = x.axes == tuple(range(len(x.axes)))
    channels = kept[0] if is_as_in_model and kept[0] == 0 else kept[-1]
    x = reordered(context.build, node, x, (*(a for a in x.axes if a != channels), channels))
    places = x.axes[:-1]
    ones = (1,) * len(places)
    pads = (*(befores[axis] for axis in places), *(behinds[axis] for axis in places))
    image = tuple(x.shape[axis] for axis in places)
    check_axes(node, ones, image)
    windows = fitting(node, ones, image, ones, ones, pads)
    return windowed(node, x, windows, _value(node, inputs, context.opset), context)


def im2col(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """Return each window of ``[height, width, channels]`` as a row, as FINN lowers convolutions."""
    x = required_scaled(node, inputs, 0, "a convolution")
    kernel = node.integers("kernel_size") or ()
    x = reordered(context.build, node, x, tuple(range(len(x.shape))))
    image = x.shape[:-1]
    check_axes(node, kernel, image)
    ones = (1,) * len(kernel)
    strides = node.integers("stride") or ones
    dilations = node.integers("dilations") or ones
    pads = node.integers("pad_amount") or (0,) * 2 * len(kernel)
    if (
        not len(kernel) == len(strides) == len(dilations) == len(pads) // 2
        or min(*kernel, *strides, *dilations, *(1 + pad for pad in pads)) < 1
    ):
        raise ModelError(
            f"{node}: its kernel_size, stride, dilations and pad_amount are no windows: it should"
            " have positive numbers for height and width, and four pads"
        )
    windows = fitting(node, kernel, image, strides, dilations, pads)
    return windowed(node, x, windows, Fraction(node.integer("pad_value", 0)), context)


def windowed(
    node: SourceNode, x: Scaled, windows: Windows, value: Fraction, context: Context
) -> Scaled:
    """Return what ``windows`` see of ``x``, a row of all taps each, and ``value`` around it."""
    import numpy as np

    x = integers_of(node, x, context.build)
    if varies_in_place(x.slope):
        raise ModelError(
            f"{node}: the scale of its input varies along another dimension than that of the"
            " channels; use one scale for the tensor, or put a quantizer between"
        )
    element = context.build.types[x.value].element
    image = context.build.types[x.value].shape[:-1]
    fill, padding = integer_of(value, x, element), None
    if fill is None:
        fill = element.lo
        padding = np.asarray(value - x.slope.reshape(-1) * fill)
    seen, classes = seen_by_taps(node, x, windows, image, padding)
    rank = windows.rank
    places = (windows.stride, windows.dilation, windows.pads, windows.spacing)
    op = Window(windows.kernel, *places, 1, fill)
    result = context.build.add(node, "", op, (x.value,))
    channels = x.shape[x.axes[-1]]
    rows = np.broadcast_to(seen, (*seen.shape[:-1], channels))
    rows = rows.transpose((*range(rank, 2 * rank), *range(rank), 2 * rank))
    slope = np.broadcast_to(x.slope.reshape(-1), (windows.taps, channels))
    return replace(
        x,
        value=result,
        shape=model_shape(x.axes, context.build.types[result].shape),
        slope=compact(slope.reshape((*[1] * rank, -1))),
        offset=compact(rows.reshape((*rows.shape[:rank], -1))),
        classes=classes,
        root="",
        trail=(),
    )


def _amounts(
    node: SourceNode, inputs: Inputs, rank: int, opset: int
) -> tuple[list[int], list[int]]:
    """Return the places before and behind each of ``rank`` dimensions; the batch has none."""
    axes: tuple[int, ...] = tuple(range(rank + 1))
    if opset < _INPUTS_SINCE:
        pads = node.integers("pads") or ()
    else:
        pads = required_integers(node, inputs, 1, "pads")
        if opset >= _AXES_SINCE and len(inputs) > 3 and inputs[3] is not None:
            axes = required_integers(node, inputs, 3, "axes")
    whole = [axis % (rank + 1) for axis in axes if -rank - 1 <= axis <= rank]
    if len(pads) != 2 * len(axes) or len(set(whole)) != len(axes):
        raise ModelError(
            f"{node}: its pads {list(pads)} should be two numbers for each of {len(axes)}"
            " dimensions"
        )
    both = [0] * (rank + 1), [0] * (rank + 1)
    for place, axis in enumerate(whole):
        both[0][axis], both[1][axis] = pads[place], pads[len(axes) + place]
    if both[0][0] or both[1][0]:
        raise ModelError(f"{node} pads the batch, which it should leave as it is")
    return both[0][1:], both[1][1:]


def _value(node: SourceNode, inputs: Inputs, opset: int) -> Fraction:
    if opset < _INPUTS_SINCE:
        return Fraction(node.number("value", 0.0))
    if len(inputs) < 3 or inputs[2] is None:
        return Fraction(0)
    value = required_constant(node, inputs, 2, "value").reals()
    if value.size != 1:
        raise ModelError(f"{node}: its value should be one number, not {list(value.shape)}")
    try:
        return Fraction(rationals(value.reshape(())).item())
    except ValueError as error:
        raise ModelError(f"{node}: its value is no number: {error}") from error
