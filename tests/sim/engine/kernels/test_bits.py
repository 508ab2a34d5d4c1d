"""Products of bits, and what packs, pools and unpacks them, against the reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lutloom.core.graph import Graph, Node
from lutloom.core.ops import Conv, Linear, MatVec, MaxPool, Reshape, Threshold
from lutloom.core.types import BIPOLAR, Const, IntType, TensorType
from lutloom.sim.engine import available
from lutloom.sim.engine.executable import make_executable
from lutloom.sim.engine.kernels import LOWERINGS
from lutloom.sim.engine.library import load_kernels
from lutloom.sim.engine.planner import plan_program
from lutloom.sim.reference import run
from lutloom.sim.toolchain import CSimError, find_compiler
from tests.engines import each_set, random_values
from tests.windows import (
    random_border_threshold,
    random_classes,
    random_image,
    random_pool,
    random_windows,
)

if TYPE_CHECKING:
    from lutloom.core.op import Op
    from lutloom.core.types import IntArray
    from lutloom.sim.engine.instruction_set import InstructionSet

try:
    find_compiler(None)
except CSimError:
    pytest.skip("needs g++", allow_module_level=True)

FEW = (
    BIPOLAR,
    IntType(0, 1),
    IntType(-1, 1),
    IntType(-7, 14, 7),
    IntType(0, 3),
    IntType(2**30, 2**30 + 1),
)
"""Types of two to four codes."""

CHANNELS = (32, 33, 63, 64, 65, 100, 128, 130, 192)


def signs(rng: np.random.Generator, *shape: int) -> Const:
    """Return weights of one magnitude for each output, which is the last axis."""
    sizes = rng.choice([0, 1, 1, 1, 3], shape[-1]) if rng.integers(4) == 0 else 1
    return Const(rng.choice([-1, 1], shape) * sizes)


def random_sums(rng: np.random.Generator, x: TensorType) -> Op:
    """Return products that fit bits: of some channels, with outputs that end within a pack."""
    channels, outputs = x.channels, int(rng.choice([1, 7, 8, 10, 32, 40, 65]))
    groups = channels // 64 if channels % 64 == 0 and rng.integers(3) == 0 else 1
    fan_in, outputs = channels // groups, outputs if groups == 1 else 8 * groups
    match int(rng.integers(4)) if x.shape[:-1] else 3:
        case 0 | 1:
            w = random_windows(rng, x.shape[:-1])
            fill = int(rng.choice([0, x.element.lo, x.element.hi, 5]))
            weights = signs(rng, *w.kernel, fan_in, outputs)
            return Conv(weights, w.stride, w.dilation, w.pads, w.spacing, groups, fill)
        case 2:
            matrix = Const(signs(rng, fan_in, outputs).int64.T)
            kinds, classes = random_classes(rng, x.shape)
            border = Const(rng.integers(-5, 6, (*kinds, outputs)))
            return MatVec(matrix, groups, border, *classes)
        case _:
            return Linear(signs(rng, channels, outputs))


def random_stairs(rng: np.random.Generator, x: TensorType) -> Op:
    """Return a staircase up or down to some codes, around what sums mostly are."""
    if x.shape[:-1] and rng.integers(4) == 0:
        return random_border_threshold(rng, x.element, x.shape)
    steps = int(rng.choice([1, 1, 2, 3, 9]))
    middle, width = (x.element.lo + x.element.hi) // 2, max(4, (x.element.hi - x.element.lo) // 8)
    table = np.sort(rng.integers(middle - width, middle + width, (x.channels, steps)), axis=1)
    deltas = rng.choice([-1, 1], (x.channels, 1)) * int(rng.integers(1, 3))
    return Threshold(Const(table), Const(rng.integers(-1, 2, x.channels)), Const(deltas))


def chain(x: TensorType, *ops: Op) -> Graph:
    names = [f"v{number}" for number in range(len(ops) + 1)]
    nodes = tuple(Node((names[i + 1],), op, (names[i],)) for i, op in enumerate(ops))
    return Graph({"v0": x}, nodes, (names[-1],))


def random_chain(rng: np.random.Generator) -> Graph:
    """Return products of a few activations, and perhaps a staircase, a pool and products again."""
    image = random_image(rng, 6) if rng.integers(4) else ()
    graph = chain(TensorType(FEW[rng.integers(len(FEW))], (*image, int(rng.choice(CHANNELS)))))
    for make in (random_sums, random_stairs, random_max_pool, random_flatten, random_sums):
        x = graph.types[graph.outputs[0]]
        if make in (random_sums, random_stairs) or rng.integers(2):
            graph = chain(graph.inputs["v0"], *(n.op for n in graph.nodes), make(rng, x))
    return graph


def random_max_pool(rng: np.random.Generator, x: TensorType) -> Op:
    return random_pool(rng, x.shape[:-1], MaxPool) if x.shape[:-1] else Reshape((1, *x.shape))


def random_flatten(_: np.random.Generator, x: TensorType) -> Op:
    return Reshape((x.size,))


def kernels_used(graph: Graph, instructions: InstructionSet, x: IntArray) -> list[str]:
    """Compare the engine with the reference; return the kernels of its steps."""
    program = plan_program(graph, instructions, LOWERINGS, images=3)
    ready = make_executable(program, load_kernels(instructions))
    (port,), (output,) = program.inputs, program.outputs
    (found,) = ready.run([port.storage.encode(x)], len(x), 1)
    expected = run(graph, {"v0": x}, wanted=graph.outputs)[output.value]
    assert np.array_equal(output.storage.decode(found), expected)
    return [step.kernel for step in program.steps]


@each_set
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), images=st.sampled_from([1, 2, 3, 7]))
def test_chains_of_products_of_bits_equal_the_reference(
    instructions: InstructionSet, seed: int, images: int
) -> None:
    rng = np.random.default_rng(seed)
    graph = random_chain(rng)
    kernels = kernels_used(graph, instructions, random_values(rng, images, graph.inputs["v0"]))
    assert "bits" in kernels


@each_set
@pytest.mark.parametrize("words", [1, 2, 7, 8, 9, 31 * 8, 31 * 8 + 1, 64 * 8 + 7])
def test_all_bits_that_differ_are_counted(instructions: InstructionSet, words: int) -> None:
    channels = 64 * words
    graph = chain(TensorType(BIPOLAR, (channels,)), Linear(Const(np.ones((channels, 33), int))))
    for value in (-1, 1):
        x = np.full((1, channels), value)
        assert "bits" in kernels_used(graph, instructions, x)


@each_set
def test_bits_stay_bits_from_product_to_product(instructions: InstructionSet) -> None:
    rng = np.random.default_rng(0)
    ones, none = (1, 1), (0, 0, 0, 0)
    sign = Threshold(Const([[0]]), Const([-1]), Const([[2]]))
    graph = chain(
        TensorType(BIPOLAR, (8, 8, 64)),
        Conv(signs(rng, 3, 3, 64, 128), ones, ones, none, ones, 1, 0),
        sign,
        MaxPool((2, 2), (2, 2), ones, none),
        Reshape((9 * 128,)),
        Linear(signs(rng, 9 * 128, 65)),
        sign,
        Linear(signs(rng, 65, 10)),
    )
    x = random_values(rng, 4, graph.inputs["v0"])
    kernels = kernels_used(graph, instructions, x)
    assert kernels == ["pack", "bits", "bits_pool", "bits", "bits"]


@each_set
def test_what_others_read_is_unpacked_once(instructions: InstructionSet) -> None:
    rng = np.random.default_rng(0)
    sign = Threshold(Const([[-3, 0, 9]]), Const([-1]), Const([[1]]))
    nodes = (
        Node(("sums",), Linear(signs(rng, 64, 70)), ("v0",)),
        Node(("codes",), sign, ("sums",)),
        Node(("bits",), Linear(signs(rng, 70, 10)), ("codes",)),
        Node(("y",), Reshape((10, 7)), ("codes",)),
        Node(("z",), Linear(Const(rng.integers(-9, 10, (7, 2)))), ("y",)),
    )
    for output in ("z", "codes", "bits", "y"):
        graph = Graph({"v0": TensorType(IntType(0, 1), (64,))}, nodes, (output,))
        x = random_values(rng, 4, graph.inputs["v0"])
        assert kernels_used(graph, instructions, x).count("unpack") == 1


def test_weights_of_two_magnitudes_are_left_to_other_kernels() -> None:
    graph = chain(TensorType(BIPOLAR, (64,)), Linear(Const([[1], [2]] * 32)))
    x = random_values(np.random.default_rng(0), 2, graph.inputs["v0"])
    assert "bits" not in kernels_used(graph, available()[0], x)
