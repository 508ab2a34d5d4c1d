"""Passes keep what a graph computes, and leave alone what their side conditions exclude."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lutloom.core.graph import Graph, Node, Pass
from lutloom.core.op import Op
from lutloom.core.ops import (
    Add,
    Conv,
    Linear,
    MaxPool,
    Permute,
    Requantize,
    Reshape,
    SumPool,
    Threshold,
    Window,
)
from lutloom.core.types import BIPOLAR, Const, IntType, TensorType
from lutloom.sim.reference import run
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


@settings(max_examples=40)
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


def test_passes_are_observed_one_by_one() -> None:
    seen: list[str] = []
    graph = Graph({"x": X}, (node("a", SIGN, "x"), node("b", SIGN, "a")), ("a",))
    run_passes(graph, observe=lambda name, _, __: seen.append(name))
    assert seen == [pass_.__name__ for pass_ in PASSES] * 2


def moved(*ops: Op) -> Graph:
    """Return a graph of ``ops`` one behind another."""
    names = ["x", *(f"v{index}" for index in range(len(ops)))]
    nodes = tuple(
        node(after, op, before) for op, before, after in zip(ops, names, names[1:], strict=False)
    )
    return Graph({"x": X}, nodes, names[-1:])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ops", "left"),
    [
        ((Reshape((6,)), Reshape((3, 2))), [Reshape((3, 2))]),
        ((Permute((1, 0)), Permute((1, 0))), []),
        # As exporters write a convolution over one axis: a dimension of size 1 comes and goes.
        ((Permute((1, 0)), Reshape((3, 1, 2)), Permute((1, 2, 0))), [Reshape((1, 2, 3))]),
        ((Reshape((1, 2, 3)), Permute((1, 2, 0))), [Reshape((2, 3, 1))]),
        ((Reshape((1, 2, 1, 3)), Permute((3, 0, 1, 2))), [Permute((1, 0)), Reshape((3, 1, 2, 1))]),
        ((Permute((1, 0)), Reshape((6,))), None),
        ((Permute((1, 0)), Reshape((2, 3)), Permute((1, 0))), None),
        ((Permute((1, 0)), SIGN, Permute((1, 0))), [SIGN]),
    ],
)
def test_moves_that_undo_one_another_are_removed(
    ops: tuple[Op, ...], left: list[Op] | None
) -> None:
    graph = moved(*ops)
    after = run_passes(graph)
    assert [n.op for n in after.nodes] == (list(ops) if left is None else left)


PIXELS = TensorType(IntType(0, 3), (4, 5, 2))
PLACES = {"stride": (1, 1), "dilation": (1, 1), "spacing": (1, 1)}
KERNEL = Const(np.arange(18).reshape(3, 3, 1, 2) % 5 - 2)


def padding(pads: tuple[int, ...], fill: int) -> Window:
    return Window(kernel=(1, 1), pads=pads, groups=1, fill=fill, **PLACES)


def conv(pads: tuple[int, ...], fill: int) -> Conv:
    return Conv(KERNEL, pads=pads, groups=2, fill=fill, **PLACES)


def pool(kind: type[MaxPool | SumPool], *pads: int, stride: int = 2) -> MaxPool | SumPool:
    return kind((2, 2), (stride, stride), (1, 1), pads)


@pytest.mark.parametrize(
    ("pad", "op", "wanted"),
    [
        (padding((1, 0, 2, 1), 0), conv((1,) * 4, 0), conv((2, 1, 3, 2), 0)),
        (padding((1, 0, 2, 1), 2), conv((0,) * 4, 0), conv((1, 0, 2, 1), 2)),
        (padding((1, 0, 2, 1), 2), conv((1,) * 4, 0), None),
        (padding((-1, 0, 0, 0), 2), conv((0, 1, 0, 1), 1), conv((-1, 1, 0, 1), 1)),
        (padding((-1, 0, 0, 0), 0), conv((1,) * 4, 0), None),
        (padding((1, 0, 0, 1), 0), padding((0, 1, 1, 0), 0), padding((1, 1, 1, 1), 0)),
        (padding((1, 0, 0, 1), 0), padding((0, 1, 1, 0), 1), None),
        (padding((1, 0, 0, 1), 0), pool(MaxPool, 0, 0, 0, 0), pool(MaxPool, 1, 0, 0, 1)),
        (padding((1, 0, 0, 1), 1), pool(MaxPool, 0, 0, 0, 0), None),
        (padding((2, 0, 0, 1), 0), pool(MaxPool, 0, 0, 0, 0), None),
        (padding((2, 0, 0, 1), 0), pool(SumPool, 0, 0, 0, 0), pool(SumPool, 2, 0, 0, 1)),
        (padding((1, 0, 0, 1), 1), pool(SumPool, 0, 0, 0, 0), None),
        (padding((-1, 0, -1, 0), 9), pool(SumPool, 0, 0, 0, 0), pool(SumPool, -1, 0, -1, 0)),
        (replace(padding((1, 0, 0, 1), 0), stride=(1, 2)), conv((0,) * 4, 0), None),
    ],
)
def test_layers_with_windows_pad_by_themselves(pad: Window, op: Op, wanted: Op | None) -> None:
    graph = Graph({"x": PIXELS}, (node("p", pad, "x"), node("y", op, "p")), ("y",))
    after = run_passes(graph)
    assert [n.op for n in after.nodes] == ([pad, op] if wanted is None else [wanted])
    inputs = random_inputs(graph, 0)
    assert np.array_equal(run(graph, inputs)["y"], run(after, inputs)["y"])


def test_a_padding_between_gaps_lies_as_far_apart() -> None:
    op = replace(conv((0, 1, 2, 3), 0), spacing=(2, 3))
    graph = Graph(
        {"x": PIXELS}, (node("p", padding((1, 0, 2, 1), 0), "x"), node("y", op, "p")), ("y",)
    )
    after = run_passes(graph)
    assert [n.op for n in after.nodes] == [replace(op, pads=(2, 1, 6, 6))]
    inputs = random_inputs(graph, 0)
    assert np.array_equal(run(graph, inputs)["y"], run(after, inputs)["y"])


def test_permutations_one_after_another_are_one() -> None:
    nodes = (node("a", Permute((1, 2, 0)), "x"), node("b", Permute((1, 0, 2)), "a"))
    graph = Graph({"x": PIXELS}, nodes, ("b",))
    after = run_passes(graph)
    assert [n.op for n in after.nodes] == [Permute((2, 1, 0))]
    inputs = random_inputs(graph, 0)
    assert np.array_equal(run(graph, inputs)["b"], run(after, inputs)["b"])


def test_windows_in_groups_are_no_rows_of_a_convolution() -> None:
    rows = Window((2, 1), (1, 1), (1, 1), (0, 0, 0, 0), (1, 1), 2, 0)
    linear = Linear(Const(np.arange(12).reshape(4, 3)))
    graph = Graph({"x": PIXELS}, (node("w", rows, "x"), node("y", linear, "w")), ("y",))
    assert run_passes(graph) is graph


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_products_with_rows_of_windows_are_convolutions(groups: int) -> None:
    rng = np.random.default_rng(groups)
    is_own = np.kron(np.eye(groups, dtype=int), np.ones((4 // groups, 8 // groups), dtype=int))
    weights = rng.integers(1, 5, (6, 4, 8)) * is_own
    rows = Window((2, 3), (1, 2), (1, 1), (1, 0, 0, 1), (1, 1), 1, 3)
    linear = Linear(Const(weights.reshape(24, 8)))
    x = TensorType(IntType(0, 3), (4, 5, 4))
    graph = Graph({"x": x}, (node("w", rows, "x"), node("y", linear, "w")), ("y",))
    after = run_passes(graph)
    (op,) = (n.op for n in after.nodes)
    assert isinstance(op, Conv)
    assert (op.groups, op.fill, op.pads) == (groups, 3, (1, 0, 0, 1))
    inputs = random_inputs(graph, 0)
    assert np.array_equal(run(graph, inputs)["y"], run(after, inputs)["y"])
