"""The axes of a ReduceMean or its like, an attribute or an input, and what becomes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lutloom.core.windows import Windows
from lutloom.streamline.context import required_integers
from lutloom.streamline.errors import ModelError

if TYPE_CHECKING:
    from lutloom.streamline.context import Inputs
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Formula


@dataclass(frozen=True, slots=True)
class Reduction:
    """Which axes are reduced, without the batch, and the shape of the result."""

    axes: tuple[int, ...]
    shape: tuple[int, ...]


def reduced_axes(node: SourceNode, inputs: Inputs, shape: tuple[int, ...]) -> Reduction:
    """Return what ``node`` reduces of data of ``shape``.

    Raises ``ModelError`` where the batch is among the axes, or an axis is none of the data's.
    """
    rank = len(shape) + 1
    axes = node.integers("axes")
    if axes is None and len(inputs) > 1 and inputs[1] is not None:
        axes = required_integers(node, inputs, 1, "axes")
    if not axes:
        axes = () if node.integer("noop_with_empty_axes", 0) else tuple(range(rank))
    if any(not -rank <= axis < rank for axis in axes):
        raise ModelError(f"{node}: its axes {list(axes)} are not those of {rank} dimensions")
    places = {axis % rank - 1 for axis in axes}
    if -1 in places:
        raise ModelError(
            f"{node} reduces the batch, which mixes images: give it the axes of one image"
        )
    keeps = bool(node.integer("keepdims", 1))
    left = tuple(
        1 if axis in places else size
        for axis, size in enumerate(shape)
        if keeps or axis not in places
    )
    return Reduction(tuple(sorted(places)), left)


def windows_along(
    node: SourceNode, x: Formula, axes: tuple[int, ...]
) -> tuple[tuple[int, ...], Windows]:
    """Return the order of axes in which ``x`` is an image, and windows as large along ``axes``.

    Channels come last: the model's axis 1, unless it is one of ``axes``.

    Raises ``ModelError`` where every axis is.
    """
    rank = len(x.shape)
    kept = [axis for axis in range(rank) if axis not in axes]
    if not kept or rank == 1:
        raise ModelError(
            f"{node} takes the largest of several channels, which this version has no hardware for:"
            " take that of the pixels of an image"
        )
    places = tuple(axis for axis in range(rank) if axis != kept[0])
    kernel = tuple(x.shape[axis] if axis in axes else 1 for axis in places)
    ones = (1,) * len(places)
    windows = Windows(kernel, ones, ones, (0,) * (2 * len(places)), ones)
    return (*places, kept[0]), windows
