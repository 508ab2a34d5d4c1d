from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.codegen import LoweringError, is_lowered, lower
from lutloom.codegen.lower import check_lowered
from lutloom.core.graph import Graph, Node
from lutloom.core.ops import Add, Duplicate, Linear, MatVec, Reshape, Threshold, TopK
from lutloom.core.text import print_graph
from lutloom.core.types import Const, IntType, TensorType
from lutloom.sim.reference import run

X = TensorType(IntType(-4, 3), (4,))


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Nets of linear layers, staircases and sums, with branches and dead ends."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    nodes: list[Node] = []
    names = ["x"]
    for index in range(draw(st.integers(1, 6))):
        sources = [str(draw(st.sampled_from(names))) for _ in range(draw(st.integers(1, 4)))]
        name = f"v{index}"
        if len(sources) > 1:
            multipliers = Const(rng.integers(-3, 4, size=(len(sources), 1)))
            nodes.append(Node((name,), Add(multipliers), tuple(sources)))
        elif rng.integers(2):
            matrix = Const(rng.integers(-2, 3, size=(4, 4)))
            nodes.append(Node((name,), Linear(matrix), tuple(sources)))
        else:
            op = Threshold(Const([[-1, 2]]), Const([-1]), Const([[1, 1]]))
            nodes.append(Node((name,), op, tuple(sources)))
        names.append(name)
    return Graph({"x": X}, tuple(nodes), (names[-1],))


@given(graphs())
def test_lowering_keeps_every_value(graph: Graph) -> None:
    lowered = lower(graph)
    inputs = {"x": np.random.default_rng(0).integers(-4, 4, size=(5, 4))}
    before, after = run(graph, inputs), run(lowered, inputs)
    assert is_lowered(lowered)
    assert np.array_equal(after[lowered.outputs[0]], before[graph.outputs[0]])
    for name in set(before) & set(after):
        assert np.array_equal(before[name], after[name])


@given(graphs())
def test_lowering_a_lowered_graph_gives_the_same_object(graph: Graph) -> None:
    lowered = lower(graph)
    assert lower(lowered) is lowered


def test_a_lowered_graph_reads_like_its_model() -> None:
    nodes = (
        Node(("fc",), Linear(Const([[1, 2], [0, 1], [1, 0], [1, 1]])), ("x",)),
        Node(("y",), Add(Const([[1], [2], [3]])), ("fc", "fc", "fc")),
        Node(("unused",), Reshape((2, 2)), ("x",)),
    )
    lowered = lower(Graph({"x": X}, nodes, ("y",)))
    matrix = Const([[1, 0, 1, 1], [2, 1, 0, 1]])
    assert print_graph(lowered) == "\n".join(
        [
            "lutloom-graph 1",
            "input x: int<-4..3>[4]",
            f"fc = matvec[matrix={matrix}](x): int<-16..12>[2]",
            "fc/copy0, fc/copy1, fc/copy2 = duplicate[copies=3](fc): "
            "int<-16..12>[2], int<-16..12>[2], int<-16..12>[2]",
            f"y/sum1 = add[multipliers={Const([[1], [2]])}](fc/copy0, fc/copy1): int<-48..36>[2]",
            f"y = add[multipliers={Const([[1], [3]])}](y/sum1, fc/copy2): int<-96..72>[2]",
            "return y",
            "",
        ]
    )


def test_an_output_that_is_also_read_gets_a_copy() -> None:
    nodes = (Node(("a",), TopK(4), ("x",)), Node(("b",), Add(Const([[1], [1]])), ("a", "a")))
    lowered = lower(Graph({"x": X}, nodes, ("a",)))
    assert lowered.outputs == ("a",)
    twice = Graph({"x": X}, (*nodes, Node(("c",), TopK(1), ("b",))), ("b",))
    assert lower(twice).outputs == ("b",)


def test_copies_avoid_names_of_the_model() -> None:
    nodes = (
        Node(("a",), TopK(4), ("x",)),
        Node(("a/copy0",), Add(Const([[1], [1]])), ("a", "a")),
    )
    lowered = lower(Graph({"x": X}, nodes, ("a/copy0",)))
    assert lowered.nodes[1].results == ("a/copy0'", "a/copy1")


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (
            Graph({"x": X}, (), ("x",)),
            "there is nothing to build: the output x is the input x with nothing computed in"
            " between",
        ),
        (
            Graph({"x": X}, (Node(("y",), Reshape((2, 2)), ("x",)),), ("y",)),
            "there is nothing to build: the output y is the input x with nothing computed in"
            " between",
        ),
        (
            Graph({"x": X, "z": X}, (Node(("y",), TopK(1), ("x",)),), ("y", "z")),
            "the graph has 2 inputs and 2 outputs: this version builds designs with one of each; "
            "split the model, or keep one output",
        ),
    ],
)
def test_what_cannot_be_built_is_refused(graph: Graph, message: str) -> None:
    with pytest.raises(LoweringError) as caught:
        lower(graph)
    assert str(caught.value) == message


def test_a_graph_that_is_not_lowered_is_named() -> None:
    graph = Graph({"x": X}, (Node(("y",), Linear(Const([[1]] * 4)), ("x",)),), ("y",))
    with pytest.raises(
        LoweringError, match=r"^y = linear\[.*\]\(x\) is no process: lower the graph"
    ):
        check_lowered(graph)
    read_twice = Graph({"x": X}, (Node(("y",), Add(Const([[1], [1]])), ("x", "x")),), ("y",))
    with pytest.raises(LoweringError, match=r"^x has 2 readers instead of one: lower the graph"):
        check_lowered(read_twice)


def test_duplicates_without_readers_go() -> None:
    nodes = (
        Node(("a", "b", "c"), Duplicate(3), ("x",)),
        Node(("y",), MatVec(Const([[1, 1, 1, 1]])), ("b",)),
    )
    lowered = lower(Graph({"x": X}, nodes, ("y",)))
    assert [str(node) for node in lowered.nodes] == ["y = matvec(x)"]
