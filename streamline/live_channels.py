"""Which channels of a graph anything depends on.

Operators that treat channels one by one tie those of their results to those of their inputs: they
stay or go together, in classes. Products with constant weights tie nothing: what they read of a
channel are its weights. A class goes if nobody reads one of its channels, or everybody who does can
do without: all weights of a channel are zero, or the channel is constant, and what it adds to the
sums is one number each, which the thresholds behind them can be moved by.

A channel that the graph's interface has, an input's or an output's, stays, and so do those of
operators that are not looked into.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING

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
from lutloom.streamline.channel_bounds import channel_bounds, moved_channels

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    from numpy.typing import NDArray

    from lutloom.core.graph import Graph, Node
    from lutloom.core.op import Op
    from lutloom.core.types import IntArray
    from lutloom.streamline.channel_bounds import Bounds

    Bools: TypeAlias = NDArray[np.bool_]


_AT_ONCE = 16


@dataclass(frozen=True, slots=True, eq=False)
class LiveChannels:
    """The channels that stay, by value: ascending. ``constants`` are what the others may be."""

    kept: Mapping[str, IntArray]
    constants: Mapping[str, IntArray]
    """Of every value the integer of each channel, where it is constant, else 0."""


def live_channels(graph: Graph, unit: int = 1) -> LiveChannels:
    """Return which channels of every value have to stay; of every value one does at least.

    How many are left of a value is a multiple of a power of two, if they were one: the largest up
    to ``unit``, or an eighth of the channels where that is more.
    """
    starts, total = {}, 0
    for name, type_ in graph.types.items():
        starts[name] = total
        total += type_.channels
    pairs, pinned = _ties(graph, starts)
    labels = _classes(total, pairs)
    bounds = channel_bounds(graph)
    kept = np.zeros(total, dtype=bool)
    kept[labels[pinned]] = True
    while True:
        _spread(graph, starts, labels, kept, bounds)
        short = []
        for name, start in starts.items():
            own = labels[start : start + _size(graph, name)]
            count, granule = int(kept[own].sum()), _granule(len(own), unit)
            if not count or count % granule:
                # The same ones all along a chain of values that are tied.
                short.append(own[~kept[own]][: granule - count % granule])
        if not short:
            break
        kept[np.concatenate(short)] = True
    places = {name: slice(start, start + _size(graph, name)) for name, start in starts.items()}
    return LiveChannels(
        {name: np.flatnonzero(kept[labels[place]]) for name, place in places.items()},
        {name: np.where(lo == hi, lo, 0) for name, (lo, hi) in bounds.items()},
    )


def _granule(channels: int, unit: int) -> int:
    """Return the number that ``channels`` are left in multiples of."""
    if unit == 1:
        return 1
    return gcd(channels, 1 << max(unit, channels // 8).bit_length() - 1)


def _size(graph: Graph, name: str) -> int:
    return graph.types[name].channels


def reads_weights(op: Op) -> bool:
    """Whether ``op`` multiplies all channels of its input by weights."""
    return isinstance(op, Linear) or (isinstance(op, Conv) and op.groups == 1)


def _ties(graph: Graph, starts: Mapping[str, int]) -> tuple[IntArray, IntArray]:
    """Return pairs of channels that stay or go together ``[pairs, 2]``, and those that stay."""

    def channels(name: str) -> IntArray:
        return np.arange(starts[name], starts[name] + _size(graph, name))

    pairs: list[IntArray] = [np.zeros((0, 2), dtype=np.int64)]
    pinned: list[IntArray] = [np.zeros(0, dtype=np.int64)]
    pinned += [channels(name) for name in (*graph.inputs, *graph.outputs)]
    for node in graph.nodes:
        if reads_weights(node.op):
            continue
        tied = list(_tied(graph, node))
        if not tied:
            free = node.results if isinstance(node.op, Lookup) else ()
            pinned += [channels(n) for n in (*node.inputs, *node.results) if n not in free]
        for source, result, places in tied:
            pairs.append(np.stack([starts[source] + places[0], starts[result] + places[1]], axis=1))
    return np.concatenate(pairs), np.concatenate(pinned)


def _tied(graph: Graph, node: Node) -> Iterator[tuple[str, str, tuple[IntArray, IntArray]]]:
    """Yield an input, a result, and which channels of the two are tied; nothing for others."""
    x = graph.types[node.inputs[0]]
    same = np.arange(x.channels)
    match node.op:
        case Threshold() | BorderThreshold() | Requantize() | MaxPool() | SumPool():
            yield node.inputs[0], node.name, (same, same)
        case Add() | Multiply():
            for name in node.inputs:
                yield name, node.name, (same, same)
        case Conv(weights=weights, groups=groups) if weights.shape[-2] == 1:
            results = np.arange(weights.shape[-1])
            yield node.inputs[0], node.name, (results // (weights.shape[-1] // groups), results)
        case Concat(axis=axis):
            start = 0
            for name in node.inputs:
                here = np.arange(graph.types[name].channels)
                yield name, node.name, (here, here + start)
                start += len(here) if axis == len(x.shape) - 1 else 0
        case Split(parts=parts):
            yield from _moves(graph, node, parts)
        case Slice() | Permute() | Reshape() | Upsample():
            yield from _moves(graph, node, (node.op,))


def _moves(
    graph: Graph, node: Node, ops: tuple[Op, ...]
) -> Iterator[tuple[str, str, tuple[IntArray, IntArray]]]:
    x = graph.types[node.inputs[0]]
    moved = [moved_channels(op, x) for op in ops]
    if any(channels is None for channels in moved):
        return
    for name, channels in zip(node.results, moved, strict=True):
        assert channels is not None
        results = np.broadcast_to(np.arange(channels.shape[1]), channels.shape)
        yield node.inputs[0], name, (channels.reshape(-1), results.reshape(-1))


def _classes(total: int, pairs: IntArray) -> IntArray:
    """Return for each of ``total`` channels the least one that it is tied to."""
    labels = np.arange(total)
    left, right = pairs.T
    while True:
        least = np.minimum(labels[left], labels[right])
        after = labels.copy()
        # The label of a label as well, so that long chains close soon.
        for ends in (left, right, labels[left], labels[right]):
            np.minimum.at(after, ends, least)
        after = after[after]
        if (after == labels).all():
            return labels
        labels = after


def _spread(
    graph: Graph,
    starts: Mapping[str, int],
    labels: IntArray,
    kept: Bools,
    bounds: Mapping[str, Bounds],
) -> None:
    """Add to ``kept``, by class, what products that stay need, until nothing is added."""
    readers = [node for node in reversed(graph.nodes) if reads_weights(node.op)]
    before = -1
    while before != (before := int(kept.sum())):
        for node in readers:
            source = node.inputs[0]
            inputs, results = (
                labels[starts[name] : starts[name] + _size(graph, name)]
                for name in (source, node.name)
            )
            wanted = kept[results]
            if wanted.any():
                needed = _weighs(node.op, wanted) & ~_is_folded(graph, node, *bounds[source])
                kept[inputs[needed]] = True


def _weighs(op: Op, wanted: Bools) -> Bools:
    """Return which channels of the input have a weight other than zero in a ``wanted`` output."""
    assert isinstance(op, Conv | Linear)
    weights = op.weights.data.reshape(-1, *op.weights.shape[-2:])
    found = np.zeros(weights.shape[1], dtype=bool)
    outputs = np.flatnonzero(wanted)
    # Most channels have one in the first few outputs.
    for start in range(0, len(outputs), _AT_ONCE):
        (others,) = np.nonzero(~found)
        if not others.size:
            break
        columns = outputs[start : start + _AT_ONCE]
        found[others] = (weights[:, others][..., columns] != 0).any(axis=(0, 2))
    return found


def _is_folded(graph: Graph, node: Node, lows: IntArray, highs: IntArray) -> Bools:
    """Return which channels are constant, and add the same to a sum wherever its window lies."""
    is_constant = lows == highs
    if isinstance(node.op, Conv):
        image = graph.types[node.inputs[0]].shape[:-1]
        if node.op.windows.borders(image).is_masking:
            is_constant &= lows == node.op.fill
    return np.asarray(is_constant & ((lows == 0) | moves_thresholds(graph, node.name)))


def moves_thresholds(graph: Graph, name: str) -> bool:
    """Whether only thresholds read ``name``, a row a channel: they can be moved by any number."""
    return name not in graph.outputs and all(
        isinstance(user.op, BorderThreshold | Threshold)
        and user.op.thresholds.shape[-2] == _size(graph, name)
        for user in graph.users[name]
    )
