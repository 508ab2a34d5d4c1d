"""Narrower sums: every threshold gives what it gave, for all values of the inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lutloom.core.graph import Graph, Node
from lutloom.core.ops import (
    Add,
    BorderThreshold,
    Linear,
    MaxPool,
    Permute,
    Reshape,
    Slice,
    Threshold,
    Upsample,
)
from lutloom.core.types import BIPOLAR, Const, IntType, TensorType
from lutloom.sim.reference import run
from lutloom.streamline.passes.narrow_sums import narrow_sums
from tests.graphs import random_inputs

if TYPE_CHECKING:
    from collections.abc import Sequence

ELEMENTS = (BIPOLAR, IntType(-1, 1), IntType(0, 15), IntType(-8, 7), IntType(-3, 9, 4))


def joined(
    multipliers: Sequence[Sequence[int]],
    *elements: IntType,
    channels: int = 2,
    image: tuple[int, ...] = (2,),
) -> Graph:
    """Return an addition, and nothing else."""
    inputs = {f"x{i}": TensorType(of, (*image, channels)) for i, of in enumerate(elements)}
    add = Node(("sum",), Add(Const(np.array(multipliers))), tuple(inputs))
    return Graph(inputs, (add,), ("sum",))


def followed(graph: Graph, *nodes: Node, outputs: Sequence[str] = ("y",)) -> Graph:
    return Graph(graph.inputs, (*graph.nodes, *nodes), tuple(outputs))


def quantizer(rng: np.random.Generator, graph: Graph, name: str, rows: int) -> Threshold:
    """Return a staircase whose steps lie where the value ``name`` can be, or just beside."""
    x = graph.types[name].element
    table = np.sort(rng.integers(x.lo - 1, x.hi + 2, (rows, int(rng.integers(1, 6)))), axis=1)
    deltas = rng.integers(-1, 2, (rows, table.shape[1]))
    return Threshold(Const(table), Const(rng.integers(-2, 3, rows)), Const(deltas))


def equal(before: Graph, after: Graph, seed: int = 0) -> None:
    """Check that both graphs give the same for many inputs."""
    inputs = random_inputs(before, seed, batch=200)
    first, second = run(before, inputs), run(after, inputs)
    for one, other in zip(before.outputs, after.outputs, strict=True):
        assert (first[one] == second[other]).all()


def bits(graph: Graph) -> int:
    ops = [node.op for node in graph.nodes if isinstance(node.op, Add)]
    return sum(int(m).bit_length() for op in ops for m in abs(op.multipliers.int64).ravel())


@settings(max_examples=80)
@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.sampled_from(ELEMENTS), min_size=2, max_size=3),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["none", "reshape", "permute", "moved", "slice", "upsample", "pool"]),
)
def test_quantizers_behind_a_sum_give_the_same(
    seed: int, elements: list[IntType], per_channel: bool, rows: bool, between: str
) -> None:
    rng = np.random.default_rng(seed)
    most = int(rng.choice([5, 300, 2**30]))
    multipliers = rng.integers(-most, most + 1, (len(elements), 3 if per_channel else 1))
    graph = joined(multipliers.tolist(), *elements, channels=3)
    layout = {
        "none": [],
        "reshape": [Node(("moved",), Reshape((1, 2, 3)), ("sum",))],
        "permute": [Node(("moved",), Permute((0, 1)), ("sum",))],
        "moved": [Node(("moved",), Permute((1, 0)), ("sum",))],
        "slice": [Node(("moved",), Slice(1, 1, 3), ("sum",))],
        "upsample": [Node(("moved",), Upsample((3, 2)), ("sum",))],
        "pool": [Node(("moved",), MaxPool((2,), (1,), (1,), (1, 0)), ("sum",))],
    }[between]
    graph = followed(graph, *layout, outputs=["sum"])
    read = layout[0].name if layout else "sum"
    channels = graph.types[read].channels
    readers = [
        Node((name,), quantizer(rng, graph, read, channels if rows else 1), (read,))
        for name in ("y", "z")
    ]
    graph = followed(graph, *readers, outputs=("y", "z"))
    after = narrow_sums(graph)
    equal(graph, after, seed)
    if after is not graph:
        assert bits(after) < bits(graph)
        assert "sum" not in after.types
    if between != "moved" and most == 2**30:
        assert after is not graph or bits(graph) <= 8
    if len(elements) == 2:
        assert narrow_sums(after) is after


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_sums_of_sums_become_one(seed: int, shared: bool) -> None:
    rng = np.random.default_rng(seed)
    graph = joined(rng.integers(1, 1000, (2, 1)).tolist(), *ELEMENTS[2:4])
    second = "x0" if shared else "x1"
    outer = Node(("outer",), Add(Const(rng.integers(-999, 1000, (2, 2)))), ("sum", second))
    graph = followed(graph, outer, outputs=["outer"])
    graph = followed(graph, Node(("y",), quantizer(rng, graph, "outer", 2), ("outer",)))
    after = narrow_sums(graph)
    equal(graph, after, seed)
    if after is not graph:
        assert [len(node.inputs) for node in after.nodes if isinstance(node.op, Add)][-1] == 2


def test_a_sum_that_somebody_else_reads_stays() -> None:
    graph = joined([[1000], [999]], IntType(0, 3), IntType(0, 3))
    quantized = Node(("y",), Threshold(Const([[2500]]), Const([0]), Const([[1]])), ("sum",))
    assert narrow_sums(followed(graph, quantized)) is not graph
    for graph_ in (
        followed(graph, quantized, outputs=("y", "sum")),
        followed(graph, quantized, Node(("z",), Linear(Const([[1], [1]])), ("sum",)), outputs="yz"),
        followed(graph, Node(("y",), Linear(Const([[1], [1]])), ("sum",))),
    ):
        assert narrow_sums(graph_) is graph_


def test_a_channel_reaches_as_far_as_its_own_weights() -> None:
    """The second channel is a quarter of the first: its multipliers do with fewer bits."""
    x = TensorType(IntType(0, 15), (2,))
    weights = Node(("a",), Linear(Const([[64, 1], [64, 1]])), ("x",))
    add = Node(("sum",), Add(Const([[65537, 65537], [257, 257]])), ("a", "x"))
    table = Const([[65537 * 1000 + 5] * 1, [65537 * 10 + 5] * 1])
    reader = Node(("y",), Threshold(table, Const([0, 0]), Const([[1], [1]])), ("sum",))
    graph = Graph({"x": x}, (weights, add, reader), ("y",))
    after = narrow_sums(graph)
    equal(graph, after)
    (narrow,) = [node.op for node in after.nodes if isinstance(node.op, Add)]
    assert narrow.multipliers.hi < 257


def test_a_branch_that_never_matters_gets_no_multiplier() -> None:
    graph = joined([[1000], [1]], IntType(0, 3), IntType(0, 3))
    reader = Node(("y",), Threshold(Const([[1500]]), Const([0]), Const([[1]])), ("sum",))
    after = narrow_sums(followed(graph, reader))
    (narrow,) = [node.op for node in after.nodes if isinstance(node.op, Add)]
    assert narrow.multipliers.int64.tolist() == [[1], [0]]


def test_of_a_long_chain_of_sums_the_last_is_narrowed() -> None:
    """Twenty branches of a byte each can't be proved together: the last two values can."""
    rng = np.random.default_rng(0)
    byte = TensorType(IntType(0, 255), (2,))
    inputs = {f"x{i}": byte for i in range(20)}
    nodes = [Node(("s1",), Add(Const([[3], [5]])), ("x0", "x1"))]
    for i in range(2, 20):
        multipliers = [[1], [2]] if i < 19 else [[2**30 + 7], [2**31 - 1]]
        nodes.append(Node((f"s{i}",), Add(Const(multipliers)), (f"s{i - 1}", f"x{i}")))
    graph = Graph(inputs, tuple(nodes), ("s19",))
    reader = Node(("y",), quantizer(rng, graph, "s19", 1), ("s19",))
    graph = followed(graph, reader)
    after = narrow_sums(graph)
    equal(graph, after)
    assert bits(after) < bits(graph)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.booleans())
def test_staircases_along_a_border_may_read_a_sum(seed: int, per_channel: bool, rows: bool) -> None:
    rng = np.random.default_rng(seed)
    graph = joined(
        rng.integers(-(2**30), 2**30, (2, 3 if per_channel else 1)).tolist(),
        *ELEMENTS[2:4],
        channels=3,
        image=(2, 4),
    )
    stairs = quantizer(rng, graph, "sum", 2 * (3 if rows else 1))
    shape = (1, 2, 3 if rows else 1, -1)
    op = BorderThreshold(
        Const(stairs.thresholds.int64.reshape(shape)),
        Const(stairs.base.int64.reshape(shape[:-1])),
        Const(stairs.deltas.int64.reshape(shape)),
        Const([0]),
        Const([0, 1, 1, 0]),
    )
    graph = followed(graph, Node(("y",), op, ("sum",)))
    after = narrow_sums(graph)
    assert after is not graph
    equal(graph, after, seed)
