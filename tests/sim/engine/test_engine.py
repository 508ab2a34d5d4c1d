"""The compiled engine computes what the reference does, by every set of instructions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lutloom.core.graph import Graph, Node
from lutloom.core.ops import OPERATORS, Reshape
from lutloom.core.types import BIPOLAR, TensorType
from lutloom.sim.engine import InstructionSet, available
from lutloom.sim.engine.kernels import LOWERINGS
from tests.engines import check_engine, each_set, needs_compiler
from tests.graphs import graphs, random_inputs
from tests.sim.engine.extremes import extreme_graph, extreme_inputs


def test_every_operator_has_its_steps() -> None:
    assert LOWERINGS.keys() == OPERATORS.keys()


@needs_compiler
@each_set
@settings(deadline=None, max_examples=60)
@given(graph=graphs(), seed=st.integers(0, 2**32 - 1), batch=st.integers(0, 40))
def test_random_graphs_are_what_the_reference_says(
    instructions: InstructionSet, graph: Graph, seed: int, batch: int
) -> None:
    check_engine(graph, random_inputs(graph, seed, batch), [instructions], threads=1 + seed % 2)


@needs_compiler
@each_set
@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), batch=st.integers(1, 20))
def test_integers_of_up_to_64_bits_are_exact(
    instructions: InstructionSet, seed: int, batch: int
) -> None:
    rng = np.random.default_rng(seed)
    graph = extreme_graph(rng)
    check_engine(graph, extreme_inputs(rng, graph, batch), [instructions])


@needs_compiler
@pytest.mark.parametrize("images", [0, 1, 15, 16, 17, 511, 512, 513])
def test_any_number_of_images_will_do(images: int) -> None:
    rng = np.random.default_rng(images)
    graph = extreme_graph(rng)
    check_engine(graph, extreme_inputs(rng, graph, images), available()[-1:], threads=2)


@needs_compiler
def test_outputs_may_be_inputs_and_each_other() -> None:
    x = TensorType(BIPOLAR, (2, 3))
    graph = Graph({"x": x}, (Node(("y",), Reshape((6,)), ("x",)),), ("y", "x", "y"))
    check_engine(graph, random_inputs(graph, 0), [InstructionSet.PORTABLE])
