from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lutloom.codegen import lower
from lutloom.codegen.streams import streams_of
from lutloom.codegen.units import cut
from lutloom.core.graph import Graph, Node
from lutloom.core.ops import Add, Conv, Threshold
from lutloom.core.types import Const, IntType, TensorType

X = TensorType(IntType(0, 3), (4,))
STEP = Threshold(Const([[1]]), Const([0]), Const([[1]]))


def net(kinds: list[bool]) -> Graph:
    """A chain; where a kind says so, of a process and a sum with what it read."""
    nodes: list[Node] = []
    last = "x"
    for index, is_branch in enumerate(kinds):
        nodes.append(Node((f"a{index}",), STEP, (last,)))
        if is_branch:
            nodes.append(Node((f"b{index}",), Add(Const([[1], [1]])), (last, f"a{index}")))
        last = nodes[-1].name
    return lower(Graph({"x": X}, tuple(nodes), (last,)))


@given(st.lists(st.booleans(), min_size=1, max_size=20), st.integers(1, 7))
def test_units_are_joined_by_one_stream_each_and_no_larger_than_need_be(
    kinds: list[bool], limit: int
) -> None:
    graph = net(kinds)
    units = cut(graph, limit)
    assert sum(units, ()) == tuple(node.name for node in graph.nodes)
    owner = {name: index for index, unit in enumerate(units) for name in unit}
    crossing = [
        (owner[s.source], owner[s.target])
        for s in streams_of(graph)
        if s.source is not None and s.target is not None and owner[s.source] != owner[s.target]
    ]
    assert sorted(crossing) == [(i, i + 1) for i in range(len(units) - 1)]
    # A branch is a duplicate, a process and a sum, which stay together.
    assert all(len(unit) <= max(limit, 3) for unit in units)


def test_a_window_stays_with_its_product() -> None:
    image = TensorType(IntType(0, 3), (9, 9, 2))
    weights = Const(np.ones((2, 2, 2, 2), np.int64))
    conv = Conv(weights, (1, 1), (1, 1), (0, 0, 0, 0), (1, 1), 1, 0)
    names = [f"conv{index}" for index in range(4)]
    nodes = [Node((name,), conv, (last,)) for last, name in pairwise(["x", *names])]
    graph = lower(Graph({"x": image}, tuple(nodes), (names[-1],)))
    assert cut(graph, 1) == tuple((f"{name}/window", name) for name in names)
    assert [len(unit) for unit in cut(graph, 5)] == [4, 4]


def test_a_small_design_is_one_unit() -> None:
    assert len(cut(net([False] * 12))) == 1
    assert [len(unit) for unit in cut(net([False] * 13))] == [12, 1]
