"""Operators that change no integer, and only where it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.core.ops import Concat, Permute, Slice, Split, Upsample
from lutloom.sim.engine.kernels.copy import converted, copy, memory_of
from lutloom.sim.engine.kernels.wanted import keeps_bits
from lutloom.sim.engine.storage import Layout

if TYPE_CHECKING:
    from lutloom.core.graph import Node
    from lutloom.sim.engine.planner import Planner


def lower_alias(planner: Planner, node: Node) -> None:
    """Let the results of a ``Reshape`` or a ``Duplicate`` be the same memory."""
    (value,) = node.inputs
    for name in node.results:
        if planner.wants(name) is Layout.BITS and keeps_bits(planner, value, name):
            planner.keep(name, planner.bits(value))
        else:
            planner.keep(name, planner.dense(value))


def lower_permute(planner: Planner, node: Node) -> None:
    """Add the step that transposes."""
    assert isinstance(node.op, Permute)
    x = planner.dense(node.inputs[0])
    y = planner.make(node.name, x.storage)
    source = memory_of(planner.type(node.inputs[0])).transpose(node.op.axes)
    copy(planner, x, y, source, memory_of(planner.type(node.name)))


def lower_parts(planner: Planner, node: Node) -> None:
    """Add a step for each part of a ``Slice`` or a ``Split``."""
    assert isinstance(node.op, Slice | Split)
    x = planner.dense(node.inputs[0])
    whole = memory_of(planner.type(node.inputs[0]))
    parts = node.op.parts if isinstance(node.op, Split) else (node.op,)
    for name, part in zip(node.results, parts, strict=True):
        y = planner.make(name, x.storage)
        source = whole[(slice(None),) * part.axis + (slice(part.start, part.stop),)]
        copy(planner, x, y, source, memory_of(planner.type(name)))


def lower_concat(planner: Planner, node: Node) -> None:
    """Add a step for each of what is joined."""
    assert isinstance(node.op, Concat)
    y, axis = planner.make(node.name), node.op.axis
    whole = memory_of(planner.type(node.name))
    start = 0
    for name in node.inputs:
        tensor = planner.type(name)
        x = converted(planner, planner.dense(name), tensor, y.storage)
        stop = start + tensor.shape[axis]
        target = whole[(slice(None),) * axis + (slice(start, stop),)]
        copy(planner, x, y, memory_of(tensor), target)
        start = stop


def lower_upsample(planner: Planner, node: Node) -> None:
    """Add the step that repeats elements."""
    import numpy as np

    assert isinstance(node.op, Upsample)
    x = planner.dense(node.inputs[0])
    y = planner.make(node.name, x.storage)
    tensor = planner.type(node.inputs[0])
    pairs = [n for pair in zip(tensor.shape, node.op.factors, strict=True) for n in pair]
    places = memory_of(tensor)
    apart = places.reshape([n for size in tensor.shape for n in (size, 1)])
    target = memory_of(planner.type(node.name)).reshape(pairs)
    copy(planner, x, y, np.broadcast_to(apart, pairs), target)
