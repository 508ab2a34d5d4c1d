"""``x + y``  =  ``s * (m * p + n * q) + b`` for integers ``p`` and ``q``: scales that meet.

Exact: two rational scales are integer multiples ``m`` and ``n`` of their greatest common divisor
``s``, channel by channel. The biases add up outside of the integers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.core.ops import Add
from lutloom.core.rational import common_divisor
from lutloom.core.types import Const
from lutloom.streamline.align import compact, varying_axes
from lutloom.streamline.errors import ModelError
from lutloom.streamline.layout import in_model_order, reordered
from lutloom.streamline.symbols import Scaled

if TYPE_CHECKING:
    from lutloom.streamline.context import Context
    from lutloom.streamline.source import SourceNode

# Float32 scales need multipliers of about 24 bits, the integers under them come on top.
_MOST_MULTIPLIER_BITS = 48


def join(node: SourceNode, left: Scaled, right: Scaled, context: Context, *, sign: int) -> Scaled:
    """Return ``left + sign * right``.

    Raises ``ModelError`` if they differ in shape, if a ReLU stands between an integer and the sum,
    or if the multipliers are too wide.
    """
    import numpy as np

    if left.shape != right.shape:
        raise ModelError(
            f"{node} adds tensors of the shapes {['N', *left.shape]} and {['N', *right.shape]};"
            " both should have the same"
        )
    for branch in (left, right):
        if branch.is_clamped:
            raise ModelError(
                f"{node} adds floats: {branch.trail[-1]} clamps a branch that is not quantized"
                " again; put a quantizer on that branch"
            )
    build = context.build
    left = in_model_order(build, node, left)
    right = in_model_order(build, node, right)
    axes = varying_axes(left.slope, right.slope, left.offset, right.offset)
    if len(axes) > 1:
        raise ModelError(
            f"{node}: the scales and biases of its branches vary along several dimensions; use one"
            " a channel"
        )
    if axes:
        last = (*(a for a in range(len(left.shape)) if a != axes[0]), axes[0])
        left, right = reordered(build, node, left, last), reordered(build, node, right, last)
    pairs = list(
        zip(
            *(side.ravel().tolist() for side in np.broadcast_arrays(left.slope, right.slope)),
            strict=True,
        )
    )
    steps = [common_divisor(pair) or 1 for pair in pairs]
    multipliers = [
        [int(a / step) for (a, _), step in zip(pairs, steps, strict=True)],
        [int(sign * b / step) for (_, b), step in zip(pairs, steps, strict=True)],
    ]
    widest = max(abs(m) for row in multipliers for m in row).bit_length()
    if widest > _MOST_MULTIPLIER_BITS:
        raise ModelError(
            f"{node}: the scales of its branches meet in multipliers of {widest} bits; train with"
            " one quantizer shared by both branches, or with scales that are powers of two"
        )
    value = build.add(node, "", Add(Const(np.array(multipliers))), (left.value, right.value))
    slope = np.empty(np.broadcast_shapes(left.slope.shape, right.slope.shape), dtype=object)
    slope.ravel()[:] = steps
    offset = compact(np.asarray(left.offset + sign * right.offset))
    return Scaled(value, left.axes, left.shape, slope, offset)
