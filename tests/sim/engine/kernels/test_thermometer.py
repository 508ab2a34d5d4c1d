"""Few codes of bytes, made bits or planes at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.core.graph import Graph, Node
from lutloom.core.ops import Linear, Reshape, Threshold
from lutloom.core.types import Const, IntType, TensorType
from lutloom.sim.engine import available, make_engine
from tests.engines import check_engine, needs_compiler, random_values

pytestmark = needs_compiler

ROWS, COLUMNS = 7, 9
BYTE = IntType(0, 255)


def graph_of(stairs: Threshold, weights: int, element: IntType = BYTE) -> Graph:
    """Return a quantizer of an image of one channel, and a layer behind it."""
    rng = np.random.default_rng(weights)
    signs = rng.choice([-1, 1] if weights == 2 else [-1, 0, 1], (ROWS * COLUMNS, 5))
    nodes = (
        Node(("flat",), Reshape((ROWS * COLUMNS,)), ("x",)),
        Node(("q",), stairs, ("flat",)),
        Node(("y",), Linear(Const(signs)), ("q",)),
    )
    return Graph({"x": TensorType(element, (ROWS, COLUMNS, 1))}, nodes, ("y",))


def quantizer(*thresholds: int, base: int = 0, height: int = 1) -> Threshold:
    return Threshold(Const([thresholds]), Const([base]), Const([[height]]))


@pytest.mark.parametrize(
    ("stairs", "kernel"),
    [
        (quantizer(128, base=-1, height=2), "pack"),
        (quantizer(1, base=-1, height=2), "pack"),
        (quantizer(255, base=-1, height=2), "pack"),
        (quantizer(40, 90, 90), "pack"),
        (quantizer(128, base=1, height=-2), "table"),
        (quantizer(0, 128, base=-1, height=2), "pack"),
    ],
)
def test_bytes_are_written_only_where_the_codes_fall(stairs: Threshold, kernel: str) -> None:
    graph = graph_of(stairs, 2)
    engine = make_engine(graph, instructions=available()[0])
    assert engine.image_by_image.program.steps[0].kernel == kernel
    assert engine.in_planes is not None
    wanted = "table" if kernel == "table" else "to_planes"
    assert engine.in_planes.program.steps[0].kernel == wanted
    inputs = random_values(np.random.default_rng(1), 600, graph.inputs["x"])
    check_engine(graph, {"x": inputs})


@given(
    st.sampled_from([BYTE, IntType(-128, 127), IntType(-30, 300, 3), IntType(0, 3)]),
    st.lists(st.integers(-40, 310), min_size=1, max_size=4),
    st.sampled_from([-2, -1, 1, 2]),
    st.sampled_from([2, 3]),
    st.integers(0, 2**32 - 1),
)
def test_any_few_codes_are_the_references(
    element: IntType, thresholds: list[int], height: int, weights: int, seed: int
) -> None:
    graph = graph_of(quantizer(*sorted(thresholds), base=-3, height=height), weights, element)
    inputs = random_values(np.random.default_rng(seed), 70, graph.inputs["x"])
    check_engine(graph, {"x": inputs}, available()[-1:])
