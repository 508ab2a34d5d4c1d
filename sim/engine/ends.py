"""The ends of a network in its program: bytes go in as they are, and the model's reals come out.

A head maps each element of the model's input by itself, apart from moving it: what it makes of each
of the 256 bytes is a table, and a table is a staircase, up and down, in front of the graph. The
table is computed by the head itself, so that what comes out is the same, however a float32 behaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lutloom.core import host
from lutloom.core.graph import Graph, Node, fresh_name
from lutloom.core.ops import Permute, Reshape, Threshold
from lutloom.core.types import Const, IntType, TensorType
from lutloom.sim.engine.kernels.tail import Reals, reals_of

if TYPE_CHECKING:
    from lutloom.core.meaning import ValueMeaning
    from lutloom.core.network import Network
    from lutloom.core.op import Op
    from lutloom.core.ports import InputPort
    from lutloom.core.types import IntArray

BYTE = IntType(0, 255)
_BYTES = 256
_MOST_NUMBERS = 2**22
"""Numbers of the inputs of a head that are computed at a time."""


@dataclass(frozen=True, eq=False)
class Ends:
    """A graph from the model's inputs, as bytes, to what its outputs are made of, one for each.

    An output that ``reals`` say how to make has the order of the model's axes, and as many elements
    as its shape; others are values of the network's own graph, for the host.
    """

    graph: Graph
    reals: tuple[Reals | None, ...]


def with_ends(network: Network) -> Ends | None:
    """Return ``network`` with its ends; None where an input is more than a byte an element."""
    names = set(network.graph.types)
    inputs: dict[str, TensorType] = {}
    nodes: list[Node] = []
    for port in network.inputs:
        front = _front(port, network.meaning[port.value], network.graph.inputs[port.value])
        if front is None:
            return None
        name = fresh_name(port.value, names)
        inputs[name] = TensorType(BYTE, port.shape)
        for number, op in enumerate(front, start=1):
            made = port.value if number == len(front) else fresh_name(port.value, names)
            nodes.append(Node((made,), op, (name,)))
            name = made
    nodes += network.graph.nodes
    outputs: list[str] = []
    reals = [reals_of(out, network.graph.types[out.value]) for out in network.outputs]
    for out, made_by in zip(network.outputs, reals, strict=True):
        outputs.append(out.value)
        axes, shape = _inverse(out.meaning.axes), network.graph.types[out.value].shape
        if made_by is not None and _moves(axes, shape):
            outputs[-1] = fresh_name(out.value, names)
            nodes.append(Node((outputs[-1],), Permute(axes), (out.value,)))
    return Ends(Graph(inputs, tuple(nodes), tuple(outputs)), tuple(reals))


def _front(port: InputPort, meaning: ValueMeaning, type_: TensorType) -> list[Op] | None:
    """Return the operators from the bytes of ``port`` to the graph's input: at least one."""
    if meaning.kept:
        return None
    if port.is_raw and (type_.element.step != 1 or type_.element.joined(BYTE) != type_.element):
        return None  # some bytes are no inputs
    ops: list[Op] = []
    shape = port.shape
    for step in port.head:
        match step:
            case host.ToShape(wanted):
                ops.append(Reshape(wanted))
                shape = wanted
            case host.Transpose(axes):
                _permute(ops, shape, axes)
                shape = tuple(shape[axis] for axis in axes)
            case _ if not _is_elementwise(step):
                return None
    if meaning.split:
        ops.append(Reshape(meaning.split))
        shape = meaning.split
    _permute(ops, shape, meaning.axes)
    ops.append(Reshape(type_.shape))
    if port.is_raw:
        return ops
    staircase = _staircase(port, meaning, type_)
    return None if staircase is None else [*ops, staircase]


def _is_elementwise(step: host.HostStep) -> bool:
    match step:
        case host.Softmax() | host.Largest() | host.ToShape() | host.Transpose():
            return False
        case host.Combine(_, left, right):
            return all(map(_is_elementwise, (*left, *right)))
        case _:
            return True


def _permute(ops: list[Op], shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    """Add the operator that moves the axes, if any element moves."""
    if _moves(axes, shape):
        ops.append(Permute(axes))
    else:
        ops.append(Reshape(tuple(shape[axis] for axis in axes)))


def _moves(axes: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    wide = [axis for axis in axes if shape[axis] > 1]
    return wide != sorted(wide)


def _inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(range(len(axes)), key=axes.__getitem__))


def _staircase(port: InputPort, meaning: ValueMeaning, type_: TensorType) -> Threshold | None:
    """Return what the head of ``port`` makes of bytes; None where not all places are alike.

    Of one channel, or of as many as the graph's input has.
    """
    import numpy as np

    tables = []
    size = max(1, _MOST_NUMBERS // type_.size)
    for first in range(0, _BYTES, size):
        values = np.arange(first, min(first + size, _BYTES), dtype=np.uint8)
        same = np.broadcast_to(
            values.reshape(-1, *[1] * len(port.shape)), (len(values), *port.shape)
        )
        found = port.encode(same, meaning, type_).reshape(len(values), -1, type_.channels)
        if (found != found[:, :1]).any():
            return None
        tables.append(found[:, 0])
    table = np.concatenate(tables)
    if (table == table[:, :1]).all():
        table = table[:, :1]
    return _threshold(table.T)


def _threshold(table: IntArray) -> Threshold:
    """Return the staircase that has ``table [channels, 256]`` at the bytes."""
    import numpy as np

    rises = np.diff(table, axis=1)
    places = np.flatnonzero(rises.any(axis=0))
    thresholds = np.broadcast_to(places + 1, (len(table), len(places)))
    return Threshold(Const(thresholds), Const(table[:, 0]), Const(rises[:, places]))
