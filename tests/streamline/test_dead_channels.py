"""Channels that nothing depends on are removed, and nothing else changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.core.graph import Graph, Node
from lutloom.core.network import load_network, save_network
from lutloom.core.ops import (
    Add,
    BorderThreshold,
    Concat,
    Conv,
    Linear,
    Lookup,
    MaxPool,
    Multiply,
    Reshape,
    Slice,
    Split,
    SumPool,
    Threshold,
    TopK,
    Upsample,
)
from lutloom.core.types import BIPOLAR, Const, IntType, TensorType
from lutloom.sim.reference import run
from lutloom.streamline.channel_bounds import channel_bounds
from lutloom.streamline.comparison import compare as compare_with
from lutloom.streamline.executor import execute
from lutloom.streamline.passes.remove_dead_channels import (
    remove_dead_channels,
    without_dead_channels,
)
from lutloom.streamline.source import read_source
from tests.exact import compare
from tests.graphs import graphs, integers, random_inputs
from tests.models import Writer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lutloom.core.op import Op

seeds = st.integers(0, 2**32 - 1)
IMAGE = TensorType(IntType(0, 7), (5, 4, 3))
VECTOR = TensorType(IntType(-4, 3), (6,))


def node(name: str, op: Op, *inputs: str) -> Node:
    return Node((name,), op, inputs)


def chain(x: TensorType, *ops: Op) -> Graph:
    nodes = [node(f"v{i}", op, f"v{i - 1}" if i else "x") for i, op in enumerate(ops)]
    return Graph({"x": x}, tuple(nodes), (nodes[-1].name,))


def levels(
    rng: np.random.Generator, channels: int, dead: Sequence[int] = (), top: int = 0
) -> Threshold:
    """Return staircases of three levels; of those of ``dead`` channels no threshold is reached."""
    table = np.sort(rng.integers(1, 9, (channels, 2)), axis=1)
    table[list(dead)] = 10**6
    if top:
        table[list(dead)] *= -1
    return Threshold(
        Const(table), Const(np.full(channels, -top)), Const(np.ones((channels, 1), int))
    )


def conv(
    rng: np.random.Generator,
    inputs: int,
    outputs: int,
    pad: int = 0,
    fill: int = 0,
    *,
    groups: int = 1,
    kernel: int = 3,
) -> Conv:
    weights = integers(rng, 1, 3, kernel, kernel, inputs // groups, outputs)
    return Conv(weights, (1, 1), (1, 1), (pad,) * 4, (1, 1), groups, fill)


def check(graph: Graph, seed: int = 0) -> Graph:
    after, kept = without_dead_channels(graph)
    inputs = random_inputs(graph, seed)
    before_values, after_values = run(graph, inputs), run(after, inputs)
    assert (after.inputs, after.outputs) == (graph.inputs, graph.outputs)
    for name in graph.outputs:
        assert graph.types[name].shape == after.types[name].shape
        assert (before_values[name] == after_values[name]).all()
    for name, channels in kept.items():
        rows = before_values[name]
        expected = rows[..., channels] if rows.ndim > 1 else rows
        assert (after_values[name] == expected).all()
    assert remove_dead_channels(after) is after
    assert (after is graph) == (remove_dead_channels(graph) is graph)
    return after


def channels(graph: Graph, name: str) -> int:
    return graph.types[name].channels


@given(graph=graphs(), seed=seeds)
def test_any_graph_gives_what_it_gave(graph: Graph, seed: int) -> None:
    check(graph, seed)


@given(graph=graphs(), seed=seeds)
def test_every_channel_lies_within_its_bounds(graph: Graph, seed: int) -> None:
    bounds = channel_bounds(graph)
    for name, value in run(graph, random_inputs(graph, seed)).items():
        lows, highs = bounds[name]
        assert (lows <= value).all()
        assert (value <= highs).all()


@given(seed=seeds, data=st.data())
def test_planted_dead_channels_are_found_in_networks_with_branches(
    seed: int, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    dead = data.draw(st.lists(st.integers(0, 5), max_size=4, unique=True))
    top = data.draw(st.sampled_from([0, 0, 2]))
    pad, fill = data.draw(st.sampled_from([(0, 0), (1, 0), (1, 2 - top)]))
    nodes = [
        node("a", conv(rng, 3, 6, 1), "x"),
        node("qa", levels(rng, 6, dead, top), "a"),
        node("p", MaxPool((2, 2), (1, 1), (1, 1), (0, 0, 0, 0)), "qa"),
        node("d", conv(rng, 6, 6, 1, groups=6), "p"),
        node("qd", levels(rng, 6), "d"),
        node("b", conv(rng, 6, 6, 1), "p"),
        node("qb", levels(rng, 6, dead), "b"),
        node("s", Add(integers(rng, 1, 3, 2, 1)), "qd", "qb"),
        node("c", Concat(2), "s", "qb"),
        node("e", conv(rng, 12, 4, pad, fill), "c"),
        node("qe", levels(rng, 4), "e"),
        node("f", Reshape((TensorType(IntType(0, 1), conv_shape(pad)).size,)), "qe"),
        node("y", Linear(integers(rng, -1, 1, int(np.prod(conv_shape(pad))), 3)), "f"),
    ]
    graph = Graph({"x": IMAGE}, tuple(nodes), ("y",))
    after = check(graph, seed)
    # They are constant on both branches, and thresholds behind windows without padding can move.
    if not pad:
        assert channels(after, "qb") <= 6 - len(dead) or "qb" not in after.types


def conv_shape(pad: int) -> tuple[int, int, int]:
    return 4 - 2 + 2 * pad, 3 - 2 + 2 * pad, 4


RNG = np.random.default_rng(0)


def test_dead_neurons_go_with_their_weights_on_both_sides() -> None:
    first, second = integers(RNG, 1, 3, 6, 4), integers(RNG, 1, 3, 4, 5)
    graph = chain(VECTOR, Linear(first), levels(RNG, 4, [1, 2]), Linear(second))
    after = check(graph)
    shapes = [n.op.weights.shape for n in after.nodes if isinstance(n.op, Linear)]
    assert shapes == [(6, 2), (2, 5)]
    assert [n.name for n in after.nodes] == ["v0", "v1", "v2"]


def test_a_constant_moves_the_thresholds_behind_it() -> None:
    first, second = integers(RNG, 1, 3, 6, 4), integers(RNG, 1, 3, 4, 5)
    ops = (Linear(first), levels(RNG, 4, [3], top=2), Linear(second), levels(RNG, 5))
    graph = chain(VECTOR, *ops)
    table = np.array([[-(10**6)] * 2])
    assert (graph.nodes[1].op.thresholds.int64[3] == table).all()  # type: ignore[attr-defined]
    constant = Threshold(
        ops[1].thresholds,
        Const([0, 0, 0, 5]),
        ops[1].deltas,
    )
    after = check(chain(VECTOR, ops[0], constant, *ops[2:]))
    assert [n.name for n in after.nodes] == ["v0", "v1", "v2/reduced", "v3"]
    moved = after.nodes[-1].op
    assert isinstance(moved, Threshold)
    wanted = ops[3].thresholds.int64 - 7 * second.int64[3][:, None]
    assert (moved.thresholds.int64 == wanted).all()


def constant_channel(rng: np.random.Generator, level: int) -> tuple[Op, ...]:
    """Return a convolution and levels, of which channel 1 is always ``level``."""
    table = np.sort(rng.integers(1, 9, (4, 2)), axis=1)
    table[1] = 10**6
    base = Const([0, level, 0, 0])
    return conv(rng, 3, 4), Threshold(Const(table), base, Const(np.ones((4, 1), int)))


@pytest.mark.parametrize(
    ("level", "pad", "fill", "left"),
    [(0, 0, 0, 3), (0, 1, 0, 3), (2, 0, 0, 3), (2, 1, 2, 3), (2, 1, 0, 4), (0, 1, 1, 4)],
)
def test_a_constant_is_left_out_of_windows_where_the_padding_is_the_same(
    level: int, pad: int, fill: int, left: int
) -> None:
    graph = chain(
        IMAGE,
        *constant_channel(RNG, level),
        conv(RNG, 4, 5, pad, fill, kernel=1 + 2 * pad),
        levels(RNG, 5),
    )
    assert channels(check(graph), "v1") == left


@pytest.mark.parametrize("last", ["shared", "sum", "output"])
def test_sums_that_can_not_be_moved_keep_their_constants(last: str) -> None:
    shared = Threshold(Const([[1, 5]]), Const([0]), Const([[1]]))
    behind: dict[str, tuple[Op, ...]] = {
        "shared": (shared,),
        "sum": (SumPool((1, 1), (1, 1), (1, 1), (0, 0, 0, 0)), levels(RNG, 5)),
        "output": (),
    }
    graph = chain(IMAGE, *constant_channel(RNG, 2), conv(RNG, 4, 5, kernel=1), *behind[last])
    assert check(graph) is graph


def test_staircases_along_a_border_are_moved_too() -> None:
    table = np.sort(RNG.integers(-9, 30, (2, 1, 5, 3)), axis=-1)
    border = BorderThreshold(
        Const(table),
        Const(np.zeros((2, 1, 5), int)),
        Const(np.ones((2, 1, 5, 1), int)),
        Const([0]),
        Const([0]),
    )
    graph = chain(IMAGE, *constant_channel(RNG, 2), conv(RNG, 4, 5, kernel=1), border)
    assert channels(check(graph), "v1") == 3


def test_a_filter_of_zeros_is_a_constant() -> None:
    weights = integers(RNG, 1, 3, 6, 4).int64.copy()
    weights[:, 2] = 0
    graph = chain(VECTOR, Linear(Const(weights)), levels(RNG, 4), Linear(integers(RNG, 1, 3, 4, 2)))
    moved = chain(VECTOR, *(n.op for n in graph.nodes), levels(RNG, 2))
    assert channels(check(moved), "v0") == 3


def test_what_nobody_weighs_is_not_computed() -> None:
    weights = integers(RNG, 1, 3, 4, 5).int64.copy()
    weights[[0, 3]] = 0
    graph = chain(VECTOR, Linear(integers(RNG, 1, 3, 6, 4)), levels(RNG, 4), Linear(Const(weights)))
    assert channels(check(graph), "v0") == 2


def test_groups_go_with_their_channels_and_wider_groups_stay() -> None:
    for groups, left in ((4, 3), (2, 4)):
        ops = (*constant_channel(RNG, 0), conv(RNG, 4, 8, groups=groups), levels(RNG, 8))
        last = Linear(integers(RNG, 1, 3, 8, 2))
        after = check(chain(TensorType(IntType(0, 7), (5, 5, 3)), *ops, last))
        assert channels(after, "v1") == left
        assert channels(after, "v2") == 2 * left


def test_a_table_drops_columns_that_nobody_weighs() -> None:
    weights = np.array([[1, 2], [0, 0], [3, 1]])
    x = TensorType(IntType(0, 3), (4,))
    after = check(chain(x, Lookup(integers(RNG, -4, 4, 4, 3)), Linear(Const(weights))))
    assert channels(after, "v0") == 2


def test_flat_images_keep_whole_channels() -> None:
    weights = integers(RNG, 1, 3, 6 * 4, 2).int64.copy()
    weights.reshape(6, 4, 2)[:, 1] = 0
    weights[2] = 0
    ops = (conv(RNG, 3, 4), levels(RNG, 4), Reshape((24,)), Linear(Const(weights)))
    after = check(chain(IMAGE, *ops))
    assert (channels(after, "v1"), channels(after, "v2")) == (3, 18)


@pytest.mark.parametrize("kind", ["split", "slice", "upsample", "multiply"])
def test_parts_repetitions_and_products_shrink(kind: str) -> None:
    weights = integers(RNG, 1, 3, 4, 3).int64.copy()
    weights[2] = 0
    nodes = [
        node("a", conv(RNG, 3, 8, kernel=1), "x"),
        node("q", levels(RNG, 8), "a"),
        Node(("l", "r"), Split(2, (0, 4, 4, 8)), ("q",)),
    ]
    match kind:
        case "split":
            nodes += [
                node("y", Linear(Const(weights)), "l"),
                node("z", Linear(Const(weights)), "r"),
            ]
        case "slice":
            nodes[2:] = [node("l", Slice(2, 2, 6), "q"), node("y", Linear(Const(weights)), "l")]
        case "upsample":
            nodes[2:] = [node("l", Slice(2, 0, 4), "q"), node("u", Upsample((2, 1, 1)), "l")]
            nodes.append(node("y", Linear(Const(weights)), "u"))
        case "multiply":
            nodes += [node("m", Multiply(), "l", "r"), node("y", Linear(Const(weights)), "m")]
    outputs = ("y", "z") if kind == "split" else ("y",)
    after = check(Graph({"x": IMAGE}, tuple(nodes), outputs))
    assert channels(after, "l") == 3
    assert channels(after, "q") == {"split": 6, "slice": 3, "upsample": 3, "multiply": 6}[kind]


def test_places_in_an_order_are_not_renumbered() -> None:
    graph = chain(VECTOR, Linear(integers(RNG, 1, 3, 6, 4)), levels(RNG, 4, [1]), TopK(2))
    assert check(graph) is graph


def test_a_layer_that_is_constant_keeps_one_channel() -> None:
    ops = (
        Linear(integers(RNG, 1, 3, 6, 4)),
        levels(RNG, 4, range(4)),
        Linear(integers(RNG, 1, 3, 4, 2)),
    )
    after = check(chain(VECTOR, *ops))
    assert [channels(after, name) for name in ("v0", "v1", "v2")] == [1, 1, 2]


def dying(w: Writer) -> str:
    """Return a network in which neurons have died, at the bottom and at the top."""
    rng = np.random.default_rng(3)

    def layer(x: str, inputs: int, outputs: int, bias: NDArray[np.float64], pad: int) -> str:
        kernel = w.constant(rng.integers(-8, 8, (outputs, inputs, 3, 3)))
        weights = w.quant(kernel, 0.1, bits=4)
        y = w.node("Conv", [x, weights, w.constant(bias)], pads=[pad] * 4)
        return w.quant(w.node("Relu", [y]), 0.5, bits=3, signed=False)

    dead = np.isin(np.arange(12), [1, 4, 7, 10])
    x = layer(w.quant("x", 0.3, bits=4), 3, 12, np.where(dead, -99, 0.3), 1)
    y = layer(x, 12, 12, np.where(dead, -999, -0.5), 1)
    x = w.quant(w.node("Add", [x, y]), 0.7, bits=4)
    x = layer(x, 12, 12, np.where(np.arange(12) % 3, 0.1, -999), 0)
    matrix = rng.integers(-2, 2, (12 * 4 * 3, 5))
    return w.node("MatMul", [w.node("Flatten", [x]), w.quant(w.constant(matrix), 0.1, bits=2)])


def test_a_network_with_dead_neurons_is_exact_and_compared_layer_by_layer(tmp_path: Path) -> None:
    w = Writer()
    model = w.model(dying(w), 3, 6, 5)
    data = np.random.default_rng(1).normal(0, 1, (40, 3, 6, 5)).astype(np.float32)
    network, _ = compare(model, tmp_path, data[:4])
    sizes = {name: type_.channels for name, type_ in network.graph.types.items()}
    assert sizes["Quant_14"] == 8
    assert sizes["MatMul_17"] == 5
    assert network.meaning["Quant_14"].kept == (1, 2, 4, 5, 7, 8, 10, 11)
    assert sizes["Quant_4"] == sizes["Add_9"] == 8
    path = tmp_path / "model.onnx"
    found = compare_with(network, read_source(path), execute(path, data), network.encode(data))
    assert len(found.layers) == 5
    assert all(layer.is_equal for layer in found.layers)
    assert found.outside == 0
    build = tmp_path / "network"
    build.mkdir()
    save_network(network, build)
    assert load_network(build).meaning == network.meaning


def test_channels_that_fold_well_stay_so() -> None:
    for size, dead, left in ((16, 3, 16), (16, 8, 8), (16, 9, 8), (256, 31, 256), (256, 64, 192)):
        ops = (Linear(integers(RNG, 1, 3, 6, size)), levels(RNG, size, range(dead)))
        graph = chain(VECTOR, *ops, Linear(integers(RNG, 1, 3, size, 3)))
        after = remove_dead_channels(graph, 8)
        assert channels(after, "v1") == left
        assert remove_dead_channels(after, 8) is after
        inputs = random_inputs(graph, 0)
        assert (run(graph, inputs)["v2"] == run(after, inputs)["v2"]).all()


def test_inputs_and_outputs_keep_their_channels() -> None:
    graph = chain(TensorType(BIPOLAR, (6,)), Linear(Const(np.zeros((6, 3), int))))
    assert check(graph) is graph
