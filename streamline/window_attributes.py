"""Where the windows of a Conv or a pool lie: the attributes of the standard as explicit pads.

``auto_pad`` and ``ceil_mode`` are other ways to say how many places lie before and behind the
image. With ``auto_pad`` the attribute ``pads`` does not count: of a convolution both are refused.
``SAME_UPPER`` and ``SAME_LOWER`` make ``ceil(size / stride)`` results of an axis, with the odd
place behind or before the image; ``VALID`` pads nothing. ``ceil_mode`` adds a window that the
places do not fill, unless it would begin behind the image and its padding before; it says nothing
where ``auto_pad`` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.core.windows import Windows
from lutloom.streamline.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lutloom.streamline.source import SourceNode

CHANNELS_LAST_DOMAIN = "qonnx.custom_op.channels_last"
"""Its operators are those of the standard, but for channels behind the image's own dimensions."""
MOST_AXES = 2
_SAME_UPPER, _SAME_LOWER = "SAME_UPPER", "SAME_LOWER"
_AUTO_PADS = ("NOTSET", _SAME_UPPER, _SAME_LOWER, "VALID")


def image_axes(node: SourceNode, rank: int) -> tuple[int, ...]:
    """Return the model's dimensions of data of ``rank`` as ``[*image, C]``, without the batch."""
    if node.domain == CHANNELS_LAST_DOMAIN:
        return tuple(range(rank))
    return (*range(1, rank), 0)


def windows_of(
    node: SourceNode, kernel: Sequence[int], image: Sequence[int], *, ceil_mode: bool = False
) -> Windows:
    """Return the windows of ``kernel`` taps that ``node`` slides over ``image`` pixels.

    Raises ``ModelError`` for attributes that are no windows, and for an image without room for one.
    """
    strides, dilations = (
        one_an_axis(node, "strides", kernel),
        one_an_axis(node, "dilations", kernel),
    )
    pads = pads_of(node, kernel, image)
    if ceil_mode and auto_pad(node) == "NOTSET":
        pads = _with_last_window(kernel, image, strides, dilations, pads)
    return fitting(node, kernel, image, strides, dilations, pads)


def pads_of(node: SourceNode, kernel: Sequence[int], image: Sequence[int]) -> tuple[int, ...]:
    """Return the places before each axis, then behind each, that ``node`` asks for.

    What a last window of ``ceil_mode`` has behind them is not among them: a mean that counts
    padding does not count it.
    """
    check_axes(node, kernel, image)
    rank, how = len(kernel), auto_pad(node)
    if how == "NOTSET":
        pads = numbers(node, "pads", 2 * rank, 0)
        if min(pads) < 0:
            raise ModelError(
                f"{node}: its pads {list(pads)} should not be negative: crop with a Pad or Slice"
                " node before it"
            )
        return pads
    befores, behinds = [0] * rank, [0] * rank
    if how != "VALID":
        strides = one_an_axis(node, "strides", kernel)
        dilations = one_an_axis(node, "dilations", kernel)
        for axis, (size, taps) in enumerate(zip(image, kernel, strict=True)):
            results = -(-size // strides[axis])
            extent = dilations[axis] * (taps - 1) + 1
            total = max(0, (results - 1) * strides[axis] + extent - size)
            befores[axis] = total // 2 if how == _SAME_UPPER else total - total // 2
            behinds[axis] = total - befores[axis]
    return (*befores, *behinds)


def auto_pad(node: SourceNode) -> str:
    """Return how ``node`` says its padding: ``NOTSET`` is by the attribute ``pads``."""
    how = node.text("auto_pad", "NOTSET") or "NOTSET"
    if how not in _AUTO_PADS:
        raise ModelError(f"{node}: its auto_pad should be one of {', '.join(_AUTO_PADS)}")
    return how


def kernel_shape(node: SourceNode, rank: int) -> tuple[int, ...]:
    """Return the attribute ``kernel_shape`` of a pool over ``rank`` axes."""
    return one_an_axis(node, "kernel_shape", (0,) * rank)


def one_an_axis(node: SourceNode, name: str, axes: Sequence[object]) -> tuple[int, ...]:
    """Return an attribute of one positive number for each of ``axes``; absent, ones."""
    entries = numbers(node, name, len(axes), 1)
    if min(entries, default=1) < 1:
        raise ModelError(f"{node}: its {name} {list(entries)} should be positive")
    return entries


def numbers(node: SourceNode, name: str, count: int, default: int) -> tuple[int, ...]:
    """Return an attribute of ``count`` integers; absent or empty, so many times ``default``."""
    entries = node.integers(name) or (default,) * count
    if len(entries) != count:
        raise ModelError(
            f"{node}: its {name} {list(entries)} should be {count} numbers, for the dimensions of"
            " the image"
        )
    return entries


def check_axes(node: SourceNode, kernel: Sequence[int], image: Sequence[int]) -> None:
    """Refuse windows of another rank than the image, and of more than two axes."""
    if len(kernel) != len(image) or not kernel:
        raise ModelError(
            f"{node} slides windows of {len(kernel)} dimensions over images of {len(image)}: both"
            " should be 1 or 2; export the model again"
        )
    if len(kernel) > MOST_AXES:
        raise ModelError(
            f"{node} slides windows over {len(kernel)} dimensions, and this version builds those"
            " over 1 or 2: split the layer"
        )


def fitting(
    node: SourceNode,
    kernel: Sequence[int],
    image: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    pads: Sequence[int],
    spacing: Sequence[int] | None = None,
) -> Windows:
    """Return the windows, of which at least one lies within image and padding."""
    try:
        windows = Windows(
            tuple(kernel),
            tuple(strides),
            tuple(dilations),
            tuple(pads),
            tuple(spacing or (1,) * len(kernel)),
        )
        windows.borders(tuple(image))
    except TypeError as error:
        raise ModelError(f"{node}: {error}") from error
    return windows


def _with_last_window(
    kernel: Sequence[int],
    image: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    pads: tuple[int, ...],
) -> tuple[int, ...]:
    """Return the pads with which the last, unfilled window of ``ceil_mode`` is one like others."""
    rank = len(kernel)
    behinds = []
    for axis, size in enumerate(image):
        before, behind = pads[axis], pads[rank + axis]
        extent = dilations[axis] * (kernel[axis] - 1) + 1
        results = -(-(size + before + behind - extent) // strides[axis]) + 1
        if (results - 1) * strides[axis] >= size + before:
            results -= 1
        behinds.append((results - 1) * strides[axis] + extent - size - before)
    return (*pads[:rank], *behinds)
