"""ConvTranspose: a convolution of the image with gaps between its pixels, by the mirrored kernel.

``y[s * p + d * t - b] += w[t] * x[p]`` for all ``p`` and ``t`` is ``y[i] = sum over t of w[k-1-t] *
x'[i + d * t - (d * (k - 1) - b)]``, where ``x'`` has pixel ``p`` at place ``s * p`` and the real
number 0 elsewhere: within the image, too. What ``output_padding`` adds lies behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lutloom.streamline.constant_grids import moved
from lutloom.streamline.errors import ModelError
from lutloom.streamline.rules.conv import convolved
from lutloom.streamline.window_attributes import (
    auto_pad,
    check_axes,
    fitting,
    numbers,
    one_an_axis,
    pads_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lutloom.core.windows import Windows
    from lutloom.streamline.context import Context, Inputs
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Constant, Symbol


def conv_transpose(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """Return the transposed convolution; ``weights [C, M / groups, *kernel]``.

    Raises ``ModelError`` where data, weights and groups do not fit, and for what is no integers.
    """
    return convolved(node, inputs, context, _arranged, _windows)


def _arranged(node: SourceNode, weights: Constant, _: tuple[int, ...]) -> Constant:
    groups = node.integer("group", 1)
    if groups < 1 or weights.array.shape[0] % groups:
        raise ModelError(
            f"{node}: {weights.array.shape[0]} channels can't be in {groups} groups; export the"
            " model again"
        )
    return moved(weights, lambda array: _mirrored(array, groups))


def _mirrored(array: NDArray[Any], groups: int) -> NDArray[Any]:
    """Return ``[C, M / groups, *kernel]`` as ``[*kernel, C / groups, M]``, mirrored."""
    channels, filters, *kernel = array.shape
    split = array.reshape(groups, channels // groups, filters, *kernel)
    split = split[(slice(None),) * 3 + (slice(None, None, -1),) * len(kernel)]
    order = (*range(3, split.ndim), 1, 0, 2)
    return split.transpose(order).reshape(*kernel, channels // groups, groups * filters)


def _windows(node: SourceNode, kernel: Sequence[int], image: tuple[int, ...]) -> Windows:
    """Return the windows of the convolution that ``node`` is.

    ``output_shape`` and ``auto_pad`` say how many results there are, and with that the padding: of
    an odd number one more is before the image, but for ``SAME_UPPER``.
    """
    check_axes(node, kernel, image)
    rank, how = len(kernel), auto_pad(node)
    strides, dilations = (
        one_an_axis(node, "strides", kernel),
        one_an_axis(node, "dilations", kernel),
    )
    more = numbers(node, "output_padding", rank, 0)
    if min(more) < 0:
        raise ModelError(f"{node}: its output_padding {list(more)} should not be negative")
    wanted = _results(node, rank)
    pads = (0,) * 2 * rank if how != "NOTSET" or wanted else pads_of(node, kernel, image)
    befores, behinds = [], []
    for axis, size in enumerate(image):
        reach = dilations[axis] * (kernel[axis] - 1)
        full = strides[axis] * (size - 1) + more[axis] + reach + 1
        before, behind = pads[axis], pads[rank + axis]
        if wanted or how.startswith("SAME"):
            results = wanted[axis] if wanted else size * strides[axis]
            total = full - results
            if total < 0:
                raise ModelError(
                    f"{node} should have {results} results along an axis where it has {full}: the"
                    " standard leaves open which; set output_padding"
                )
            before = total // 2 if how == "SAME_UPPER" else total - total // 2
            behind = total - before
        befores.append(reach - before)
        behinds.append(reach - behind + more[axis])
    ones = (1,) * rank
    return fitting(node, kernel, image, ones, dilations, (*befores, *behinds), spacing=strides)


def _results(node: SourceNode, rank: int) -> tuple[int, ...]:
    """Return the attribute ``output_shape``, of which some exporters write batch and channels."""
    shape = node.integers("output_shape") or ()
    if shape and len(shape) not in {rank, rank + 2}:
        raise ModelError(
            f"{node}: its output_shape {list(shape)} should be {rank} numbers, for the dimensions"
            " of the image"
        )
    if shape and min(shape[-rank:]) < 1:
        raise ModelError(f"{node}: its output_shape {list(shape)} should be positive")
    return shape[-rank:]
