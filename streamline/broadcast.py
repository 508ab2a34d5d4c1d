"""``x + y`` of two shapes  =  ``upsample(x) + upsample(y)``: tensors that broadcast, of one shape.

Exact: an axis of size 1 is repeated, and nothing else is done. Scales and offsets are those of the
one element that is repeated.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, TypeVar

from lutloom.core.ops import Upsample
from lutloom.streamline.errors import ModelError
from lutloom.streamline.layout import reordered, reshaped
from lutloom.streamline.symbols import Curve, Scaled

if TYPE_CHECKING:
    from lutloom.streamline.context import Context
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Formula

F = TypeVar("F", Scaled, Curve, Scaled | Curve)


def broadcast(node: SourceNode, left: F, right: F, context: Context) -> tuple[F, F]:
    """Return both tensors with one shape, their values' axes in one order.

    Raises ``ModelError`` where NumPy's rules know no such shape, or the batch would take part.
    """
    left, right = of_one_rank(node, left, right, context)
    sizes = tuple(zip(left.shape, right.shape, strict=True))
    if any(a != b and 1 not in (a, b) for a, b in sizes):
        raise ModelError(
            f"{node} combines tensors of the shapes {['N', *left.shape]} and"
            f" {['N', *right.shape]}; sizes should be equal, or 1 to be repeated"
        )
    axes = _order(left, right)
    shape = tuple(max(a, b) for a, b in sizes)
    left, right = (reordered(context.build, node, x, axes) for x in (left, right))
    return repeated(node, left, shape, context), repeated(node, right, shape, context)


def of_one_rank(node: SourceNode, left: F, right: F, context: Context) -> tuple[F, F]:
    """Return both tensors with as many axes: of size 1 in front of those of the smaller one.

    Raises ``ModelError`` where its batch stands in the place of another axis.
    """
    rank = max(len(left.shape), len(right.shape))
    if len(left.shape) != len(right.shape) and context.batch != 1:
        raise ModelError(
            f"{node} combines tensors of the shapes {['N', *left.shape]} and"
            f" {['N', *right.shape]}, which mixes images of a batch: unsqueeze the smaller one"
            " behind its batch"
        )
    grown = ((1,) * (rank - len(x.shape)) + x.shape for x in (left, right))
    left, right = (
        reshaped(context.build, node, x, shape)
        for x, shape in zip((left, right), grown, strict=True)
    )
    return left, right


def repeated(node: SourceNode, x: F, shape: tuple[int, ...], context: Context) -> F:
    """Return ``x`` with its axes of size 1 repeated to the model's ``shape``."""
    if x.shape == shape:
        return x
    factors = tuple(shape[axis] // x.shape[axis] for axis in x.axes)
    value = context.build.add(node, "/broadcast", Upsample(factors), (x.value,))
    classes = tuple(
        of if factor == 1 else None for of, factor in zip(x.classes, factors, strict=False)
    )
    return replace(x, value=value, shape=shape, classes=classes)


def _order(left: Formula, right: Formula) -> tuple[int, ...]:
    """Return the order of axes in which both meet.

    That of the larger one, which nothing has to move then. Of two orders the model's own is that of
    an input or a flattened tensor: the other one puts channels last, as the layers around want
    them.
    """
    if prod(left.shape) != prod(right.shape):
        return max(left, right, key=lambda x: prod(x.shape)).axes
    return right.axes if left.axes == tuple(range(len(left.axes))) else left.axes
