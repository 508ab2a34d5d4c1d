"""Random operators and foldings, and the one question: does the C++ compute the same integers?"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lutloom.codegen import Golden, check_plan, legal_values, lower, write_project
from lutloom.codegen.folding import legal_choices, unfolded_plan
from lutloom.codegen.pragma_check import check_project
from lutloom.codegen.streams import processes_of
from lutloom.core.errors import PlanError
from lutloom.core.graph import Graph, Node
from lutloom.core.op import Op
from lutloom.core.ops import Add, MatVec, Permute, Reshape, Threshold, TopK
from lutloom.core.plan import Folding, Plan
from lutloom.core.types import BIPOLAR, Const, IntType, TensorType
from lutloom.sim import csim
from lutloom.sim.reference import run
from tests.windows import random_image_op

if TYPE_CHECKING:
    from lutloom.core.types import IntArray

TYPES = (
    BIPOLAR,
    IntType(0, 1),
    IntType(-1, 0),
    IntType(-1, 1),
    IntType(0, 3),
    IntType(-3, 3, 2),
    IntType(-2, 1),
    IntType(0, 12, 4),
    IntType(-7, -1, 3),
    IntType(5, 5),
    IntType(-8, 7),
    IntType(0, 255),
    IntType(-100, 27),
)

WEIGHTS = (
    (-1, 1),
    (-1, 0, 1),
    (-3, -1, 1, 3),
    (-2, 2),
    (1,),
    (-4, 4, 8),
    (0,),
    tuple(range(-8, 8)),
)


class Chain:
    """A graph under construction: every operator reads ``last``, what the one before gave."""

    def __init__(self, rng: np.random.Generator, input_type: TensorType) -> None:
        self.rng = rng
        self.inputs = {"x": input_type}
        self.nodes: list[Node] = []
        self.last = "x"

    @property
    def graph(self) -> Graph:
        return Graph(self.inputs, tuple(self.nodes), (self.last,))

    @property
    def type(self) -> TensorType:
        return self.graph.types[self.last]

    def append(self, op: Op, *more_inputs: str) -> str:
        name = f"{op.name}{len(self.nodes)}"
        self.nodes.append(Node((name,), op, (self.last, *more_inputs)))
        self.last = name
        return name

    def threshold(self, target: IntType | None = None, *, steps: int | None = None) -> str:
        """Append a staircase whose levels are some of ``target``'s values, up and down."""
        rng, x = self.rng, self.type
        target = TYPES[rng.integers(len(TYPES))] if target is None else target
        steps = int(rng.integers(1, 6)) if steps is None else steps
        channels = x.channels if rng.integers(3) else 1
        lo, hi = max(x.element.lo - 2, -(2**62)), min(x.element.hi + 3, 2**62)
        rows = np.sort(rng.integers(lo, hi, size=(channels, steps)), axis=1)
        codes = rng.integers(target.count, size=(channels, steps + 1))
        if rng.integers(2):
            codes = np.sort(codes, axis=1)
        levels = codes * target.step + target.lo
        deltas = np.diff(levels, axis=1)
        return self.append(Threshold(Const(rows), Const(levels[:, 0]), Const(deltas)))

    def count(self, target: IntType) -> str:
        """Append a quantizer: equal steps up through all of ``target``'s values."""
        x = self.type
        shape = (x.channels, target.count - 1)
        rows = np.sort(self.rng.integers(x.element.lo - 1, x.element.hi + 2, size=shape), axis=1)
        base, deltas = np.full(x.channels, target.lo), np.full((x.channels, 1), target.step)
        return self.append(Threshold(Const(rows), Const(base), Const(deltas)))

    def anything(self) -> None:
        """Append one of the operators, or a few, whatever the last value is."""
        rng, x = self.rng, self.type
        match int(rng.integers(8)):
            case _ if x.element.bits > 40:
                self.threshold()
            case 0 | 1:
                self.matvec(int(rng.choice([1, 2, 5, 6, 8, 9, 12])))
            case 2 | 3:
                self.threshold()
            case 4:
                self.append(Permute(tuple(map(int, rng.permutation(len(x.shape))))))
            case 5:
                before = self.last
                self.threshold()
                channels = int(rng.choice([1, x.channels]))
                self.append(Add(Const(rng.integers(-9, 10, size=(2, channels)))), before)
            case 6 if x.channels > 2:
                self.append(TopK(int(rng.integers(2, x.channels + 1))))
            case _:
                self.append(Reshape((x.size,) if rng.integers(2) else x.shape[::-1]))

    def image(self) -> None:
        """Append an operator on images, or a staircase that brings its sums down to few bits."""
        x = self.type
        if x.channels > 12:
            self.matvec(int(self.rng.integers(1, 6)))
        elif x.element.bits > 12 or self.rng.integers(4) == 0:
            self.threshold(steps=int(self.rng.integers(1, 16)))
        elif self.rng.integers(8) == 0 and x.element.bits < 8:
            before = self.last
            self.threshold()
            self.append(Add(Const(self.rng.integers(-3, 4, size=(2, 1)))), before)
        else:
            is_small = max(x.shape[:-1]) < 4
            self.append(random_image_op(self.rng, x, grows=is_small))

    def matvec(self, rows: int, values: tuple[int, ...] | None = None) -> str:
        values = WEIGHTS[self.rng.integers(len(WEIGHTS))] if values is None else values
        matrix = self.rng.choice(values, size=(rows, self.type.channels))
        return self.append(MatVec(Const(matrix)))


