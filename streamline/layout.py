"""Values brought into another order of axes: written into the graph only where it matters."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, TypeVar

from lutloom.core.ops import Permute, Reshape
from lutloom.streamline.align import compact
from lutloom.streamline.border_classes import expanded
from lutloom.streamline.symbols import Curve, Scaled

if TYPE_CHECKING:
    from lutloom.core.op import Op
    from lutloom.core.rational import Rationals
    from lutloom.streamline.builder import GraphBuilder
    from lutloom.streamline.source import SourceNode

F = TypeVar("F", Scaled, Curve, Scaled | Curve)


def reordered(build: GraphBuilder, node: SourceNode, x: F, axes: tuple[int, ...]) -> F:
    """Return ``x`` with its value's axes in the order ``axes`` of the model's."""
    if x.axes == axes:
        return x
    moves = tuple(x.axes.index(axis) for axis in axes)
    shape = build.types[x.value].shape
    # Moving axes of size 1 about leaves the elements in their order.
    moved = [axis for axis in moves if shape[axis] > 1]
    if moved == sorted(moved):
        target = tuple(shape[axis] for axis in moves)
        value = _moved(build, node, "/reshape", Reshape(target), x.value)
    else:
        value = _moved(build, node, "/permute", Permute(moves), x.value)
    moved_arrays = x.with_arrays(lambda array: array.transpose(moves))
    classes = tuple(x.classes[axis] for axis in moves) if x.classes else ()
    return replace(moved_arrays, value=value, axes=axes, classes=classes)


def _moved(build: GraphBuilder, node: SourceNode, suffix: str, op: Op, source: str) -> str:
    """Return the result of ``op``: the one that is there, so that equal branches meet again."""
    for known in build.nodes:
        if known.inputs == (source,) and known.op == op:
            return known.results[0]
    return build.add(node, suffix, op, (source,))


def in_model_order(build: GraphBuilder, node: SourceNode, x: F) -> F:
    """Return ``x`` with its value's axes in the model's own order."""
    return reordered(build, node, x, tuple(range(len(x.shape))))


def reshaped(build: GraphBuilder, node: SourceNode, x: F, shape: tuple[int, ...]) -> F:
    """Return ``x`` as a tensor of the model's ``shape``, elements in the model's order."""
    x = in_model_order(build, node, x)
    value, old = x.value, x.shape
    if shape != old:
        x = expanded(node, x)
        value = _moved(build, node, "", Reshape(shape), x.value)
    moved = x.with_arrays(lambda array: _reshape(array, old, shape))
    return replace(moved, value=value, axes=tuple(range(len(shape))), shape=shape)


def _reshape(array: Rationals, old: tuple[int, ...], new: tuple[int, ...]) -> Rationals:
    import numpy as np

    if array.size == 1:
        return array.reshape((1,) * len(new))
    assert prod(old) == prod(new)
    return compact(np.broadcast_to(array, old).reshape(new))
