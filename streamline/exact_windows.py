"""Which elements one result of a window is computed from: of the data, and of the weights.

Elements are a tuple of index arrays, one for each axis of the tensor, that broadcast together.
Those of the data and of the weights that meet are in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from lutloom.streamline.window_taps import is_channels_last, places_of

if TYPE_CHECKING:
    from lutloom.core.types import IntArray
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.window_taps import Places

    Index: TypeAlias = tuple[int, ...]
    Elements: TypeAlias = tuple[IntArray, ...]

# SourceNodes are compared by identity: as many are remembered as a comparison has at a time.
_places = lru_cache(maxsize=256)(places_of)


def seen(node: SourceNode, shape: Index, index: Index) -> tuple[Elements, int]:
    """Return what the result ``index`` of a pooling sees of data of ``shape``, and its divisor."""
    image, channel, place = _split(node, shape, index)
    places = _places(node, _image(node, shape))
    pixels = [[pixel for _, pixel in axis[i]] for axis, i in _at(places, place)]
    divisor = 1
    for counts, i in zip(places.counts, place, strict=True):
        divisor *= counts[i]
    return _ordered(node, np.ix_([image], [channel], *pixels)), divisor


def meeting(
    node: SourceNode, shape: Index, weights: Index, index: Index
) -> tuple[Elements, Elements]:
    """Return the elements of data and weights whose products a convolution adds up at ``index``."""
    image, output, place = _split(node, shape, index)
    channels = shape[-1] if is_channels_last(node) else shape[1]
    groups = node.integer("group", 1)
    kernel = weights[1:-1] if is_channels_last(node) else weights[2:]
    places = _places(node, _image(node, shape), kernel)
    pairs = [axis[i] for axis, i in _at(places, place)]
    pixels = [[pixel for _, pixel in axis] for axis in pairs]
    taps = [[tap for tap, _ in axis] for axis in pairs]
    fan_in = channels // groups
    if node.op_type == "ConvTranspose":
        outputs = weights[1]
        first = output // outputs * fan_in
        own = range(first, first + fan_in)
        return np.ix_([image], own, *pixels), np.ix_(own, [output % outputs], *taps)
    filters = weights[0] // groups
    first = output // filters * fan_in
    data = np.ix_([image], range(first, first + fan_in), *pixels)
    return _ordered(node, data), _ordered(node, np.ix_([output], range(fan_in), *taps))


def row_element(node: SourceNode, shape: Index, index: Index) -> Index | None:
    """Return which element of the data an ``Im2Col`` has at ``index``; None for padding."""
    places = _places(node, _image(node, shape))
    *tap, channel = np.unravel_index(index[-1], (*places.kernel, shape[-1]))
    pixels = []
    for (axis, i), t in zip(_at(places, index[1:-1]), tap, strict=True):
        there = [pixel for own, pixel in axis[i] if own == t]
        if not there:
            return None
        pixels.append(there[0])
    return (index[0], *pixels, int(channel))


def one_by_one(elements: Elements) -> Iterator[Index]:
    """Yield the places of ``elements``, in their order."""
    flat = [axis.ravel().tolist() for axis in np.broadcast_arrays(*elements)]
    yield from zip(*flat, strict=True)


def _split(node: SourceNode, shape: Index, index: Index) -> tuple[int, int, Index]:
    """Return the image, the channel and the place of a result."""
    assert len(index) == len(shape)
    if is_channels_last(node):
        return index[0], index[-1], index[1:-1]
    return index[0], index[1], index[2:]


def _image(node: SourceNode, shape: Index) -> Index:
    return tuple(shape[1:-1] if is_channels_last(node) else shape[2:])


def _at(places: Places, place: Index) -> list[tuple[list[list[tuple[int, int]]], int]]:
    return [(axis, i) for axis, i in zip(places.taps, place, strict=True)]


def _ordered(node: SourceNode, elements: Elements) -> Elements:
    """Put the axis of the channels, which is the second, where ``node`` has it."""
    if not is_channels_last(node):
        return elements
    return (elements[0], *elements[2:], elements[1])
