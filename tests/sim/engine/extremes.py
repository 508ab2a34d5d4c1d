"""Random graphs of integers that hardly fit where they are computed, for tests."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from lutloom.core.errors import GraphError
from lutloom.core.graph import Graph, Node
from lutloom.core.ops import (
    Add,
    Concat,
    Conv,
    Linear,
    Lookup,
    MatMul,
    MatVec,
    MaxPool,
    Multiply,
    Requantize,
    SumPool,
    Threshold,
    TopK,
    Window,
)
from lutloom.core.types import INT64_MAX, INT64_MIN, Const, IntType, TensorType
from tests.graphs import TAKE_TWO, rounding_flags

if TYPE_CHECKING:
    from collections.abc import Callable

    from lutloom.core.op import Op
    from lutloom.core.types import IntArray

ENDS = (0, 7, 8, 15, 16, 24, 31, 32, 53, 61, 62, 63)
_SHAPE = (2, 3)


def extreme(rng: np.random.Generator) -> int:
    """Return an integer near a power of two or its negative, where widths change."""
    value = int(rng.choice([-1, 1])) * (1 << int(rng.choice(ENDS))) + int(rng.integers(-2, 3))
    return min(max(value, INT64_MIN), INT64_MAX)


def extremes(rng: np.random.Generator, *shape: int) -> Const:
    """Return a constant of such integers."""
    values = [extreme(rng) for _ in range(prod(shape))]
    return Const(np.array(values, np.int64).reshape(shape))


def extreme_type(rng: np.random.Generator) -> IntType:
    """Return a type that begins at such an integer: narrow or wide, with gaps or without."""
    lo = extreme(rng)
    most = INT64_MAX - lo
    step = 1 if rng.random() < 0.5 else min(abs(extreme(rng)) or 1, most or 1)
    steps = min(most // step, int(rng.choice([0, 1, 3, 255, 256, 2**16, 2**63])))
    return IntType(lo, lo + steps * step, step if steps else 1)


def extreme_op(rng: np.random.Generator, x: TensorType) -> Op:
    """Return an operator for a tensor ``[2, 3]``, which may refuse it."""
    element = x.element
    weights = extremes if rng.random() < 0.3 else _small
    thresholds = np.sort(extremes(rng, 3, 4).int64)
    if rng.random() < 0.5:
        thresholds = np.sort(_within(rng, element, (3, 4)))
    windows = ((2,), (1,), (1,), (1, 0))
    makers: list[Callable[[], Op]] = [
        lambda: Threshold(Const(thresholds), extremes(rng, 3), weights(rng, 3, 4)),
        lambda: Threshold(Const(thresholds), _small(rng, 3), Const([[1], [-1], [1]])),
        lambda: _requantize(rng),
        lambda: Add(weights(rng, 2, 3)),
        lambda: Lookup(extremes(rng, min(element.hi - element.lo, 300) + 1, 2), element.lo),
        Multiply,
        MatMul,
        lambda: Concat(0),
        lambda: Linear(weights(rng, 3, 2)),
        lambda: MatVec(weights(rng, 2, 3), 1, extremes(rng, 1, 1, 2)),
        lambda: Conv(weights(rng, 2, 3, 2), *windows[1:], (1,), 1, extreme(rng)),
        lambda: Window(*windows, (1,), 3, extreme(rng)),
        lambda: MaxPool(*windows),
        lambda: SumPool(*windows),
        lambda: TopK(2),
    ]
    return makers[rng.integers(len(makers))]()


def _small(rng: np.random.Generator, *shape: int) -> Const:
    return Const(rng.integers(-2, 3, shape))


def _within(rng: np.random.Generator, element: IntType, shape: tuple[int, ...]) -> IntArray:
    drawn = rng.integers(0, min(element.count, 2**62), shape, endpoint=True)
    values = [element.lo + int(code) * element.step for code in drawn.ravel()]
    return np.array([min(value, INT64_MAX) for value in values], np.int64).reshape(shape)


def _requantize(rng: np.random.Generator) -> Requantize:
    digits = int(rng.integers(1, 3))
    ends = np.sort(extremes(rng, 2, 3).int64, axis=0)
    return Requantize(
        extremes(rng, 3, digits),
        extremes(rng, 3, digits),
        int(rng.choice([0, 1, 31, 32, 62, 63, 64, 94])),
        Const(ends[0]),
        Const(ends[1]),
        *rounding_flags(int(rng.integers(4))),
    )


def extreme_graph(rng: np.random.Generator) -> Graph:
    """Return a graph of up to three operators, with all its values as outputs."""
    inputs = {name: TensorType(extreme_type(rng), _SHAPE) for name in ("a", "b")}
    graph = Graph(inputs, (), ("a",))
    for number in range(20):
        if len(graph.nodes) == 3:
            break
        alike = [name for name, tensor in graph.types.items() if tensor.shape == _SHAPE]
        reads = tuple(alike[rng.integers(len(alike))] for _ in range(2))
        try:
            op = extreme_op(rng, graph.types[reads[0]])
            node = Node((f"n{number}",), op, reads if isinstance(op, TAKE_TWO) else reads[:1])
            graph = Graph(inputs, (*graph.nodes, node), ("a",))
        except (GraphError, TypeError, ValueError):  # it leaves 64 bits, or a sum its digits
            continue
    # A value that is no output may be computed with what reads it.
    last = graph.nodes[-1:] or (None,)
    outputs = tuple(graph.types) if rng.random() < 0.3 or last[0] is None else last[0].results
    return Graph(inputs, graph.nodes, outputs)


def extreme_inputs(rng: np.random.Generator, graph: Graph, batch: int) -> dict[str, IntArray]:
    """Return values of the inputs' types, their ends among them."""
    made = {}
    for name, tensor in graph.inputs.items():
        element, size = tensor.element, batch * tensor.size
        codes = rng.integers(0, element.count - 1, size, dtype=np.uint64, endpoint=True)
        codes[rng.random(size) < 0.2] = 0
        codes[rng.random(size) < 0.2] = element.count - 1
        values = [element.lo + code * element.step for code in codes.tolist()]
        made[name] = np.array(values, np.int64).reshape(batch, *tensor.shape)
    return made
