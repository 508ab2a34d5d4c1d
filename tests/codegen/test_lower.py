from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.codegen import LoweringError, is_lowered, lower
from lutloom.codegen.lower import check_lowered
from lutloom.core.graph import Graph, Node
from lutloom.core.ops import (
    Add,
    Concat,
    Conv,
    Depthwise,
    Duplicate,
    Linear,
    Lookup,
    MatVec,
    MaxPool,
    Permute,
    Reshape,
    Slice,
    Split,
    SumPool,
    Threshold,
    TopK,
    Upsample,
    Window,
)
from lutloom.core.text import print_graph
from lutloom.core.types import BIPOLAR, Const, IntType, TensorType
from lutloom.sim.reference import run
from tests.graphs import random_inputs
from tests.windows import ELEMENTS, random_conv, random_image, random_windows

if TYPE_CHECKING:
    from lutloom.core.op import Op

X = TensorType(IntType(-4, 3), (4,))


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Nets of linear layers, staircases and sums, with branches and dead ends.

    Of one or two inputs and some outputs.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    nodes: list[Node] = []
    inputs = dict.fromkeys(("x", "z")[: draw(st.integers(1, 2))], X)
    names = [*inputs]
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
    # Every input counts, and no output repeats one.
    total = Add(Const(np.ones((1 + len(inputs), 1), np.int64)))
    nodes.append(Node(("y",), total, (names[-1], *inputs)))
    others = draw(st.lists(st.sampled_from(names[len(inputs) :]), max_size=2))
    return Graph(inputs, tuple(nodes), ("y", *others))


@given(graphs())
def test_lowering_keeps_every_value(graph: Graph) -> None:
    lowered = lower(graph)
    inputs = random_inputs(graph, 0)
    before, after = run(graph, inputs), run(lowered, inputs)
    assert is_lowered(lowered)
    for old, new in zip(graph.outputs, lowered.outputs, strict=True):
        assert np.array_equal(after[new], before[old])
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


def lowered_conv(op: Conv, x: TensorType) -> Graph:
    return lower(Graph({"x": x}, (Node(("conv",), op, ("x",)),), ("conv",)))


@given(st.integers(0, 2**32 - 1), st.sampled_from([*ELEMENTS, IntType(-9, 9)]))
def test_a_convolution_of_any_shape_is_its_processes(seed: int, element: IntType) -> None:
    """Masked taps see any integer: one of the input's, or none of them."""
    rng = np.random.default_rng(seed)
    image = random_image(rng)
    channels = int(rng.integers(1, 5))
    groups = int(rng.choice([n for n in range(1, channels + 1) if channels % n == 0]))
    fill = int(rng.choice([0, 0, element.lo, element.hi, -4, 3]))
    op = random_conv(rng, random_windows(rng, image), channels, groups, fill)
    x = TensorType(element, (*image, channels))
    graph = Graph({"x": x}, (Node(("conv",), op, ("x",)),), ("conv",))
    lowered = lower(graph)
    assert is_lowered(lowered)
    assert lower(lowered) is lowered
    inputs = random_inputs(graph, seed, batch=3)
    assert np.array_equal(run(lowered, inputs)["conv"], run(graph, inputs)["conv"])
    # Lanes stay as narrow as the data: no window shows what is no integer of the input.
    for node in lowered.nodes:
        if isinstance(node.op, Window):
            shown = lowered.types[node.name].element
            assert shown.lo in element
            assert shown.hi in element
            assert shown.count == 1 or shown.step == element.step


@pytest.mark.parametrize("weight", [-3, 1])
def test_a_table_has_a_row_for_all_that_types_behind_a_product_allow(weight: int) -> None:
    """Masked taps are free in the type of a product: it reaches beyond that of its convolution."""
    weights = Const([[[[weight, weight]]], [[[weight, weight]]]])
    conv = Conv(weights, (1, 1), (2, 1), (1, 0, 1, 0), (1, 1), 1, 0)
    x = TensorType(IntType(0, 1), (2, 1, 1))
    y = conv.infer(x)[0].element
    table = Const([[value, 7 * value] for value in range(y.lo, y.hi + 1)])
    nodes = (
        Node(("y",), conv, ("x",)),
        Node(("flat",), Reshape((4,)), ("y",)),
        Node(("rows",), Lookup(table, y.lo), ("flat",)),
    )
    graph = Graph({"x": x}, nodes, ("rows",))
    lowered = lower(graph)
    assert (y.count, lowered.types["flat"].element.count) == (2, 3)
    assert lowered.types["rows"] == graph.types["rows"]
    inputs = {"x": np.array([[[[a]], [[b]]] for a in (0, 1) for b in (0, 1)])}
    assert np.array_equal(run(lowered, inputs)["rows"], run(graph, inputs)["rows"])


