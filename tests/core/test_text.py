from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.core.errors import GraphFileError
from lutloom.core.graph import Graph, Node
from lutloom.core.ops import Duplicate, Linear, Threshold
from lutloom.core.text import constants_of, graph_digest, parse_graph, print_graph
from lutloom.core.types import BIPOLAR, Const, TensorType
from tests.graphs import graphs

WEIGHTS = Const([[1, -1], [1, 1]])
SMALL = Graph(
    {"x": TensorType(BIPOLAR, (2,))},
    (
        Node(("fc",), Linear(WEIGHTS), ("x",)),
        Node(("a", "b c"), Duplicate(2), ("fc",)),
        Node(("q",), Threshold(Const([[0]]), Const([-1]), Const([[2]])), ("a",)),
    ),
    ("q", "b c"),
)


@given(graphs())
def test_a_graph_is_what_its_text_says(graph: Graph) -> None:
    text = print_graph(graph)
    parsed = parse_graph(text, constants_of(graph))
    assert parsed == graph
    assert hash(parsed) == hash(graph)
    assert print_graph(parsed) == text
    assert text.isascii()
    assert graph_digest(parsed) == graph_digest(graph)
    assert pickle.loads(pickle.dumps(graph)) == graph


def test_the_text_is_for_reading() -> None:
    assert len(constants_of(SMALL)) == 4
    weights = f"int8[2,2]#{WEIGHTS.digest}"
    lines = print_graph(SMALL).splitlines()
    assert lines[:4] == [
        "lutloom-graph 1",
        "input x: int<-1..1 by 2>[2]",
        f"fc = linear[weights={weights}](x): int<-2..2 by 2>[2]",
        'a, "b c" = duplicate[copies=2](fc): int<-2..2 by 2>[2], int<-2..2 by 2>[2]',
    ]
    assert lines[-1] == 'return q, "b c"'


@given(st.data())
def test_a_damaged_text_is_refused_or_means_the_same(data: st.DataObject) -> None:
    text = print_graph(SMALL)
    position = data.draw(st.integers(0, len(text) - 1))
    inserted = data.draw(st.text(max_size=3))
    removed = data.draw(st.integers(0, 3))
    damaged = text[:position] + inserted + text[position + removed :]
    try:
        graph = parse_graph(damaged, constants_of(SMALL))
    except GraphFileError:
        return
    assert parse_graph(print_graph(graph), constants_of(graph)) == graph


@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(GraphFileError):
        parse_graph("lutloom-graph 1\n" + text + "=", {})


HEAD = "lutloom-graph 1\ninput x: int<-1..1 by 2>[2]\n"


