"""Dot products of bytes and of 16 bits: the same integers as the reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lutloom.core.graph import Graph, Node
from lutloom.core.ops import Conv, Linear, Threshold
from lutloom.core.types import Const, IntType, TensorType
from lutloom.sim import reference
from lutloom.sim.engine.executable import make_executable
from lutloom.sim.engine.instruction_set import InstructionSet
from lutloom.sim.engine.kernels import LOWERINGS
from lutloom.sim.engine.kernels.depthwise import lower_depthwise
from lutloom.sim.engine.kernels.dot import lower_dot
from lutloom.sim.engine.kernels.wide import lower_wide
from lutloom.sim.engine.library import load_kernels
from lutloom.sim.engine.planner import plan_program
from lutloom.sim.engine.products import products_of
from tests.engines import each_set
from tests.sim.engine.kernels.products import random_products

if TYPE_CHECKING:
    from lutloom.core.types import IntArray
    from lutloom.sim.engine.planner import Planner

_IMAGES = 16


def lower(planner: Planner, node: Node) -> None:
    products = products_of(planner, node)
    if not lower_depthwise(planner, products) and not lower_dot(planner, products):
        lower_wide(planner, products)


SUMS = dict.fromkeys(("conv", "depthwise", "linear", "matvec", "sum_pool"), lower)


def run(
    graph: Graph, inputs: dict[str, IntArray], instructions: InstructionSet
) -> tuple[dict[str, IntArray], set[str]]:
    """Return the outputs, computed by dot products where they can, and the kernels used."""
    program = plan_program(graph, instructions, {**LOWERINGS, **SUMS}, images=_IMAGES)
    ready = make_executable(program, load_kernels(instructions))
    stored = [port.storage.encode(inputs[port.value]) for port in program.inputs]
    found = ready.run(stored, len(inputs["x"]), 1)
    ports = zip(program.outputs, found, strict=True)
    outputs = {port.value: port.storage.decode(array) for port, array in ports}
    return outputs, {step.kernel for step in program.steps}


def check(graph: Graph, inputs: dict[str, IntArray], instructions: InstructionSet) -> set[str]:
    """Compare the engine with the reference; return the kernels used."""
    found, kernels = run(graph, inputs, instructions)
    expected = reference.run(graph, inputs, wanted=graph.outputs)
    for name in graph.outputs:
        np.testing.assert_array_equal(found[name], expected[name])
    return kernels


@each_set
@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1))
def test_products_of_all_kinds_are_those_of_the_reference(
    instructions: InstructionSet, seed: int
) -> None:
    graph, inputs = random_products(np.random.default_rng(seed))
    check(graph, inputs, instructions)


def conv(element: IntType, weights: IntArray, fill: int, levels: int) -> Graph:
    """Return a padded 3x3 convolution with so many equal steps behind it, of 5x5 pixels."""
    op = Conv(Const(weights), (1, 1), (1, 1), (1,) * 4, (1, 1), 1, fill)
    nodes = [Node(("sums",), op, ("x",))]
    graph = Graph({"x": TensorType(element, (5, 5, weights.shape[2]))}, tuple(nodes), ("sums",))
    sums = graph.types["sums"].element
    width = (sums.hi - sums.lo) / (levels + 1)
    table = np.ceil(sums.lo + width * np.arange(1, levels + 1)).astype(np.int64)[np.newaxis]
    nodes.append(Node(("y",), Threshold(Const(table), Const([0]), Const([[1]])), ("sums",)))
    return Graph(graph.inputs, tuple(nodes), ("y",))


@each_set
@pytest.mark.parametrize("fill", [-128, 0, 100000])
def test_sums_at_the_ends_of_their_range_are_exact(instructions: InstructionSet, fill: int) -> None:
    # Pairs of products that 16 bits do not hold, and padding that is no byte.
    rng = np.random.default_rng(0)
    graph = conv(IntType(-128, 127), rng.choice([-128, 127], (3, 3, 33, 17)), fill, 255)
    x = rng.choice([-128, 127], (17, 5, 5, 33))
    x[0], x[1] = -128, 127
    assert check(graph, {"x": x}, instructions).isdisjoint({"wide", "threshold"})


@each_set
def test_sums_beyond_32_bits_are_left_to_others(instructions: InstructionSet) -> None:
    weights = Const(np.full((70000, 1), 32767))
    inputs = {"x": TensorType(IntType(-32768, 32767), (70000,))}
    graph = Graph(inputs, (Node(("y",), Linear(weights), ("x",)),), ("y",))
    x = np.full((1, 70000), -32768)
    assert "wide" in check(graph, {"x": x}, instructions)
