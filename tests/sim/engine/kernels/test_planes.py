"""Products in planes, and what moves and picks elements there, against the reference."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lutloom.core.graph import Graph, Node
from lutloom.core.ops import (
    Concat,
    Conv,
    Linear,
    MatVec,
    MaxPool,
    Permute,
    Reshape,
    Threshold,
    Upsample,
    Window,
)
from lutloom.core.types import BIPOLAR, Const, IntType, TensorType
from lutloom.sim.engine import available, make_engine
from lutloom.sim.engine.executable import make_executable
from lutloom.sim.engine.kernels import LOWERINGS
from lutloom.sim.engine.library import load_kernels
from lutloom.sim.engine.planner import plan_in_planes
from lutloom.sim.reference import run
from lutloom.sim.toolchain import CSimError, find_compiler
from tests.engines import each_set, random_values
from tests.graphs import random_split
from tests.windows import (
    random_border_threshold,
    random_conv,
    random_depthwise,
    random_matvec,
    random_pool,
    random_windows,
)

if TYPE_CHECKING:
    from lutloom.core.op import Op
    from lutloom.core.types import IntArray
    from lutloom.sim.engine.instruction_set import InstructionSet
    from lutloom.sim.engine.program import Program

try:
    find_compiler(None)
except CSimError:
    pytest.skip("needs g++", allow_module_level=True)

TYPES = (
    BIPOLAR,
    IntType(-1, 1),
    IntType(0, 1),
    IntType(0, 3),
    IntType(-6, 3, 3),
    IntType(2**40, 2**40 + 3),
    IntType(7, 7),
    IntType(0, 255),
    IntType(-128, 127),
    IntType(-9, 91, 5),
)
"""Types of one to four codes, and of a byte."""

SIGNS = ((-1, 1), (-1, 0, 1), (0, 3, -3), (0, 0, 0, 1), (-5,), (0,), (1, 2))
"""Weights, nearly all of which are -1, 0 and 1 times something."""


def chain(x: TensorType, *ops: Op) -> Graph:
    names = [f"v{number}" for number in range(len(ops) + 1)]
    nodes = tuple(Node((names[i + 1],), op, (names[i],)) for i, op in enumerate(ops))
    return Graph({"v0": x}, nodes, (names[-1],))


def with_signs(rng: np.random.Generator, op: Conv | MatVec) -> Conv | MatVec:
    """Return ``op`` with other weights: those of an output have mostly one size."""
    if isinstance(op, Conv):
        return replace(op, weights=Const(rng.choice(some_signs(rng), op.weights.shape)))
    return replace(op, matrix=Const(rng.choice(some_signs(rng), op.matrix.shape)))


def some_signs(rng: np.random.Generator) -> tuple[int, ...]:
    return SIGNS[rng.integers(len(SIGNS))]


def random_products(rng: np.random.Generator, x: TensorType) -> Op:
    image, channels = x.shape[:-1], x.channels
    groups = int(rng.choice([n for n in range(1, channels + 1) if channels % n == 0]))
    fill = int(rng.choice([0, x.element.lo, x.element.hi, -2, 300]))
    match int(rng.integers(5)) if image else 4:
        case 0 | 1:
            windows = random_windows(rng, image)
            return with_signs(rng, random_conv(rng, windows, channels, groups, fill))
        case 2:
            return random_depthwise(rng, random_windows(rng, image), channels, fill)
        case 3:
            matvec = random_matvec(rng, x.shape, groups, has_border=True)
            return with_signs(rng, matvec)
        case _:
            return Linear(Const(rng.choice(some_signs(rng), (channels, rng.integers(1, 11)))))


def random_stairs(rng: np.random.Generator, x: TensorType) -> Op:
    """Return a staircase to few codes, of every channel or of places too."""
    if x.shape[:-1] and rng.random() < 0.3:
        return random_border_threshold(rng, x.element, x.shape)
    steps = int(rng.integers(1, 4))
    reach = (x.element.lo - 1, x.element.hi + 2)
    table = np.sort(rng.integers(*reach, (x.channels, steps)), axis=1)
    deltas = rng.choice([-1, 1, 1], (x.channels, 1)) * int(rng.integers(1, 3))
    return Threshold(Const(table), Const(rng.integers(-1, 2, x.channels)), Const(deltas))


def random_move(rng: np.random.Generator, x: TensorType) -> Op:
    rank = len(x.shape)
    match int(rng.integers(5)):
        case 0:
            return Permute(tuple(int(axis) for axis in rng.permutation(rank)))
        case 1:
            return Reshape((x.size,))
        case 2:
            return Upsample(tuple(int(f) for f in rng.integers(1, 3, rank)))
        case 3 if x.shape[:-1]:
            w = random_windows(rng, x.shape[:-1])
            fill = int(rng.choice([x.element.lo, x.element.hi, 0]))
            return Window(w.kernel, w.stride, w.dilation, w.pads, w.spacing, 1, fill)
        case _:
            return random_split(rng, x).parts[-1]


def random_chain(seed: int) -> Graph:
    """Return products of products, with staircases, pools and moves between them."""
    rng = np.random.default_rng(seed)
    sizes = [*rng.integers(1, 7, rng.integers(0, 3)), rng.integers(1, 12)]
    shape = tuple(int(size) for size in sizes)
    graph = chain(TensorType(TYPES[rng.integers(len(TYPES))], shape))
    for _ in range(rng.integers(1, 4)):
        for make, chance in (
            (random_products, 1),
            (random_stairs, 0.9),
            (lambda rng, x: random_pool(rng, x.shape[:-1], MaxPool), 0.5),
            (random_move, 0.4),
        ):
            x = graph.types[graph.outputs[0]]
            is_pool = chance == 0.5
            if rng.random() < chance and not (is_pool and not x.shape[:-1]) and x.size < 3000:
                graph = chain(graph.inputs["v0"], *(n.op for n in graph.nodes), make(rng, x))
    return graph


def computed(program: Program, instructions: InstructionSet, x: IntArray) -> IntArray:
    executable = make_executable(program, load_kernels(instructions))
    (port,), (output,) = program.inputs, program.outputs
    (found,) = executable.run([port.storage.encode(x)], len(x), 1)
    return output.storage.decode(found)


@each_set
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), images=st.sampled_from([1, 2, 63, 64, 65, 513]))
def test_chains_in_planes_equal_the_reference(
    instructions: InstructionSet, seed: int, images: int
) -> None:
    graph = random_chain(seed)
    program = plan_in_planes(graph, instructions, LOWERINGS)
    if program is None:
        return
    x = random_values(np.random.default_rng(seed), images, graph.inputs["v0"])
    expected = run(graph, {"v0": x}, wanted=graph.outputs)[graph.outputs[0]]
    assert np.array_equal(computed(program, instructions, x), expected)


@each_set
def test_what_is_joined_in_planes_may_come_from_bytes_too(instructions: InstructionSet) -> None:
    rng = np.random.default_rng(0)
    x = TensorType(BIPOLAR, (3, 3, 5))
    signs = Const(rng.choice([-1, 1], (1, 1, 5, 5)))
    ones = (1, 1)
    nodes = (
        Node(("sums",), Conv(signs, ones, ones, (0, 0, 0, 0), ones, 1, 0), ("x",)),
        Node(("codes",), Threshold(Const([[0]]), Const([-1]), Const([[2]])), ("sums",)),
        Node(("joined",), Concat(1), ("codes", "x", "codes")),
        Node(("y",), Linear(Const(rng.choice([-1, 0, 1], (5, 3)))), ("joined",)),
    )
    graph = Graph({"x": x}, nodes, ("y",))
    program = plan_in_planes(graph, instructions, LOWERINGS)
    assert program is not None
    assert {step.kernel for step in program.steps} == {
        "to_planes", "plane_stairs", "plane_move", "plane_sums",
    }  # fmt: skip
    given = random_values(rng, 100, x)
    expected = run(graph, {"x": given}, wanted=("y",))["y"]
    assert np.array_equal(computed(program, instructions, given), expected)


def test_few_images_are_computed_one_by_one_and_many_in_planes() -> None:
    rng = np.random.default_rng(0)
    graph = chain(TensorType(BIPOLAR, (70,)), Linear(Const(rng.choice([-1, 1], (70, 3)))))
    engine = make_engine(graph, threads=1)
    assert engine.in_planes is not None
    block = engine.in_planes.program.block
    for images in (1, block // 8, block // 2, block, block + 1, 2 * block - 1):
        x = random_values(rng, images, graph.inputs["v0"])
        expected = run(graph, {"v0": x}, wanted=graph.outputs)["v1"]
        assert np.array_equal(engine.run({"v0": x})["v1"], expected)


def test_there_is_no_program_in_planes_of_products_that_need_wider_weights() -> None:
    graph = chain(TensorType(BIPOLAR, (4,)), Linear(Const([[1], [2], [3], [4]])))
    assert plan_in_planes(graph, available()[-1], LOWERINGS) is None
    assert make_engine(graph).in_planes is None
