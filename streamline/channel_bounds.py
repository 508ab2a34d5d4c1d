"""Between which integers every channel of every value lies: interval arithmetic over a graph.

A channel whose two bounds are equal is constant. Bounds may be wider than what occurs, never
narrower: types are what is assumed of an operator that is not looked into.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from lutloom.core.ops import (
    Add,
    BorderThreshold,
    Concat,
    Conv,
    Linear,
    Lookup,
    MaxPool,
    Multiply,
    Permute,
    Requantize,
    Reshape,
    Slice,
    Split,
    SumPool,
    Threshold,
    Upsample,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lutloom.core.graph import Graph, Node
    from lutloom.core.op import Op
    from lutloom.core.types import IntArray, TensorType

    Bounds: TypeAlias = tuple[IntArray, IntArray]

# A table of thresholds, or a tensor whose elements are followed, has no more numbers than this.
_MOST_NUMBERS = 1 << 24
# Sums of what lies below it stay within 64 bits.
_FARTHEST = 1 << 61


def channel_bounds(graph: Graph) -> Mapping[str, Bounds]:
    """Return the least and the largest integer of every channel (last axis) of every value."""
    bounds = {name: _of_type(type_) for name, type_ in graph.inputs.items()}
    for node in graph.nodes:
        inputs = [bounds[name] for name in node.inputs]
        results = _results(graph, node, inputs)
        for index, name in enumerate(node.results):
            whole = _of_type(graph.types[name])
            lows, highs = whole if results is None else results[index]
            # Within its type, which may know more: steps, or windows that are cut off.
            bounds[name] = (np.maximum(lows, whole[0]), np.minimum(highs, whole[1]))
    return bounds


def moved_channels(op: Op, x: TensorType) -> IntArray | None:
    """Return from which channel of ``x`` every element of the result of a move is.

    ``[elements, channels]``: each row has the channels of the result; None for too many elements.
    """
    if x.size > _MOST_NUMBERS:
        return None
    channels = np.broadcast_to(np.arange(x.channels), (1, *x.shape))
    (moved,) = op.reference(channels)
    return np.unique(moved.reshape(-1, moved.shape[-1] if moved.ndim > 1 else 1), axis=0)


def _of_type(x: TensorType) -> Bounds:
    ends = (np.full(x.channels, end, dtype=np.int64) for end in (x.element.lo, x.element.hi))
    lows, highs = ends
    return lows, highs


def _results(graph: Graph, node: Node, inputs: Sequence[Bounds]) -> list[Bounds] | None:
    """Return the bounds of the results of ``node``; None where nothing but types is known."""
    x = graph.types[node.inputs[0]]
    match node.op:
        case Split(parts=parts):
            several = [_moved(part, x, *inputs[0]) for part in parts]
            return [entry for entry in several if entry] if all(several) else None
        case Slice() | Permute() | Reshape() | Upsample():
            found = _moved(node.op, x, *inputs[0])
        case Add() | Concat() | Multiply():
            found = _joined(node.op, x, inputs)
        case _:
            found = _computed(node.op, x, *inputs[0])
    return None if found is None else [found]


def _computed(op: Op, x: TensorType, lows: IntArray, highs: IntArray) -> Bounds | None:
    """Return the bounds of what is computed from one tensor."""
    match op:
        case Linear(weights=weights):
            sums = op.sums.positive, op.sums.negative
            return _products(lows[None], highs[None], weights.data[None], *(s[None] for s in sums))
        case Conv():
            return _windows(op, x, lows, highs)
        case Threshold():
            tables = (op.thresholds.int64[None], op.base.int64[None], op.deltas.int64[None])
            return _levels(*tables, lows, highs)
        case BorderThreshold():
            *kinds, channels, _ = op.thresholds.shape
            tables = (op.thresholds.int64, op.base.int64[..., np.newaxis], op.deltas.int64)
            thresholds, base, deltas = (
                table.reshape(prod(kinds), channels, table.shape[-1]) for table in tables
            )
            return _levels(thresholds, base[..., 0], deltas, lows, highs)
        case Requantize():
            ends = [op.reference(end[None])[0][0] for end in (lows, highs)]
            return np.minimum(*ends), np.maximum(*ends)
        case SumPool():
            counts = op.windows.borders(x.shape[:-1]).masks.sum(axis=-1)
            corners = [end * int(n) for end in (lows, highs) for n in (counts.min(), counts.max())]
            return np.minimum.reduce(corners), np.maximum.reduce(corners)
        case MaxPool():
            return lows, highs
        case Lookup(table=table):
            return table.int64.min(axis=0), table.int64.max(axis=0)
        case _:
            return None


def _joined(op: Add | Concat | Multiply, x: TensorType, inputs: Sequence[Bounds]) -> Bounds:
    """Return the bounds of what several tensors meet in."""
    least, most = ([ends[i] for ends in inputs] for i in (0, 1))
    match op:
        case Add(multipliers=multipliers):
            terms = [(m * a, m * b) for m, (a, b) in zip(multipliers.int64, inputs, strict=True)]
            low = np.add.reduce([np.minimum(*ends) for ends in terms])
            return low, np.add.reduce([np.maximum(*ends) for ends in terms])
        case Multiply():
            corners = [a * b for a in inputs[0] for b in inputs[1]]
            return np.minimum.reduce(corners), np.maximum.reduce(corners)
        case Concat(axis=axis) if axis == len(x.shape) - 1:
            return np.concatenate(least), np.concatenate(most)
        case Concat():
            return np.minimum.reduce(least), np.maximum.reduce(most)


def _moved(op: Op, x: TensorType, lows: IntArray, highs: IntArray) -> Bounds | None:
    channels = moved_channels(op, x)
    if channels is None:
        return None
    return lows[channels].min(axis=0), highs[channels].max(axis=0)


def _windows(op: Conv, x: TensorType, lows: IntArray, highs: IntArray) -> Bounds | None:
    """Return the bounds of the sums of windows; a tap that may be masked sees either."""
    masks = op.windows.borders(x.shape[:-1]).masks
    is_whole = np.logical_and.reduce(masks.reshape(-1, masks.shape[-1]))[:, np.newaxis]
    lows = np.where(is_whole, lows, np.minimum(lows, op.fill))
    highs = np.where(is_whole, highs, np.maximum(highs, op.fill))
    fan_in, outputs = op.weights.shape[-2:]
    weights = op.weights.data.reshape(-1, fan_in, outputs)
    sums = op.sums.positive, op.sums.negative
    if fan_in == 1 and _fits(lows, highs, *sums):
        # Every output has a channel to itself: no sums over channels.
        channel = np.arange(outputs) // (outputs // op.groups)
        terms = [end[:, channel] * weights[:, 0].astype(np.int64) for end in (lows, highs)]
        return np.minimum(*terms).sum(axis=0), np.maximum(*terms).sum(axis=0)
    if op.groups > 1:
        return _reach(lows.min(axis=1), highs.max(axis=1), *sums)
    return _products(lows, highs, weights, *sums)


def _products(
    lows: IntArray,
    highs: IntArray,
    weights: NDArray[np.integer],
    positive: IntArray,
    negative: IntArray,
) -> Bounds | None:
    """Return the bounds of ``[taps, channels]`` times ``weights [taps, channels, outputs]``.

    ``positive`` and ``negative`` are sums of the weights over channels. All channels are taken to
    reach as far as the farthest, but for those that are constant.
    """
    is_constant = (lows == highs).all(axis=0)
    low, high = np.zeros((2, len(lows)), dtype=np.int64)
    if not is_constant.all():
        low, high = lows[:, ~is_constant].min(axis=1), highs[:, ~is_constant].max(axis=1)
    bounds = _reach(low, high, positive, negative)
    if bounds is None or not is_constant.any() or not _fits(lows, highs, positive, negative):
        return bounds
    least, most = bounds
    constants = zip(lows[:, is_constant], weights[:, is_constant].astype(np.int64), strict=True)
    for tap, (numbers, matrix) in enumerate(constants):
        above, below = np.maximum(matrix, 0).sum(axis=0), np.minimum(matrix, 0).sum(axis=0)
        exact = numbers @ matrix
        least = least - low[tap] * above - high[tap] * below + exact
        most = most - high[tap] * above - low[tap] * below + exact
    return least, most


def _reach(low: IntArray, high: IntArray, positive: IntArray, negative: IntArray) -> Bounds | None:
    """Return the bounds of sums over taps that see ``low .. high [taps]``.

    None where they need more than 64 bits.
    """
    if not _fits(low, high, positive, negative):
        return None
    return low @ positive + high @ negative, high @ positive + low @ negative


def _fits(lows: IntArray, highs: IntArray, positive: IntArray, negative: IntArray) -> bool:
    """Whether sums of products stay far within 64 bits."""
    farthest = max(abs(int(lows.min())), abs(int(highs.max())), 1)
    sizes = [np.abs(part).sum(axis=0).astype(np.float64) for part in (positive, negative)]
    return farthest * float((sizes[0] + sizes[1]).max()) < _FARTHEST


def _levels(
    thresholds: IntArray, base: IntArray, deltas: IntArray, lows: IntArray, highs: IntArray
) -> Bounds | None:
    """Return the least and the largest level of ``thresholds [K, C, T]``, over all ``K``."""
    kinds, channels, steps = thresholds.shape
    if kinds * len(lows) * (steps + 1) > _MOST_NUMBERS:
        return None
    heights = np.broadcast_to(deltas, (kinds, channels, steps)).cumsum(axis=-1)
    start = base[..., None]
    levels = np.concatenate([start, start + heights], axis=-1)
    # The first step that is open to a channel, and the last.
    first = (thresholds <= lows[:, None]).sum(axis=-1, keepdims=True)
    last = (thresholds <= highs[:, None]).sum(axis=-1, keepdims=True)
    places = np.arange(steps + 1)
    is_open = (first <= places) & (places <= last)
    limits = np.iinfo(np.int64)
    least = np.where(is_open, levels, limits.max).min(axis=(0, -1))
    return least, np.where(is_open, levels, limits.min).max(axis=(0, -1))