def pool(kernel: str = "2", pads: str = "0, 0") -> str:
    return (
        f"y = sum_pool[kernel=({kernel}), stride=(1), dilation=(1), pads=({pads})](x): int<0..2>[1]"
        "\nreturn y"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"^a graph should begin with 'lutloom-graph 1', not 'nothing'$"),
        ("lutloom-graph 2\n", r"^a graph should begin with 'lutloom-graph 1', not 'lutloom-gra"),
        (HEAD, r"^the graph ends without 'return': the file is cut off$"),
        (HEAD + "return y\n", r"^the graph contradicts itself: the output y is not defined$"),
        (HEAD + "return x\nreturn x\n", r"^line 4, column 1 of the graph: nothing may follow"),
        (HEAD + "y = f[](x): int<0..1>[2]\nreturn y", r"there is no operator 'f': use one of \['a"),
        (HEAD + "y = top_k[k=9](x): int<0..1>[1]\nreturn y", r"k should be at least 1 and at mo"),
        (HEAD + "y = top_k[k=1](x): int<0..2>[1]\nreturn y", r"^y is said to be int<0\.\.2>\[1\]"),
        (HEAD + "y = top_k[q=1](x): int<0..1>[1]\nreturn y", r"'top_k' does not take these param"),
        (HEAD + "y = top_k[k=1](z): int<0..1>[1]\nreturn y", r"no earlier node defines z"),
        (HEAD + "y, z = top_k[k=1](x): int<0..1>[1]\nreturn y", r"2 results, but 1 types$"),
        (
            HEAD + "y = linear[weights=int8[2,2]#00000000000000000000](x): int<0..1>[1]\nreturn y",
            r"the constant int8\[2,2\]#0{20} is missing$",
        ),
        (
            HEAD + "y = linear[](x): int<0..1>[1]\nreturn y",
            r"'linear' does not take these parameters",
        ),
        (
            HEAD + "y = linear[weights=3](x): int<0..1>[1]\nreturn y",
            r"'linear' takes a constant for weights, not 3$",
        ),
        (
            HEAD + "y = permute[axes=3](x): int<0..1>[1]\nreturn y",
            r"'permute' takes integers in parentheses for axes, not 3$",
        ),
        (
            HEAD + "y = top_k[k=true](x): int<0..1>[1]\nreturn y",
            r"'top_k' takes an integer for k, not true$",
        ),
        (
            HEAD + "y = reshape[shape=()](x): int<0..1>[1]\nreturn y",
            r"the graph contradicts itself: y = reshape\(x\): \[\] does not hold the 2 elements",
        ),
        (HEAD + "y = reshape[shape=(-1,-2)](x): int<-1..1 by 2>[2]\nreturn y", r"at least 1"),
        (
            HEAD + "y = duplicate[copies=99999999999999999999](x): int<0..1>[1]\nreturn y",
            r"copies should be 2 to 1024",
        ),
        (HEAD + "y = top_k[k=1](): int<0..1>[1]\nreturn y", r"contradicts itself"),
        (HEAD + 'y = top_k[k=1]("\\q"): int<0..1>[1]\nreturn y', r"is no JSON string$"),
        (
            HEAD + pool(kernel="1000000000", pads="999999999, 0"),
            r"^the graph contradicts itself: y = sum_pool\(x\): kernel should be 1 numbers",
        ),
        (
            "lutloom-graph 1\ninput x: int<0..1>[2000000,1]\n"
            + pool(kernel="2000000", pads="1999999, 0"),
            r"sum_pool\(x\): windows of 2000000 taps are cut off in 2000000 ways along an axis",
        ),
        (
            "lutloom-graph 1\ninput x: int<0..1>[2000000000,1]\n" + pool(),
            r"sum_pool\(x\): an axis of 2000000000 places, padding included, is too long: at most",
        ),
        (
            "lutloom-graph 1\ninput x: int<0..1>[2000000000,2000000000]\nreturn x",
            r"a tensor of \[2000000000, 2000000000\] is too large: at most 2\^32 elements$",
        ),
        (HEAD + pool(pads="0, 0, 0"), r"pads should be 2 numbers up to 4194304, not \[0, 0, 0\]$"),
        ("lutloom-graph 1\ninput x: int<3..1>[2]\nreturn x", r"needs lo <= hi, not 3\.\.1$"),
        ("lutloom-graph 1\ninput x: int<0..4 by 3>[2]\nreturn x", r"step 3 does not lead from"),
        ("lutloom-graph 1\ninput x: int<0..99999999999999999999>[2]\nreturn x", r"64 bits$"),
        ("lutloom-graph 1\ninput x: int<0..1>[0]\nreturn x", r"every dimension must be at lea"),
        ("lutloom-graph 1\ninput x: int<0..1>[2] $(id)\nreturn x", r"expected the end of the line"),
    ],
)
def test_a_text_that_cannot_be_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(GraphFileError, match=message):
        parse_graph(text, {})


def test_equal_graphs_hash_equally_whatever_the_order_of_their_inputs() -> None:
    kinds = {"a": TensorType(BIPOLAR, (1,)), "b": TensorType(BIPOLAR, (2,))}
    one = Graph(kinds, (), ("a",))
    other = Graph(dict(reversed(kinds.items())), (), ("a",))
    assert one == other
    assert hash(one) == hash(other)


def test_a_graph_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        SMALL.types["x"] = TensorType(BIPOLAR, (3,))  # type: ignore[index]
    with pytest.raises(TypeError):
        SMALL.inputs["y"] = TensorType(BIPOLAR, (3,))  # type: ignore[index]
    assert [node.name for node in SMALL.users["fc"]] == ["a"]
    assert SMALL.producers["b c"].name == "a"
    assert np.array_equal(WEIGHTS.int64, [[1, -1], [1, 1]])
