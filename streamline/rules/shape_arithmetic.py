"""Shapes that the model computes: Shape, and Gather, Slice and Concat of what it gives.

Sizes without the batch among them are constants, with which the model may calculate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.streamline.context import (
    required,
    required_constant,
    required_integers,
    shape_of,
)
from lutloom.streamline.errors import ModelError
from lutloom.streamline.symbols import Constant, ShapeOf

if TYPE_CHECKING:
    from lutloom.streamline.context import Context, Inputs
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Symbol


def shape(node: SourceNode, inputs: Inputs, _: Context) -> Symbol:
    """Return the shape of the data; its first size is the batch."""
    sizes = (None, *shape_of(node, required(node, inputs, 0)))
    start, end = node.integer("start", 0), node.integer("end", len(sizes))
    return _known(sizes[start:end])


def _known(sizes: tuple[int | None, ...], *, is_scalar: bool = False) -> Symbol:
    import numpy as np

    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes):
        return ShapeOf(sizes, is_scalar=is_scalar)
    return Constant(np.array(known[0] if is_scalar else known, dtype=np.int64))


def gather_of_shape(node: SourceNode, inputs: Inputs) -> Symbol:
    """Return some sizes of a shape."""
    sizes = _sizes(node, required(node, inputs, 0))
    indices = required_integers(node, inputs, 1, "indices")
    try:
        picked = tuple(sizes[index] for index in indices)
    except IndexError as error:
        raise ModelError(f"{node}: its index lies outside of {len(sizes)} dimensions") from error
    return _known(picked, is_scalar=required_constant(node, inputs, 1, "").array.ndim == 0)


def slice_of_shape(node: SourceNode, inputs: Inputs) -> Symbol:
    """Return a range of a shape."""
    sizes = _sizes(node, required(node, inputs, 0))

    def number(index: int, name: str, default: int) -> int:
        given = node.integers(name)
        if given is None:
            if len(inputs) <= index or inputs[index] is None:
                return default
            given = required_integers(node, inputs, index, name)
        if len(given) != 1:
            raise ModelError(f"{node}: a shape has one dimension, but its {name} are {list(given)}")
        return given[0]

    start, end, step = number(1, "starts", 0), number(2, "ends", len(sizes)), number(4, "steps", 1)
    if step == 0:
        raise ModelError(f"{node}: its step is 0: the file is damaged")
    return _known(sizes[start:end:step])


def concat_of_shapes(node: SourceNode, inputs: Inputs) -> Symbol:
    """Return shapes and constants joined to one shape."""
    sizes: tuple[int | None, ...] = ()
    for symbol in inputs:
        sizes += _sizes(node, symbol)
    return _known(sizes)


def _sizes(node: SourceNode, symbol: Symbol | None) -> tuple[int | None, ...]:
    match symbol:
        case ShapeOf(sizes=sizes):
            return sizes
        case Constant(array=array) if array.dtype.kind in "iu":
            return tuple(int(size) for size in array.ravel())
        case _:
            raise ModelError(
                f"{node} works on the data: this version has no hardware for {node.op_type}"
            )
