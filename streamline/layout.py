"""Values brought into another order of axes: written into the graph only where it matters."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

from lutloom.core.ops import Permute, Reshape
from lutloom.streamline.align import compact

if TYPE_CHECKING:
    from lutloom.core.rational import Rationals
    from lutloom.streamline.builder import GraphBuilder
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Scaled


def reordered(build: GraphBuilder, node: SourceNode, x: Scaled, axes: tuple[int, ...]) -> Scaled:
    """Return ``x`` with its value's axes in the order ``axes`` of the model's."""
    if x.axes == axes:
        return x
    moves = tuple(x.axes.index(axis) for axis in axes)
    shape = build.types[x.value].shape
    # Moving axes of size 1 about leaves the elements in their order.
    moved = [axis for axis in moves if shape[axis] > 1]
    if moved == sorted(moved):
        target = tuple(shape[axis] for axis in moves)
        value = build.add(node, "/reshape", Reshape(target), (x.value,))
    else:
        value = build.add(node, "/permute", Permute(moves), (x.value,))
    return replace(
        x,
        value=value,
        axes=axes,
        slope=x.slope.transpose(moves),
        offset=x.offset.transpose(moves),
        lower=None if x.lower is None else x.lower.transpose(moves),
        upper=None if x.upper is None else x.upper.transpose(moves),
    )


def in_model_order(build: GraphBuilder, node: SourceNode, x: Scaled) -> Scaled:
    """Return ``x`` with its value's axes in the model's own order."""
    return reordered(build, node, x, tuple(range(len(x.shape))))


def reshaped(build: GraphBuilder, node: SourceNode, x: Scaled, shape: tuple[int, ...]) -> Scaled:
    """Return ``x`` as a tensor of the model's ``shape``, elements in the model's order."""
    x = in_model_order(build, node, x)
    value = x.value
    if shape != x.shape:
        value = build.add(node, "", Reshape(shape), (x.value,))
    return replace(
        x,
        value=value,
        axes=tuple(range(len(shape))),
        shape=shape,
        slope=_reshape(x.slope, x.shape, shape),
        offset=_reshape(x.offset, x.shape, shape),
        lower=None if x.lower is None else _reshape(x.lower, x.shape, shape),
        upper=None if x.upper is None else _reshape(x.upper, x.shape, shape),
    )


def _reshape(array: Rationals, old: tuple[int, ...], new: tuple[int, ...]) -> Rationals:
    import numpy as np

    if array.size == 1:
        return array.reshape((1,) * len(new))
    assert prod(old) == prod(new)
    return compact(np.broadcast_to(array, old).reshape(new))
