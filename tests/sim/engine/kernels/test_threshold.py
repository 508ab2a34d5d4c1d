"""Staircases: compared, multiplied or looked up, always the same levels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.core.graph import Graph, Node
from lutloom.core.ops import Requantize, Threshold
from lutloom.core.types import Const, IntType, TensorType
from lutloom.sim.engine import available, make_engine
from tests.engines import check_engine, needs_compiler
from tests.graphs import random_inputs, rounding_flags

pytestmark = needs_compiler

CHANNELS = 3


def graph_of(op: Threshold | Requantize, element: IntType) -> Graph:
    return Graph({"x": TensorType(element, (2, CHANNELS))}, (Node(("y",), op, ("x",)),), ("y",))


def kernels_of(graph: Graph) -> list[str]:
    engine = make_engine(graph, instructions=available()[0])
    return [step.kernel for step in engine.image_by_image.program.steps]


def quantizer(levels: int, element: IntType, *, rising: bool = True) -> Threshold:
    """Return a quantizer with as many even steps over the range of ``element``."""
    offsets = np.arange(CHANNELS)[:, None] * 5
    width = (element.hi - element.lo) / (levels + 1)
    table = element.lo + np.ceil(width * np.arange(1, levels + 1)).astype(np.int64) + offsets
    height = 1 if rising else -1
    return Threshold(Const(table), Const([0] * CHANNELS), Const([[height]] * CHANNELS))


@pytest.mark.parametrize("rising", [True, False])
@pytest.mark.parametrize(
    ("element", "levels", "kernel"),
    [
        (IntType(-3000, 3000), 255, "lines"),
        (IntType(-100000, 100000), 255, "lines"),
        (IntType(-100000, 100000), 1023, "lines"),
        (IntType(-3000, 3000), 15, "threshold"),
        (IntType(-(2**40), 2**40), 255, "threshold"),
        (IntType(0, 255), 15, "threshold"),
        (IntType(0, 255), 63, "table"),
        (IntType(-7, 23, 2), 40, "table"),
    ],
)
def test_a_quantizer_is_computed_in_the_fastest_exact_way(
    element: IntType, levels: int, kernel: str, rising: bool
) -> None:
    graph = graph_of(quantizer(levels, element, rising=rising), element)
    assert kernels_of(graph) == [kernel]
    count = min(element.count, 3000)
    codes = np.linspace(0, element.count - 1, count).astype(np.int64)
    near = quantizer(levels, element).thresholds.int64.ravel()
    near = np.concatenate([near - 1, near, near + 1])
    values = np.concatenate([element.lo + codes * element.step, near[element.holds(near)]])
    inputs = np.broadcast_to(values[:, None, None], (len(values), 2, CHANNELS))
    check_engine(graph, {"x": np.ascontiguousarray(inputs)})


def test_steps_that_no_line_passes_are_compared() -> None:
    element = IntType(-3000, 3000)
    table = np.sort(np.random.default_rng(0).integers(-3000, 3000, (CHANNELS, 40)))
    graph = graph_of(
        Threshold(Const(table), Const([0] * CHANNELS), Const([[1]] * CHANNELS)), element
    )
    assert kernels_of(graph) == ["threshold"]
    check_engine(graph, random_inputs(graph, 1, batch=300))


@pytest.mark.parametrize(
    ("element", "kernel"), [(IntType(-3, 200), "table"), (IntType(-300, 300), "requantize")]
)
@given(st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_every_rounding_is_the_references(
    element: IntType, kernel: str, way: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    rows = int(rng.choice([1, CHANNELS]))
    op = Requantize(
        Const(rng.integers(-99, 99, (rows, 1))),
        Const(rng.integers(-999, 999, (1, 1))),
        int(rng.integers(0, 9)),
        Const(rng.integers(-80, 0, rows)),
        Const([70]),
        *rounding_flags(way),
    )
    graph = graph_of(op, element)
    assert kernels_of(graph) == [kernel]
    check_engine(graph, random_inputs(graph, seed, batch=50), available()[-1:])
