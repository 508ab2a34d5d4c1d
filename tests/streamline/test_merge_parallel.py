"""Layers that read one value become one where that pays, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.core.graph import Graph, Node
from lutloom.core.ops import Add, Concat, Conv, Linear, Slice, Threshold
from lutloom.core.types import Const, IntType, TensorType
from lutloom.sim.reference import run
from lutloom.streamline.comparison import compare as compare_with
from lutloom.streamline.executor import execute
from lutloom.streamline.passes.merge_parallel import merge_parallel
from lutloom.streamline.source import read_source
from tests.exact import compare
from tests.graphs import integers, random_inputs
from tests.models import Writer

if TYPE_CHECKING:
    from pathlib import Path

    from lutloom.core.op import Op

IMAGE = TensorType(IntType(0, 15), (6, 5, 3))
RNG = np.random.default_rng(0)


def node(name: str, op: Op, *inputs: str) -> Node:
    return Node((name,), op, inputs)


def conv(outputs: int, widest: int = 7, fill: int = 0, kernel: int = 3) -> Conv:
    weights = integers(RNG, -widest - 1, widest + 1, kernel, kernel, 3, outputs)
    pads = (kernel // 2,) * 4
    return Conv(weights, (1, 1), (1, 1), pads, (1, 1), 1, fill)


def levels(channels: int, steps: int = 15) -> Threshold:
    rows = np.sort(RNG.integers(-200, 200, (channels, steps)), axis=1)
    return Threshold(
        Const(rows), Const(np.zeros(channels, int)), Const(np.ones((channels, 1), int))
    )


def two(first: Op, second: Op, *behind: Op, x: TensorType = IMAGE) -> Graph:
    """Return two layers on one value, what may be ``behind`` them, and a join."""
    nodes = [node("a", first, "x"), node("b", second, "x")]
    names = ["a", "b"]
    if behind:
        nodes += [node(f"q{n}", op, n) for n, op in zip(names, behind, strict=True)]
        names = ["qa", "qb"]
    nodes.append(node("y", Concat(len(x.shape) - 1), *names))
    return Graph({"x": x}, tuple(nodes), ("y",))


def kinds(graph: Graph) -> list[str]:
    return [type(n.op).__name__ for n in graph.nodes]


def check(graph: Graph, after: Graph, seed: int = 0) -> None:
    inputs = random_inputs(graph, seed)
    before_values, after_values = run(graph, inputs), run(after, inputs)
    assert after.outputs == graph.outputs
    for name in graph.types.keys() & after.types.keys():
        assert (before_values[name] == after_values[name]).all()
    assert merge_parallel(after) is after


def test_two_convolutions_and_their_thresholds_become_one_each() -> None:
    graph = two(conv(8), conv(4), levels(8), levels(4))
    after = merge_parallel(graph)
    assert kinds(after) == ["Conv", "Threshold", "Slice", "Slice", "Concat"]
    assert [n.name for n in after.nodes] == ["a/merged", "qa/merged", "qa", "qb", "y"]
    check(graph, after)


def test_thresholds_that_all_share_stay_shared() -> None:
    shared = levels(1)
    after = merge_parallel(two(conv(4), conv(4), shared, shared))
    (op,) = (n.op for n in after.nodes if isinstance(n.op, Threshold))
    assert op == shared


@pytest.mark.parametrize(
    "behind",
    [(levels(1), levels(1)), (levels(4), levels(1)), (levels(4, 15), levels(4, 7))],
    ids=["one for each", "one and many", "other steps"],
)
def test_thresholds_that_do_not_fit_together_read_parts(behind: tuple[Op, Op]) -> None:
    graph = two(conv(4), conv(4), *behind)
    after = merge_parallel(graph)
    assert kinds(after) == ["Conv", "Slice", "Slice", "Threshold", "Threshold", "Concat"]
    check(graph, after)


def test_a_sum_that_somebody_else_reads_stays_a_part() -> None:
    graph = two(conv(4), conv(4), levels(4), levels(4))
    graph = Graph(graph.inputs, graph.nodes, ("y", "a"))
    after = merge_parallel(graph)
    assert kinds(after).count("Conv") == 1
    check(graph, after)


VECTOR = TensorType(IntType(-8, 7), (16,))


def test_linear_layers_save_a_vector() -> None:
    weights = [Linear(integers(RNG, -8, 8, 16, 6)) for _ in range(2)]
    graph = two(*weights, levels(6), levels(6), x=VECTOR)
    after = merge_parallel(graph)
    assert kinds(after)[:2] == ["Linear", "Threshold"]
    check(graph, after)


ALONE: dict[str, Graph] = {
    "other windows": two(conv(4), conv(4, kernel=1), levels(4), levels(4)),
    "another filling": two(conv(4), conv(4, fill=1), levels(4), levels(4)),
    "no common foldings": two(conv(8), conv(3), levels(8), levels(3)),
    "wide weights beside narrow ones": two(
        Linear(integers(RNG, -1, 2, 16, 60)),
        Linear(integers(RNG, -128, 128, 16, 60)),
        levels(60),
        levels(60),
        x=VECTOR,
    ),
    "wider sums behind": Graph(
        {"x": IMAGE},
        (
            node("a", conv(4, 7), "x"),
            node("b", conv(4, 1), "x"),
            node("y", Add(Const([[1], [1]])), "a", "b"),
            node("z", Add(Const([[1], [1]])), "b", "b"),
        ),
        ("y", "z"),
    ),
}


@pytest.mark.parametrize("name", ALONE)
def test_it_is_left_alone_where_it_does_not_pay(name: str) -> None:
    assert merge_parallel(ALONE[name]) is ALONE[name]


@given(seed=st.integers(0, 2**32 - 1), data=st.data())
def test_any_layers_on_one_value_give_what_they_gave(seed: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    count = data.draw(st.integers(2, 4))
    nodes = []
    for index in range(count):
        outputs = int(rng.choice([2, 4, 4, 8]))
        kernel, fill = int(rng.choice([1, 3, 3])), int(rng.choice([0, 0, 1]))
        weights = integers(rng, -3, 4, kernel, kernel, 3, outputs)
        op = Conv(weights, (1, 1), (1, 1), (kernel // 2,) * 4, (1, 1), 1, fill)
        nodes.append(node(f"c{index}", op, "x"))
        if rng.random() < 0.8:
            nodes.append(node(f"t{index}", levels(outputs, int(rng.choice([3, 7]))), f"c{index}"))
    read = {name for n in nodes for name in n.inputs}
    ends = [n.name for n in nodes if n.name not in read]
    nodes.append(node("y", Concat(2), *ends))
    graph = Graph({"x": IMAGE}, tuple(nodes), ("y", *rng.choice(ends, 1).tolist()))
    check(graph, merge_parallel(graph), seed)


def test_quantizers_keep_their_names_and_are_compared(tmp_path: Path) -> None:
    w = Writer()
    x = w.quant("x", 0.3, bits=4)
    branches = []
    for seed in range(3):
        kernel = np.random.default_rng(seed).integers(-8, 8, (4, 3, 3, 3))
        weights = w.quant(w.constant(kernel), 0.1, bits=4)
        y = w.node("Conv", [x, weights], pads=[1] * 4)
        branches.append(w.quant(w.node("Relu", [y]), 0.7 + seed / 10, bits=4, signed=False))
    last = w.node("Concat", branches, axis=1)
    model = w.model(last, 3, 6, 5)
    data = np.random.default_rng(1).normal(0, 1, (20, 3, 6, 5)).astype(np.float32)
    network, _ = compare(model, tmp_path, data)
    graph = network.graph
    assert sum(isinstance(n.op, Conv) for n in graph.nodes) == 1
    assert sum(isinstance(n.op, Slice) for n in graph.nodes) == 3
    path = tmp_path / "model.onnx"
    found = compare_with(network, read_source(path), execute(path, data), network.encode(data))
    assert len(found.layers) == 4
    assert all(layer.is_equal for layer in found.layers)
