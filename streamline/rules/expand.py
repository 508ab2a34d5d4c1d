"""Expand and Tile: the data, or axes of size 1, again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.streamline.constant_grids import moved
from lutloom.streamline.context import required, required_formula, required_integers
from lutloom.streamline.errors import ModelError
from lutloom.streamline.symbols import Constant, ShapeOf
from lutloom.streamline.take import behind, take

if TYPE_CHECKING:
    from lutloom.streamline.context import Context, Inputs
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Symbol

_MOST_ELEMENTS = 1 << 32


def expand(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """Return the data with axes of size 1 repeated, to the shape that both shapes broadcast to.

    Raises ``ModelError`` where they do not, or where the batch would be repeated.
    """
    target = required(node, inputs, 1)
    sizes: tuple[int | None, ...]
    match target:
        case ShapeOf(sizes=sizes):
            pass
        case _:
            sizes = required_integers(node, inputs, 1, "shape")
    x = required(node, inputs, 0)
    if isinstance(x, Constant):
        return _constant(node, x, sizes)
    x = required_formula(node, inputs, 0, "an expansion")
    whole = (1,) * (len(x.shape) + 1 - len(sizes)) + sizes
    is_fitting = len(whole) == len(x.shape) + 1 and whole[0] in (None, 1, context.batch)
    y = x
    for axis, (size, wanted) in enumerate(zip(x.shape, whole[1:], strict=False)):
        if wanted in (1, size):
            continue
        is_fitting &= size == 1 and wanted is not None and wanted > 0
        if is_fitting and wanted is not None:
            _check_size(node, wanted)
            y = take(context.build, node, y, axis, [0] * wanted)
    if not is_fitting:
        shown = ["N" if size is None else size for size in sizes]
        raise ModelError(
            f"{node} expands {['N', *x.shape]} to {shown}, which should leave the batch in front,"
            " and repeat axes of size 1 only"
        )
    return behind(node, x, y)


def _constant(node: SourceNode, x: Constant, sizes: tuple[int | None, ...]) -> Constant:
    """Return a constant for one image: it is the same for every one of the batch."""
    import numpy as np

    shape = tuple(1 if size is None else size for size in sizes)
    try:
        whole = np.broadcast_shapes(x.array.shape, shape)
        return moved(x, lambda array: np.ascontiguousarray(np.broadcast_to(array, whole)))
    except ValueError as error:
        raise ModelError(f"{node} can't be evaluated: {error}") from error


def tile(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """Return the data beside themselves, so many times along each axis but the batch."""
    x = required_formula(node, inputs, 0, "a repetition")
    repeats = required_integers(node, inputs, 1, "repeats")
    if len(repeats) != len(x.shape) + 1 or repeats[0] != 1 or min(repeats) < 1:
        raise ModelError(
            f"{node} repeats {['N', *x.shape]} {list(repeats)} times, which should be positive"
            " numbers, one for each dimension, and 1 for the batch"
        )
    y = x
    for axis, times in enumerate(repeats[1:]):
        _check_size(node, times * x.shape[axis])
        y = take(context.build, node, y, axis, [*range(x.shape[axis])] * times)
    return behind(node, x, y)


def _check_size(node: SourceNode, size: int) -> None:
    if size > _MOST_ELEMENTS:
        raise ModelError(f"{node} makes {size:,} elements of an axis: is the file damaged?")
