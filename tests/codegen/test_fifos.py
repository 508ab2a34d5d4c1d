"""Planned depths of FIFOs: long skips, uneven branches, several inputs, any pipelines."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from lutloom.codegen import default_plan, lower, unfolded_plan
from lutloom.codegen.assembly import make_design
from lutloom.codegen.fifos import fifo_depths
from lutloom.codegen.streams import Wiring
from lutloom.codegen.timing import IDEAL, PESSIMISTIC, STALLING, Timing
from lutloom.core.graph import Graph, Node
from lutloom.core.op import Op
from lutloom.core.ops import Add, Concat, Conv, MaxPool, Threshold, Upsample
from lutloom.core.plan import Plan
from lutloom.core.types import Const, IntType, TensorType
from lutloom.sim.cycles import CycleModel
from tests.codegen.branching import branching_graph
from tests.codegen.conftest import random_plan
from tests.sim.test_cycles import largest, planned


@pytest.fixture(autouse=True)
def _compiler() -> None:
    if not any(map(shutil.which, ("g++", "clang++", "c++"))):
        pytest.skip("needs g++")


class Net:
    """An image network under construction, of unsigned numbers of 4 bits between layers."""

    def __init__(self, **inputs: tuple[int, ...]) -> None:
        self.types = {name: TensorType(IntType(0, 15), shape) for name, shape in inputs.items()}
        self.inputs = dict(self.types)
        self.nodes: list[Node] = []

    def add(self, op: Op, *inputs: str) -> str:
        name = f"{op.name}{len(self.nodes)}"
        self.nodes.append(Node((name,), op, inputs))
        (self.types[name],) = op.infer(*(self.types[name] for name in inputs))
        return name

    def quantized(self, op: Op, *inputs: str) -> str:
        steps = Threshold(Const([[*range(1, 16)]]), Const([0]), Const([[1]]))
        return self.add(steps, self.add(op, *inputs))

    def conv(self, source: str, channels: int, kernel: int = 3, stride: int = 1) -> str:
        weights = Const(np.ones((kernel, kernel, self.types[source].channels, channels), np.int64))
        strides, pads = (stride, stride), (kernel // 2,) * 4
        return self.quantized(Conv(weights, strides, (1, 1), pads, (1, 1), 1, 0), source)

    def block(self, source: str, channels: int, stride: int) -> str:
        """Append a residual block, with a convolution around it where it gets smaller."""
        inner = self.conv(self.conv(source, channels, stride=stride), channels)
        around = source if stride == 1 else self.conv(source, channels, kernel=1, stride=stride)
        return self.quantized(Add(Const([[1], [1]])), around, inner)

    def half(self, source: str) -> str:
        return self.add(MaxPool((2, 2), (2, 2), (1, 1), (0, 0, 0, 0)), source)

    def graph(self, *outputs: str) -> Graph:
        return lower(Graph(self.inputs, tuple(self.nodes), outputs))


def unet() -> Graph:
    """Two levels down and up again, with what was seen on the way concatenated."""
    net = Net(x=(16, 16, 2))
    first = net.conv("x", 4)
    second = net.conv(net.half(first), 6)
    deepest = net.conv(net.half(second), 8)
    up = net.add(Concat(2), net.add(Upsample((2, 2, 1)), deepest), second)
    up = net.conv(up, 6)
    up = net.add(Concat(2), net.add(Upsample((2, 2, 1)), up), first)
    return net.graph(net.conv(up, 2))


def uneven() -> Graph:
    """Branches of one, two and six convolutions, concatenated."""
    net = Net(x=(10, 12, 3))
    ends = []
    for length in (1, 2, 6):
        last = "x"
        for _ in range(length):
            last = net.conv(last, 3)
        ends.append(last)
    return net.graph(net.conv(net.add(Concat(2), *ends), 2, kernel=1))


def residuals() -> Graph:
    """Residual blocks, one behind the other, one of them inside of another one."""
    net = Net(x=(9, 9, 4))
    last = "x"
    for _ in range(2):
        inner = net.conv(last, 4)
        inner = net.quantized(Add(Const([[1], [1]])), inner, net.conv(inner, 4))
        last = net.quantized(Add(Const([[1], [1]])), last, net.conv(inner, 4))
    return net.graph(last)


def resnet() -> Graph:
    """Products as slow as all else, whose windows wait for wide words of narrow ones."""
    net = Net(x=(16, 16, 3))
    last = net.conv("x", 4)
    for channels, stride in ((4, 1), (8, 2), (16, 2), (16, 1)):
        last = net.block(last, channels, stride)
    return net.graph(last)


def two_inputs() -> Graph:
    """An image that is filtered thrice, and another one that is added as it is."""
    net = Net(early=(12, 12, 3), late=(12, 12, 3))
    last = "early"
    for _ in range(3):
        last = net.conv(last, 3)
    return net.graph(net.quantized(Add(Const([[1], [1]])), last, "late"), last)


GRAPHS = {
    "unet": unet,
    "uneven": uneven,
    "residuals": residuals,
    "resnet": resnet,
    "two inputs": two_inputs,
}


def pipelines(seed: int, *, stalls: bool) -> Timing:
    """Return a timing whose pipelines are as long as they may be, or shorter, by their kinds."""
    rng = np.random.default_rng(seed)
    stages = {kind: int(rng.integers(most + 1)) for kind, most in PESSIMISTIC.stages.items()}
    return Timing(stages, int(rng.integers(5)), 0 if stalls else int(rng.integers(3)), stalls)


def check_rate(graph: Graph, plan: Plan, seeds: range) -> None:
    """Check that the design keeps the rate of its slowest process, whatever its pipelines."""
    design = make_design(graph, plan, name="net")
    model, slowest = CycleModel.of(design), largest(design)
    timings = [IDEAL, PESSIMISTIC, STALLING]
    timings += [pipelines(seed, stalls=stalls) for seed in seeds for stalls in (False, True)]
    for timing in timings:
        # Windows that begin in the padding lose some cycles more.
        assert model.run(timing).interval <= slowest * 1.05 + 20


@pytest.mark.parametrize("name", GRAPHS)
def test_branches_that_meet_do_not_slow_a_design_down(name: str) -> None:
    graph = GRAPHS[name]()
    rng = np.random.default_rng(0)
    plans = [default_plan(graph, cycles=cycles) for cycles in (1024, 2500)]
    for plan in (*plans, planned(graph, random_plan(rng, graph))):
        check_rate(graph, plan, range(3))


@pytest.mark.parametrize("seed", range(8))
def test_depths_suffice_for_any_pipelines_of_random_graphs(seed: int) -> None:
    graph = lower(branching_graph(seed, most=4))
    check_rate(graph, default_plan(graph, cycles=200), range(seed, seed + 4))


def test_an_input_that_is_wanted_late_does_not_wait_in_a_fifo() -> None:
    graph = two_inputs()
    plan = unfolded_plan(graph)
    lines = 12 * 12 * 3
    # Of 27 words an image.
    assert plan.fifos["late"] < 12
    check_rate(graph, plan, range(1))
    # One that is wanted at once by another reader, too, has to wait in front of the sum.
    net = Net(x=(12, 12, 3))
    last = net.conv(net.conv(net.conv("x", 3), 3), 3)
    whole = net.graph(net.quantized(Add(Const([[1], [1]])), last, "x"))
    assert lines // 6 < unfolded_plan(whole).fifos["x/copy1"] < lines


def test_depths_follow_from_the_foldings_alone() -> None:
    graph = residuals()
    plan = default_plan(graph, cycles=2000)
    starved = replace(plan, fifos={})
    assert fifo_depths(Wiring(graph, starved)) == dict(plan.fifos)
