"""A channel that nothing depends on  =  no channel: of weights, thresholds, pools, joins, moves.

Exact: a class of channels is removed (``live_channels``) of which no product reads one, but with
weights of zero, or as a constant ``k``. Then ``w k`` is left out of each sum, and every threshold
``t`` behind it becomes ``t - w k``: ``x + w k >= t`` if and only if ``x >= t - w k``. Where windows
are cut off, taps outside of the image see the filling; there ``k`` has to be that.

A quantizer whose thresholds are never reached is a constant, and dead neurons of a network that was
trained are such: their filters, their windows and what reads them need not be built.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lutloom.core.graph import Graph, Node, fresh_name
from lutloom.core.ops import (
    Add,
    BorderThreshold,
    Conv,
    Linear,
    Lookup,
    Requantize,
    Reshape,
    Slice,
    Split,
    Threshold,
)
from lutloom.core.types import INT64_MAX, INT64_MIN, Const
from lutloom.streamline.channel_tables import with_channels
from lutloom.streamline.live_channels import live_channels, reads_weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lutloom.core.op import Op
    from lutloom.core.types import IntArray
    from lutloom.streamline.live_channels import LiveChannels


def remove_dead_channels(graph: Graph, unit: int = 1) -> Graph:
    """Remove all channels that no output depends on, until there are none.

    A layer folds by the divisors of its channels: of 64 channels, with a ``unit`` of 8, a multiple
    of 8 is left, since 63 would fold badly, and of 512 a multiple of 64.
    """
    return without_dead_channels(graph, unit)[0]


def without_dead_channels(graph: Graph, unit: int = 1) -> tuple[Graph, Mapping[str, IntArray]]:
    """Return the graph, and which channels are left of the values that keep their name."""
    kept: dict[str, IntArray] = {name: np.arange(t.channels) for name, t in graph.types.items()}
    while True:
        live = live_channels(graph, unit)
        if all(len(live.kept[name]) == t.channels for name, t in graph.types.items()):
            return graph, kept
        graph = _rewritten(graph, live)
        kept = {name: kept[name][live.kept[name]] for name in graph.types.keys() & kept.keys()}


def _rewritten(graph: Graph, live: LiveChannels) -> Graph:
    names, renamed = set(graph.types), {}
    offsets: dict[str, IntArray] = {}
    nodes = []
    for node in graph.nodes:
        source = node.inputs[0]
        if reads_weights(node.op):
            offset = _left_out(graph, node, live)
            if offset.any():
                # Its sums are others now.
                offsets[node.name] = offset
                renamed[node.name] = fresh_name(f"{node.name}/reduced", names)
        op = _reduced(graph, node, live)
        if source in offsets:
            op = _moved(op, offsets[source])
        nodes.append(
            Node(
                tuple(renamed.get(name, name) for name in node.results),
                op,
                tuple(renamed.get(name, name) for name in node.inputs),
            )
        )
    return Graph(graph.inputs, tuple(nodes), graph.outputs)


def _left_out(graph: Graph, node: Node, live: LiveChannels) -> IntArray:
    """Return what the constants that are removed added to each sum that stays."""
    assert isinstance(node.op, Conv | Linear)
    source = node.inputs[0]
    gone = np.setdiff1d(np.arange(graph.types[source].channels), live.kept[source])
    fan_in, outputs = node.op.weights.shape[-2:]
    weights = node.op.weights.data.reshape(-1, fan_in, outputs)[:, gone][..., live.kept[node.name]]
    sums = weights.astype(np.int64).sum(axis=0)
    return np.asarray(live.constants[source][gone] @ sums)


def _reduced(graph: Graph, node: Node, live: LiveChannels) -> Op:
    """Return the operator of ``node`` for the channels that are left."""
    x = graph.types[node.inputs[0]]
    inputs, results = live.kept[node.inputs[0]], live.kept[node.name]
    match node.op:
        case Linear(weights=weights):
            return Linear(Const(weights.data[inputs][:, results]))
        case Conv(weights=weights, groups=groups) as op:
            data = weights.data[..., results]
            if groups == 1:
                return replace(op, weights=Const(data[..., inputs, :]))
            return (
                replace(op, weights=Const(data), groups=len(inputs)) if data.shape[-2] == 1 else op
            )
        case Add() | BorderThreshold() | Requantize() | Threshold() as op:
            return with_channels(op, results)
        case Lookup(table=table) as op:
            return replace(op, table=Const(table.data[:, results]))
        case Reshape(shape) if shape:
            return Reshape((*shape[:-1], len(results)))
        case Slice(axis=axis) as op if axis == len(x.shape) - 1:
            return replace(op, start=_before(inputs, op.start), stop=_before(inputs, op.stop))
        case Split(axis=axis, ends=ends) as op if axis == len(x.shape) - 1:
            return replace(op, ends=tuple(_before(inputs, end) for end in ends))
        case op:
            return op


def _before(kept: IntArray, end: int) -> int:
    return int(np.searchsorted(kept, end))


def _moved(op: Op, offset: IntArray) -> Op:
    """Return the thresholds of ``op`` for sums that ``offset [channels]`` is left out of."""
    assert isinstance(op, BorderThreshold | Threshold)
    rows = op.thresholds.int64.astype(object) - offset.astype(object)[:, np.newaxis]
    return replace(op, thresholds=Const(np.clip(rows, INT64_MIN, INT64_MAX).astype(np.int64)))
