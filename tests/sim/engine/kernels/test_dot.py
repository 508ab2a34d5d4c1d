"""Dot products of bytes and of 16 bits: the same integers as the reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lutloom.sim import reference
from lutloom.sim.engine.executable import make_executable
from lutloom.sim.engine.instruction_set import InstructionSet, available
from lutloom.sim.engine.kernels import LOWERINGS
from lutloom.sim.engine.kernels.depthwise import lower_depthwise
from lutloom.sim.engine.kernels.dot import lower_dot
from lutloom.sim.engine.kernels.wide import lower_wide
from lutloom.sim.engine.library import load_kernels
from lutloom.sim.engine.planner import plan_program
from lutloom.sim.engine.products import products_of
from tests.sim.engine.kernels.products import random_products

if TYPE_CHECKING:
    from lutloom.core.graph import Graph, Node
    from lutloom.core.types import IntArray
    from lutloom.sim.engine.planner import Planner

_IMAGES = 16

every_instruction_set = pytest.mark.parametrize("instructions", available(), ids=lambda i: i.value)


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


@every_instruction_set
@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1))
def test_products_of_all_kinds_are_those_of_the_reference(
    instructions: InstructionSet, seed: int
) -> None:
    graph, inputs = random_products(np.random.default_rng(seed))
    check(graph, inputs, instructions)
