"""From integer operators to processes, each of which is one C++ function call.

    linear(x, weights)        =  matvec(x, weights transposed)
    conv(x, weights)          =  matvec(window(x), weights as a matrix), plus what masked taps add
    conv(x, one a channel)    =  depthwise(x)
    conv(x, one tap)          =  matvec(x, weights transposed)
    add(x0, x1, x2, ...)      =  add(add(x0, x1), x2), ...
    x[a:b], x[c:d]            =  split(x), where they don't overlap
    what moves nothing        =  a reshape, which is a wire
    permute(x)                =  permute(permute(x)), where that moves wider words
    f(x), g(x)                =  x0, x1 = duplicate(x); f(x0), g(x1)
    many streams at a process =  a tree of processes

Exact: the first five are the same sums, the others the same values.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from lutloom.codegen.groups import MOST_STREAMS, in_groups
from lutloom.codegen.lookup_rows import with_rows
from lutloom.codegen.splits import with_slices, with_splits
from lutloom.codegen.transpositions import steps_of
from lutloom.core.errors import LutloomError
from lutloom.core.graph import Graph, Node, fresh_name
from lutloom.core.ops import (
    Add,
    Conv,
    Depthwise,
    Duplicate,
    Linear,
    MatVec,
    MaxPool,
    Permute,
    Reshape,
    Slice,
    Split,
    SumPool,
    Upsample,
    Window,
)
from lutloom.core.text import print_node
from lutloom.core.types import Const

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lutloom.core.op import Op
    from lutloom.core.types import TensorType


class LoweringError(LutloomError, ValueError):
    """A graph that this version can't make a design of."""


def lower(graph: Graph) -> Graph:
    """Return ``graph`` as processes, without what no output needs; values keep their names.

    A value with several readers (an output of the graph is one) gets a ``duplicate``, whose
    results are ``NAME/copy0``, ``NAME/copy1``, ...; so an output's name may change.

    Raises ``LoweringError`` for a graph with an input that no output depends on, with an output
    that is an input, or with windows over more than two axes.
    """
    needed = _needed(graph)
    nodes = [_wired(node, graph) for node in with_slices(needed, graph.outputs)]
    obstacle = _idle_port(graph, nodes)
    if obstacle is not None:
        raise LoweringError(obstacle)
    for node in needed:
        _check_axes(node)
    if is_lowered(graph) and len(needed) == len(graph.nodes):
        return graph
    names = set(graph.types)
    nodes = [
        process
        for node in with_splits(nodes)
        for process in _processes(node, graph.types[node.inputs[0]], names)
    ]
    return _with_duplicates(graph, with_rows(graph, nodes), names)


def is_lowered(graph: Graph) -> bool:
    """Return whether ``graph`` is one of processes and wires, every stream with one reader."""
    return _first_obstacle(graph) is None


def check_lowered(graph: Graph) -> None:
    """Raise ``LoweringError``, naming what is in the way, unless ``graph`` is lowered."""
    obstacle = _first_obstacle(graph)
    if obstacle is not None:
        raise LoweringError(f"{obstacle}: lower the graph first")


def _first_obstacle(graph: Graph) -> str | None:
    for node in graph.nodes:
        if not _is_process(node, graph):
            return f"{print_node(node)} is no process"
    readers = Counter(name for node in graph.nodes for name in node.inputs)
    readers.update(graph.outputs)
    for name in graph.types:
        if readers[name] != 1:
            return f"{name} has {readers[name]} readers instead of one"
    return _idle_port(graph, graph.nodes)


def _idle_port(graph: Graph, nodes: Sequence[Node]) -> str | None:
    """Return which input or output of ``graph``, whose ``nodes`` are needed, asks for no process.

    None where all of them do.
    """
    if not graph.inputs or not graph.outputs:
        return "there is nothing to build: the graph should have an input and an output"
    read = {name for node in nodes for name in node.inputs}.union(graph.outputs)
    for name in graph.inputs:
        if name not in read:
            return f"no output depends on the input {name}: take it out of the graph"
    wires = {node.name: node.inputs[0] for node in nodes if isinstance(node.op, Reshape)}
    for name in graph.outputs:
        origin = name
        while origin in wires:
            origin = wires[origin]
        if origin in graph.inputs:
            return (
                f"there is nothing to build: the output {name} is the input {origin} with nothing"
                " computed in between"
            )
    return None