def image_graph(seed: int, most: int = 7) -> Graph:
    """Return a chain of convolutions, pools and staircases over an image of one or two axes."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, most + 1, int(rng.choice([1, 2, 2])))
    shape = (*sizes.tolist(), int(rng.integers(1, 5)))
    net = Chain(rng, TensorType(TYPES[rng.integers(len(TYPES))], shape))
    for _ in range(int(rng.integers(3, 8))):
        net.image()
    if rng.integers(2):
        net.append(Reshape((net.type.size,)))
        net.matvec(int(rng.integers(2, 8)))
    if net.type.element.bits > 24 or isinstance(net.nodes[-1].op, Reshape):
        net.threshold()
    return net.graph


def random_values(rng: np.random.Generator, tensor: TensorType, count: int) -> IntArray:
    """Return frames of ``tensor``; the first two are its extremes."""
    codes = rng.integers(tensor.element.count, size=(count, prod(tensor.shape)), dtype=np.int64)
    codes[0], codes[1] = 0, tensor.element.count - 1
    values: IntArray = codes * tensor.element.step + tensor.element.lo
    return values.reshape(count, *tensor.shape)


def random_plan(rng: np.random.Generator, graph: Graph, word_bits: int = 64) -> Plan:
    """Return a plan of legal foldings, drawn until it is legal as a whole."""
    plan = Plan(unfolded_plan(graph).graph, unfolded_plan(graph).foldings, {}, word_bits)
    for name in plan.foldings:
        drawn = Folding(int(rng.choice(legal_values(graph, name)["pe"])))
        drawn = replace(drawn, simd=int(rng.choice(legal_choices(graph, name, drawn).simd)))
        pixels = legal_choices(graph, name, drawn).pixels
        if len(pixels) > 1 and rng.integers(3):
            drawn = replace(drawn, pixels=int(rng.choice(pixels)))
        comparisons = legal_choices(graph, name, drawn).comparison
        drawn = replace(drawn, comparison=comparisons[rng.integers(len(comparisons))])
        choices = legal_choices(graph, name, drawn)
        memory = choices.memory[rng.integers(len(choices.memory))]
        multiplier = choices.multiplier[rng.integers(len(choices.multiplier))]
        drawn = replace(drawn, memory=memory, multiplier=multiplier)
        candidate = plan.with_folding(name, drawn)
        try:
            check_plan(graph, candidate)
        except PlanError:
            continue
        plan = candidate
    return plan


def in_pixels(rng: np.random.Generator, graph: Graph, plan: Plan) -> Plan:
    """Return ``plan`` with several pixels a cycle wherever that is legal."""
    for name in processes_of(graph):
        whole = Folding(legal_values(graph, name)["pe"][-1])
        for simd in legal_choices(graph, name, whole).simd[::-1]:
            folding = replace(plan.foldings[name], pe=whole.pe, simd=simd)
            pixels = [n for n in legal_choices(graph, name, folding).pixels if n > 1]
            if not pixels:
                continue
            wide = plan.with_folding(name, replace(folding, pixels=int(rng.choice(pixels))))
            try:
                check_plan(graph, wide)
            except PlanError:
                continue
            plan = wide
            break
    return plan


def simulated(
    graph: Graph,
    plan: Plan,
    directory: Path,
    *,
    images: int = 6,
    bounded: bool = False,
    unit_limit: int = 99,
) -> csim.CSim:
    """Write the project of ``graph``, compile it, and compare every value with the reference."""
    lowered = lower(graph)
    rng = np.random.default_rng(1)
    inputs = {name: random_values(rng, tensor, images) for name, tensor in lowered.inputs.items()}
    values = run(lowered, inputs)
    golden = Golden(inputs, {name: values[name] for name in lowered.outputs})
    write_project(
        lowered, plan, name="net", golden=golden, directory=directory, unit_limit=unit_limit
    )
    assert [str(problem) for problem in check_project(directory)] == []
    simulation = csim.build(directory, bounded=bounded, compiler="g++")
    for name, traced in simulation.trace(inputs).items():
        wrong = np.argwhere(traced != values[name])
        assert wrong.size == 0, f"{name}{wrong[0].tolist()} differs, folded {plan.foldings}"
    return simulation


Agree = Callable[..., csim.CSim]


@pytest.fixture
def chain() -> Callable[[int, TensorType], Chain]:
    return lambda seed, tensor: Chain(np.random.default_rng(seed), tensor)


@pytest.fixture
def draw_plan() -> Callable[..., Plan]:
    return random_plan


@pytest.fixture
def agree(tmp_path: Path) -> Agree:
    """Return ``agree(graph, plan)``: compile, and compare every value with the reference."""
    if shutil.which("g++") is None:
        pytest.skip("needs g++")

    def compare(
        graph: Graph, plan: Plan, *, images: int = 6, bounded: bool = False, unit_limit: int = 99
    ) -> csim.CSim:
        directory = tmp_path / f"project{len(list(tmp_path.iterdir()))}"
        return simulated(
            graph, plan, directory, images=images, bounded=bounded, unit_limit=unit_limit
        )

    return compare
