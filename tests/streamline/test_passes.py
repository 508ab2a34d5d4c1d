"""Passes keep what a graph computes, and leave alone what their side conditions exclude."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.core.graph import Graph, Node, Pass
from lutloom.core.ops import Add, Linear, Permute, Requantize, Reshape, Threshold
from lutloom.core.types import BIPOLAR, Const, IntType, TensorType
from lutloom.sim.reference import run
from lutloom.streamline.passes.absorb_permute import absorb_permute
from lutloom.streamline.passes.merge_equal import merge_equal
from lutloom.streamline.passes.remove_dead import remove_dead
from lutloom.streamline.passes.remove_identity import remove_identity
from lutloom.streamline.pipeline import PASSES, run_passes
from tests.graphs import graphs, random_inputs

seeds = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("pass_", PASSES)
@given(graph=graphs(), seed=seeds)
def test_a_pass_keeps_the_outputs_of_any_graph(pass_: Pass, graph: Graph, seed: int) -> None:
    after = pass_(graph)
    inputs = random_inputs(graph, seed)
    before_values, after_values = run(graph, inputs), run(after, inputs)
    assert after.inputs == graph.inputs
    for before_name, after_name in zip(graph.outputs, after.outputs, strict=True):
        assert np.array_equal(before_values[before_name], after_values[after_name])
    assert len(after.nodes) <= len(graph.nodes)


@given(graph=graphs(), seed=seeds)
def test_all_passes_reach_a_fixpoint_that_keeps_the_outputs(graph: Graph, seed: int) -> None:
    after = run_passes(graph)
    assert all(pass_(after) is after for pass_ in PASSES)
    inputs = random_inputs(graph, seed)
    before_values, after_values = run(graph, inputs), run(after, inputs)
    for before_name, after_name in zip(graph.outputs, after.outputs, strict=True):
        assert np.array_equal(before_values[before_name], after_values[after_name])


X = TensorType(IntType(-2, 2), (2, 3))
ONES = Requantize(Const([[1]]), Const([[0]]), 0, Const([-1]), Const([5]))
SIGN = Threshold(Const([[0]]), Const([-1]), Const([[2]]))
WEIGHTS = Linear(Const(np.arange(12).reshape(6, 2) - 5))


def node(name: str, op: object, *inputs: str) -> Node:
    return Node((name,), op, inputs)  # type: ignore[arg-type]


def test_unread_nodes_are_removed_and_read_ones_are_not() -> None:
    live = node("a", SIGN, "x")
    graph = Graph({"x": X}, (live, node("b", SIGN, "a"), node("c", SIGN, "b")), ("a",))
    assert remove_dead(graph) == Graph({"x": X}, (live,), ("a",))
    kept = Graph({"x": X}, (live, node("b", SIGN, "a")), ("b",))
    assert remove_dead(kept) is kept


def test_equal_nodes_merge_through_chains_and_different_ones_do_not() -> None:
    add = Add(Const([[1], [1]]))
    nodes = (
        node("a", SIGN, "x"),
        node("b", SIGN, "x"),
        node("c", WEIGHTS, "fa"),
        node("d", WEIGHTS, "fb"),
    )
    flat = (node("fa", Reshape((6,)), "a"), node("fb", Reshape((6,)), "b"))
    graph = Graph({"x": X}, (*nodes[:2], *flat, *nodes[2:], node("y", add, "c", "d")), ("y", "d"))
    merged = merge_equal(graph)
    assert [n.name for n in merged.nodes] == ["a", "fa", "c", "y"]
    assert merged.nodes[-1].inputs == ("c", "c")
    assert merged.outputs == ("y", "c")
    other = Threshold(Const([[1]]), Const([-1]), Const([[2]]))
    kept = Graph({"x": X}, (node("a", SIGN, "x"), node("b", other, "x")), ("a", "b"))
    assert merge_equal(kept) is kept
    sums = (node("a", SIGN, "x"), node("b", add, "x", "a"), node("c", add, "x", "x"))
    kept = Graph({"x": X}, sums, ("b", "c"))
    assert merge_equal(kept) is kept


def test_a_threshold_is_removed_only_where_no_value_changes() -> None:
    bipolar = Graph({"x": TensorType(BIPOLAR, (3,))}, (node("y", SIGN, "x"),), ("y",))
    assert remove_identity(bipolar) == Graph(bipolar.inputs, (), ("x",))
    ternary = Graph({"x": TensorType(IntType(-1, 1), (3,))}, (node("y", SIGN, "x"),), ("y",))
    assert remove_identity(ternary) is ternary
    copy = replace(ONES, multipliers=Const([[8]]), biases=Const([[7]]), shift=3)
    for op, remains in (
        (ONES, 0),
        (copy, 0),
        (replace(copy, biases=Const([[8]])), 1),
        (replace(ONES, shift=1), 1),
        (replace(ONES, ties_to_even=True), 1),
        (replace(ONES, highest=Const([1, 0, 1])), 1),
        (replace(ONES, lowest=Const([0])), 1),
    ):
        graph = Graph(ternary.inputs, (node("y", op, "x"),), ("y",))
        assert len(remove_identity(graph).nodes) == remains
    same = Graph({"x": X}, (node("y", Reshape((2, 3)), "x"),), ("y",))
    assert remove_identity(same).nodes == ()
    other = Graph({"x": X}, (node("y", Reshape((3, 2)), "x"),), ("y",))
    assert remove_identity(other) is other


def permuted(*extra: Node, outputs: tuple[str, ...] = ("y",)) -> Graph:
    nodes = (
        node("p", Permute((1, 0)), "x"),
        node("r", Reshape((6,)), "p"),
        node("y", WEIGHTS, "r"),
    )
    return Graph({"x": X}, (*nodes, *extra), outputs)


def test_a_permutation_before_a_flatten_moves_into_the_weights() -> None:
    after = absorb_permute(permuted())
    assert [n.op.name for n in after.nodes] == ["reshape", "linear"]
    (linear,) = [n.op for n in after.nodes if isinstance(n.op, Linear)]
    # Row 2 * i + j was element (j, i) of x: row 3 * j + i before.
    assert linear.weights.int64[3 * 1 + 2].tolist() == WEIGHTS.weights.int64[2 * 2 + 1].tolist()


@pytest.mark.parametrize(
    "graph",
    [
        permuted(outputs=("y", "p")),
        permuted(outputs=("y", "r")),
        permuted(node("z", SIGN, "p"), outputs=("y", "z")),
        permuted(node("z", WEIGHTS, "r"), outputs=("y", "z")),
        Graph(
            {"x": X},
            (
                node("p", Permute((1, 0)), "x"),
                node("r", Reshape((1, 6)), "p"),
                node("y", WEIGHTS, "r"),
            ),
            ("y",),
        ),
        Graph({"x": X}, (node("r", Reshape((6,)), "x"), node("y", WEIGHTS, "r")), ("y",)),
    ],
)
def test_a_permutation_that_others_read_stays(graph: Graph) -> None:
    assert absorb_permute(graph) is graph


def test_passes_are_observed_one_by_one() -> None:
    seen: list[str] = []
    run_passes(permuted(), observe=lambda name, _, __: seen.append(name))
    assert seen == [pass_.__name__ for pass_ in PASSES] * 2
