"""Random well-typed integer graphs with every operator, for tests."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from lutloom.core.graph import Graph, Node
from lutloom.core.ops import (
    Add,
    Concat,
    Duplicate,
    Linear,
    Lookup,
    MatMul,
    MatVec,
    Multiply,
    Permute,
    Requantize,
    Reshape,
    Split,
    Threshold,
    TopK,
    Upsample,
)
from lutloom.core.types import BIPOLAR, Const, IntType, TensorType
from tests.windows import random_image_op

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lutloom.core.op import Op
    from lutloom.core.types import IntArray

ELEMENTS = (
    BIPOLAR,
    IntType(-1, 1),
    IntType(0, 3),
    IntType(-8, 7),
    IntType(2, 2),
    IntType(-3, 9, 4),
)

names = st.one_of(
    st.sampled_from(["input", "return", "x", "input x", "returned", "a.b/c-d", "", "7", "-"]),
    st.text(min_size=1, max_size=6),
)


def some(rng: np.random.Generator, among: Iterable[str]) -> str:
    choices = list(among)
    return choices[rng.integers(len(choices))]  # NumPy's own choice trims strings


def integers(rng: np.random.Generator, low: int, high: int, *shape: int) -> Const:
    return Const(rng.integers(low, high, shape, endpoint=True))


def every_tensor(type_: TensorType) -> IntArray:
    """Return every tensor of a type, as a batch."""
    element = type_.element
    values = range(element.lo, element.hi + 1, element.step)
    rows = np.array(list(product(values, repeat=type_.size)), dtype=np.int64)
    return rows.reshape(-1, *type_.shape)


def random_threshold(rng: np.random.Generator, x: TensorType) -> Threshold:
    rows = int(rng.choice([1, x.channels]))
    steps = int(rng.integers(0, 4))
    reach = x.element
    table = np.sort(rng.integers(reach.lo - 2, reach.hi + 3, (rows, steps)), axis=1)
    heights = (rows, int(rng.choice([1, steps])) if steps else 1)
    return Threshold(Const(table), integers(rng, -4, 4, rows), integers(rng, -2, 2, *heights))


def rounding_flags(way: int) -> tuple[bool, bool, bool]:
    """Return the last fields of a Requantize that rounds in one of its four ways."""
    return way == 1, way == 2, way == 3


def random_requantize(rng: np.random.Generator, x: TensorType) -> Requantize:
    rows = int(rng.choice([1, x.channels]))
    return Requantize(
        integers(rng, -9, 9, rows, 1),
        integers(rng, -20, 20, int(rng.choice([1, rows])), 1),
        int(rng.integers(0, 4)),
        integers(rng, -8, 0, 1),
        integers(rng, 0, 8, rows),
        *rounding_flags(int(rng.integers(4))),
    )


TAKE_TWO = (Add, Concat, MatMul, Multiply)
"""The operators that take two tensors, which may be alike."""


def random_split(rng: np.random.Generator, x: TensorType) -> Split:
    axis = int(rng.integers(len(x.shape)))
    size = x.shape[axis]
    inner = np.sort(rng.integers(0, size, 2 * int(rng.integers(0, 2)), endpoint=True))
    pairs = [(0, size)] if not inner.size else [(0, int(inner[0])), (int(inner[1]), size)]
    parts = [pair for pair in pairs if pair[0] < pair[1]] or [(0, size)]
    return Split(axis, tuple(end for part in parts for end in part))


def random_lookup(rng: np.random.Generator, x: TensorType) -> Lookup:
    spare, width = rng.integers(0, 3, 2)
    rows = x.element.hi - x.element.lo + 1 + 2 * int(spare)
    return Lookup(integers(rng, -9, 9, rows, int(width) + 1), x.element.lo - int(spare))


def random_branch_op(rng: np.random.Generator, x: TensorType) -> Op:
    """Return an operator of parts, joins or products, for a tensor with axes."""
    rank = len(x.shape)
    axis = int(rng.integers(rank))
    kinds = ["concat", "slice", "split", "upsample"] + ["matmul"] * (rank > 1)
    match str(rng.choice(kinds)):
        case "concat":
            return Concat(axis)
        case "slice":
            return random_split(rng, x).parts[-1]
        case "split":
            return random_split(rng, x)
        case "upsample":
            return Upsample(tuple(int(f) for f in rng.integers(1, 3, rank)))
    return MatMul()


def random_op(rng: np.random.Generator, x: TensorType) -> Op:
    """Return an operator that takes one or two tensors like ``x``."""
    rank = len(x.shape)
    outputs = int(rng.integers(1, 4))
    makers: list[Callable[[], Op]] = [
        lambda: random_threshold(rng, x),
        lambda: random_requantize(rng, x),
        lambda: Reshape((x.size,)) if rng.random() < 0.5 else Reshape((1, *x.shape)),
        lambda: Permute(tuple(int(axis) for axis in rng.permutation(rank))),
        lambda: Duplicate(int(rng.integers(2, 4))),
        lambda: Add(integers(rng, -3, 3, 2, int(rng.choice([1, x.channels])))),
        lambda: random_lookup(rng, x),
        Multiply,
    ]
    if rank:
        makers += [
            lambda: Linear(integers(rng, -3, 3, x.channels, outputs)),
            lambda: MatVec(integers(rng, -3, 3, outputs, x.channels)),
            lambda: TopK(int(rng.integers(1, x.channels + 1))),
        ]
        makers += [lambda: random_branch_op(rng, x)] * 4
    if rank in (2, 3):
        makers += [lambda: random_image_op(rng, x)] * 7
    return makers[rng.integers(len(makers))]()


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Draw a graph of up to eight nodes, any value an output."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.sampled_from([(3,), (1,), (2, 3), (2, 1, 2), (3, 2, 2), ()]))
    free = draw(st.lists(names, min_size=30, max_size=30, unique=True))
    inputs = {
        free.pop(): TensorType(ELEMENTS[rng.integers(len(ELEMENTS))], shape)
        for _ in range(draw(st.integers(1, 2)))
    }
    types, nodes = dict(inputs), []
    for _ in range(draw(st.integers(0, 8))):
        source = some(rng, types)
        op = random_op(rng, types[source])
        like = [name for name, t in types.items() if t.shape == types[source].shape]
        reads = (source, some(rng, like)) if isinstance(op, TAKE_TWO) else (source,)
        if len(free) < 4:
            break
        results = op.infer(*(types[name] for name in reads))
        node = Node(tuple(free.pop() for _ in results), op, reads)
        types.update(zip(node.results, results, strict=True))
        nodes.append(node)
    count = draw(st.integers(1, 2))
    return Graph(inputs, tuple(nodes), tuple(some(rng, types) for _ in range(count)))


def random_inputs(graph: Graph, seed: int, batch: int = 7) -> dict[str, IntArray]:
    """Return values of the inputs' types."""
    rng = np.random.default_rng(seed)
    return {
        name: rng.integers(0, type_.element.count, (batch, *type_.shape)) * type_.element.step
        + type_.element.lo
        for name, type_ in graph.inputs.items()
    }