def _is_process(node: Node, graph: Graph) -> bool:
    """Return whether ``node`` is what it would be lowered to, or a reshape."""
    if max(len(node.inputs), len(node.results)) > MOST_STREAMS:
        return False
    match node.op:
        case Linear() | Conv() | Slice():
            return False
        case Add():
            return len(node.inputs) == 2
        case Permute() if len(steps_of(node.op, graph.types[node.inputs[0]])) > 1:
            return False
        case _:
            return not _moves_nothing(node, graph)


def _wired(node: Node, graph: Graph) -> Node:
    if not _moves_nothing(node, graph):
        return node
    return replace(node, op=Reshape(graph.types[node.name].shape))


def _moves_nothing(node: Node, graph: Graph) -> bool:
    """Return whether the one result of ``node`` is its input, element by element."""
    shape = graph.types[node.inputs[0]].shape
    match node.op:
        case Permute(axes=axes):
            moved = [axis for axis in axes if shape[axis] > 1]
            return moved == sorted(moved)
        case Upsample(factors=factors):
            return set(factors) <= {1}
        case Slice(axis=axis, start=start, stop=stop):
            return stop - start == shape[axis]
        case Split(parts=parts):
            return len(parts) == 1 and parts[0].stop - parts[0].start == shape[parts[0].axis]
        case _:
            return False


def _check_axes(node: Node) -> None:
    if not isinstance(node.op, Conv | Depthwise | MaxPool | SumPool | Window):
        return
    if node.op.windows.rank > 2:
        raise LoweringError(
            f"{node.name} has windows over {node.op.windows.rank} axes: this version builds those"
            " over one or two"
        )


def _needed(graph: Graph) -> list[Node]:
    """Return the nodes that the outputs depend on, in their order."""
    wanted = set(graph.outputs)
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if wanted.isdisjoint(node.results):
            continue
        wanted.update(node.inputs)
        kept.append(node)
    kept.reverse()
    return kept


def _processes(node: Node, x: TensorType, names: set[str]) -> list[Node]:
    match node.op:
        case Linear(weights=weights):
            return [replace(node, op=MatVec(Const(weights.data.T)))]
        case Conv():
            return _convolution(node, node.op, x, names)
        case Permute():
            return _transpositions(node, node.op, x, names)
        case Add(multipliers=multipliers) if len(node.inputs) > 2:
            return _chain(node, multipliers, names)
        case _:
            return [node]


def _convolution(node: Node, op: Conv, x: TensorType, names: set[str]) -> list[Node]:
    """Return the processes of a convolution: one, or a window and a product behind it.

    The window shows masked taps an integer of the input, so that its words stay as narrow as the
    data; where ``fill`` is none, the difference is added behind the product, by classes of places:
    ``(fill - shown) * sum of the weights of masked taps``.
    """
    import numpy as np

    channels, outputs = op.weights.shape[-2:]
    windows, image = op.windows, x.shape[:-1]
    if channels == 1 and op.groups == outputs:
        weights = Const(op.weights.data.reshape(*windows.kernel, outputs))
        places = (op.stride, op.dilation, op.pads, op.spacing)
        return [replace(node, op=Depthwise(weights, *places, op.fill))]
    taps = op.weights.data.reshape(windows.taps, channels, outputs)
    matrix = Const(taps.reshape(-1, outputs).T)
    is_plain = windows.results(image) == image and windows.taps == 1 and op.groups == 1
    borders = windows.borders(image)
    if is_plain and not borders.is_masking:
        return [replace(node, op=MatVec(matrix))]
    shown = op.fill if op.fill in x.element else x.element.lo
    extra: dict[str, Const] = {}
    if borders.is_masking and shown != op.fill:
        sums = taps.sum(axis=1, dtype=np.int64)
        masks = borders.masks.reshape(*[1] * (2 - len(image)), *borders.masks.shape)
        extra["border"] = Const((~masks).astype(np.int64) @ sums * (op.fill - shown))
        classes = (np.zeros(1, np.int64), *borders.classes)[-2:]
        extra["rows"], extra["columns"] = (Const(entries) for entries in classes)
    name = fresh_name(f"{node.name}/window", names)
    window = Window(windows.kernel, op.stride, op.dilation, op.pads, op.spacing, op.groups, shown)
    return [
        Node((name,), window, node.inputs),
        replace(node, op=MatVec(matrix, op.groups, **extra), inputs=(name,)),
    ]


