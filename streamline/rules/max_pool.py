"""MaxPool, GlobalMaxPool and ReduceMax over the image: the largest pixel of each window.

Of integers with a positive scale it is the largest integer; padding is left out. A pool waits for
its reader (``pending_pool``): the levels of a quantizer may be fewer bits than the pixels.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lutloom.core.ops import MaxPool
from lutloom.core.windows import Windows
from lutloom.streamline.align import model_shape
from lutloom.streamline.context import required_formula
from lutloom.streamline.layout import reordered, reshaped
from lutloom.streamline.pending_pool import PendingPool, signs_of
from lutloom.streamline.rules.reduced_axes import reduced_axes, windows_along
from lutloom.streamline.symbols import ONE, ZERO, Scaled
from lutloom.streamline.window_attributes import image_axes, kernel_shape, windows_of

if TYPE_CHECKING:
    from lutloom.streamline.context import Context, Inputs
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Formula, Symbol


def max_pool(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """Return the largest of each window, channels being the model's axis 1, or the last one."""
    x = required_formula(node, inputs, 0, "a max pool")
    rank = len(x.shape)
    is_last = node.op_type == "MaxPoolNHWC"
    x = reordered(context.build, node, x, tuple(range(rank)) if is_last else image_axes(node, rank))
    image = context.build.types[x.value].shape[:-1]
    is_ceil = bool(node.integer("ceil_mode", 0))
    windows = windows_of(node, kernel_shape(node, len(image)), image, ceil_mode=is_ceil)
    return _largest(node, x, windows, context)


def global_max_pool(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """Return the largest pixel of each channel."""
    x = required_formula(node, inputs, 0, "a max pool")
    axes = tuple(range(1, len(x.shape)))
    return _largest_along(node, x, axes, context)


def reduce_max(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """Return the largest along some axes; one should stay as it is.

    Raises ``ModelError`` where none does.
    """
    x = required_formula(node, inputs, 0, "a maximum")
    reduction = reduced_axes(node, inputs, x.shape)
    if not reduction.axes:
        return x
    y = _largest_along(node, x, reduction.axes, context)
    return reshaped(context.build, node, y, reduction.shape)


def _largest_along(
    node: SourceNode, x: Formula, axes: tuple[int, ...], context: Context
) -> Formula:
    """Return the largest along ``axes``, which stay, of size 1."""
    order, windows = windows_along(node, x, axes)
    return _largest(node, reordered(context.build, node, x, order), windows, context)


def _largest(node: SourceNode, x: Formula, windows: Windows, context: Context) -> Formula:
    """Return the largest of the windows of ``x``, whose value is ``[*image, C]``."""
    build = context.build
    op = MaxPool(windows.kernel, windows.stride, windows.dilation, windows.pads)
    below = build.pools.get(x.value)
    is_real = below is not None and below.signs is None
    signs = None if is_real else signs_of(x)
    value = build.pool(PendingPool(node, op, x, signs))
    shape = model_shape(x.axes, build.types[value].shape)
    y = replace(x, value=value, shape=shape, trail=(*x.trail, node))
    if signs is None:
        return _real(y)
    if isinstance(y, Scaled) and not y.is_clamped:
        # Its integers stand for the very tensor.
        return replace(y, root="", trail=(), classes=())
    return replace(y, classes=())


def _real(y: Formula) -> Scaled:
    """Return ``y`` as the number that its value itself is meant to be."""
    import numpy as np

    one, zero = (np.full((1,) * len(y.shape), number, dtype=object) for number in (ONE, ZERO))
    return Scaled(y.value, y.axes, y.shape, one, zero, root=y.root, trail=y.trail)