ONES = np.ones((3, 3, 2, 4), int)
PADDED = ((1, 1), (1, 1), (1, 1, 1, 1), (1, 1))


def test_a_padded_convolution_is_a_window_and_a_product_named_like_it() -> None:
    x = TensorType(IntType(0, 3), (5, 6, 2))
    lowered = lowered_conv(Conv(Const(ONES), *PADDED, 1, 0), x)
    window, product = lowered.nodes
    assert (window.name, product.name) == ("conv/window", "conv")
    assert window.op == Window((3, 3), *PADDED, 1, 0)
    assert product.op == MatVec(Const(np.ones((4, 18), int)))


def test_a_bipolar_border_is_added_by_classes_of_places() -> None:
    x = TensorType(BIPOLAR, (5, 6, 2))
    lowered = lowered_conv(Conv(Const(ONES), *PADDED, 1, 0), x)
    window, product = lowered.nodes
    assert lowered.types["conv/window"] == TensorType(BIPOLAR, (5, 6, 18))
    assert isinstance(window.op, Window)
    assert window.op.fill == -1
    assert isinstance(product.op, MatVec)
    assert product.op.border.shape == (3, 3, 4)
    rows, columns = product.op.rows.int64, product.op.columns.int64
    assert rows.tolist() == [rows[0], *[rows[1]] * 3, rows[4]]
    assert columns.tolist() == [columns[0], *[columns[1]] * 4, columns[5]]
    # Five taps of two channels are masked in a corner, three along an edge: each shows a -1.
    added = product.op.border.int64[rows][:, columns, 0]
    assert added[0].tolist() == [10, 6, 6, 6, 6, 10]
    assert added[2].tolist() == [6, 0, 0, 0, 0, 6]


@pytest.mark.parametrize(
    ("weights", "stride", "pads", "groups", "kinds"),
    [
        (np.ones((1, 1, 2, 4), int), (1, 1), (0, 0, 0, 0), 1, [MatVec]),
        (np.ones((1, 1, 2, 4), int), (2, 1), (0, 0, 0, 0), 1, [Window, MatVec]),
        (np.ones((1, 1, 2, 4), int), (1, 1), (-1, 0, 1, 0), 1, [Window, MatVec]),
        (np.ones((1, 1, 1, 4), int), (1, 1), (0, 0, 0, 0), 2, [Window, MatVec]),
        (np.ones((3, 3, 1, 2), int), (1, 1), (1, 1, 1, 1), 2, [Depthwise]),
        (np.ones((3, 3, 1, 4), int), (1, 1), (1, 1, 1, 1), 2, [Window, MatVec]),
    ],
)
def test_processes_are_as_few_as_they_can_be(
    weights: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    stride: tuple[int, ...],
    pads: tuple[int, ...],
    groups: int,
    kinds: list[type],
) -> None:
    op = Conv(Const(weights), stride, (1, 1), pads, (1, 1), groups, 0)
    lowered = lowered_conv(op, TensorType(IntType(0, 3), (5, 6, 2)))
    assert [type(node.op) for node in lowered.nodes] == kinds


def test_windows_avoid_names_of_the_model() -> None:
    op = Conv(Const(ONES[..., :2]), *PADDED, 1, 0)
    nodes = (Node(("c/window",), op, ("x",)), Node(("c",), op, ("c/window",)))
    lowered = lower(Graph({"x": TensorType(BIPOLAR, (4, 4, 2))}, nodes, ("c",)))
    assert [node.name for node in lowered.nodes] == [
        "c/window/window",
        "c/window",
        "c/window'",
        "c",
    ]