def _transpositions(node: Node, op: Permute, x: TensorType, names: set[str]) -> list[Node]:
    """Return transpositions of wider words one behind the other, and reshapes between them."""
    steps = steps_of(op, x)
    (y,) = op.infer(x)
    source, shape = node.inputs[0], x.shape
    moves: list[Node] = []

    def append(op: Permute | Reshape, kind: str, *, is_last: bool = False) -> None:
        nonlocal source
        name = node.name if is_last else fresh_name(f"{node.name}/{kind}", names)
        moves.append(Node((name,), op, (source,)))
        source = name

    for index, step in enumerate(steps, 1):
        if step.shape != shape:
            append(Reshape(step.shape), f"view{index}")
        shape = step.result
        append(step.op, f"step{index}", is_last=index == len(steps) and shape == y.shape)
    if shape != y.shape:
        append(Reshape(y.shape), "", is_last=True)
    return moves


def _chain(node: Node, multipliers: Const, names: set[str]) -> list[Node]:
    """Return additions of two: the first with both multipliers, each other adds one input."""
    import numpy as np

    rows = multipliers.int64
    so_far = node.inputs[0]
    chain: list[Node] = []
    for index in range(1, len(node.inputs)):
        before = rows[:1] if index == 1 else np.ones_like(rows[:1])
        factors = Const(np.concatenate([before, rows[index : index + 1]]))
        is_last = index == len(node.inputs) - 1
        result = node.results[0] if is_last else fresh_name(f"{node.name}/sum{index}", names)
        chain.append(Node((result,), Add(factors), (so_far, node.inputs[index])))
        so_far = result
    return chain


def _with_duplicates(graph: Graph, nodes: list[Node], names: set[str]) -> Graph:
    """Give every reader of a value its own; results that nobody reads are an error of ours."""
    readers = Counter(name for node in nodes for name in node.inputs)
    readers.update(graph.outputs)
    copies: dict[str, list[str]] = {}
    result: list[Node] = []

    def copy(name: str) -> None:
        if readers[name] > 1:
            fresh = [fresh_name(f"{name}/copy{index}", names) for index in range(readers[name])]
            result.append(Node(tuple(fresh), Duplicate(len(fresh)), (name,)))
            copies[name] = fresh

    def taken(name: str) -> str:
        return copies[name].pop(0) if name in copies else name

    for name in graph.inputs:
        copy(name)
    for node in nodes:
        op, results = _without_idle_copies(node, readers)
        if op is None:
            # A duplicate with a single reader left is no more than a wire: its reader gets the
            # original.
            copies[results[0]] = [taken(node.inputs[0])]
            continue
        result.append(Node(results, op, tuple(taken(name) for name in node.inputs)))
        for name in results:
            copy(name)
    outputs = tuple(taken(name) for name in graph.outputs)
    few = tuple(process for node in result for process in in_groups(node, names))
    return Graph(graph.inputs, few, outputs)


def _without_idle_copies(node: Node, readers: Counter[str]) -> tuple[Op | None, tuple[str, ...]]:
    if not isinstance(node.op, Duplicate):
        return node.op, node.results
    live = tuple(name for name in node.results if readers[name] > 0)
    if len(live) > 1:
        return Duplicate(len(live)), live
    return None, live