@pytest.mark.parametrize(
    "op",
    [
        Conv(Const(np.ones((1, 2, 1, 1, 1), int)), (1,) * 3, (1,) * 3, (0,) * 6, (1,) * 3, 1, 0),
        MaxPool((2,) * 3, (2,) * 3, (1,) * 3, (0,) * 6),
        SumPool((2,) * 3, (2,) * 3, (1,) * 3, (0,) * 6),
    ],
    ids=["conv", "max_pool", "sum_pool"],
)
def test_windows_over_volumes_are_refused(op: Op) -> None:
    node = Node(("y",), op, ("x",))
    graph = Graph({"x": TensorType(IntType(0, 3), (2, 2, 2, 1))}, (node,), ("y",))
    with pytest.raises(
        LoweringError,
        match=r"^y has windows over 3 axes: this version builds those over one",
    ):
        lower(graph)


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
            "there is nothing to build: the output z is the input z with nothing computed in"
            " between",
        ),
        (
            Graph({"x": X, "z": X}, (Node(("y",), TopK(1), ("x",)),), ("y",)),
            "no output depends on the input z: take it out of the graph",
        ),
        (
            Graph({"x": X}, (Node(("y",), TopK(1), ("x",)),), ()),
            "there is nothing to build: the graph should have an input and an output",
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


def test_slices_that_do_not_overlap_are_one_split_of_what_is_read() -> None:
    x = TensorType(IntType(0, 3), (4, 6))
    nodes = (
        Node(("a", "b", "c"), Split(1, (0, 2, 2, 3, 4, 6)), ("x",)),
        Node(("d",), Slice(1, 3, 4), ("x",)),
        Node(("e",), Slice(0, 0, 1), ("x",)),
        Node(("f",), Slice(0, 0, 4), ("x",)),
        Node(("y",), Concat(1), ("a", "d", "c", "f")),
    )
    lowered = lower(Graph({"x": x}, nodes, ("y",)))
    processes = {node.results: (node.op, node.inputs) for node in lowered.nodes}
    assert processes == {
        ("x/copy0", "x/copy1"): (Duplicate(2), ("x",)),
        ("a", "d", "c"): (Split(1, (0, 2, 3, 4, 4, 6)), ("x/copy0",)),
        ("f",): (Reshape((4, 6)), ("x/copy1",)),
        ("y",): (Concat(1), ("a", "d", "c", "f")),
    }


def test_what_moves_nothing_is_a_wire() -> None:
    x = TensorType(IntType(0, 3), (1, 2, 1, 3))
    nodes = (
        Node(("a",), Permute((1, 0, 3, 2)), ("x",)),
        Node(("b",), Upsample((1, 1, 1, 1)), ("a",)),
        Node(("c",), Split(3, (0, 1)), ("b",)),
        Node(("d",), Slice(0, 0, 2), ("c",)),
        Node(("y",), TopK(1), ("d",)),
    )
    (*wires, last) = lower(Graph({"x": x}, nodes, ("y",))).nodes
    assert [node.op for node in wires] == [Reshape((2, 1, 3, 1))] * 4
    assert last == nodes[-1]
    with pytest.raises(LoweringError, match="there is nothing to build"):
        lower(Graph({"x": x}, nodes[:4], ("d",)))


def test_no_process_has_more_than_sixteen_streams_at_an_end() -> None:
    x = TensorType(IntType(0, 3), (300, 2))
    parts = tuple(f"part{index}" for index in range(300))
    ends = tuple(end for index in range(300) for end in (index, index + 1))
    nodes = (
        Node(parts, Split(0, ends), ("x",)),
        Node(("joined",), Concat(1), parts),
        Node(("spread",), Upsample((300, 1)), ("joined",)),
        Node(("y",), Concat(0), ("spread", "spread")),
    )
    lowered = lower(Graph({"x": x}, nodes, ("y",)))
    assert is_lowered(lowered)
    assert max(max(len(node.inputs), len(node.results)) for node in lowered.nodes) == 16
    inputs = {"x": np.random.default_rng(0).integers(0, 4, size=(2, 300, 2))}
    before, after = run(Graph({"x": x}, nodes, ("y",)), inputs), run(lowered, inputs)
    assert np.array_equal(after["y"], before["y"])
    copies = Node(tuple(f"c{index}" for index in range(40)), Duplicate(40), ("x",))
    again = lower(Graph({"x": x}, (copies, Node(("y",), Concat(0), copies.results)), ("y",)))
    assert [len(node.results) for node in again.nodes[:4]] == [3, 13, 13, 14]
