"""Plans that are faster than a pixel a cycle, and their C++."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lutloom.boards.device import Device, Family
from lutloom.codegen import lower
from lutloom.codegen.assembly import make_design
from lutloom.codegen.folding import WORD_BITS
from lutloom.codegen.planning import Budget, fastest_plan, least_plan
from lutloom.codegen.streams import processes_of
from lutloom.codegen.timing import IDEAL, PESSIMISTIC
from lutloom.core.ops import Conv, MaxPool, Reshape
from lutloom.core.types import Const, IntType, TensorType
from lutloom.sim.cycles import CycleModel
from lutloom.sim.reference import run
from tests.codegen.conftest import Chain, random_values, simulated

if TYPE_CHECKING:
    from pathlib import Path

    from lutloom.core.graph import Graph

ZU7EV = Device(Family.ULTRASCALE_PLUS, 230400, 460800, 624, 96, 1728)


def network() -> Graph:
    """Return two convolutions of a few channels, pools that overlap or not, and a product."""
    net = Chain(np.random.default_rng(0), TensorType(IntType(0, 3), (8, 16, 2)))
    for inputs, pool in (
        (2, MaxPool((2, 2), (2, 2), (1, 1), (0, 0, 0, 0))),
        (4, MaxPool((3, 3), (2, 2), (1, 1), (1, 1, 0, 0))),
    ):
        weights = Const(net.rng.choice((-1, 1), (3, 3, inputs, 4)))
        net.append(Conv(weights, (1, 1), (1, 1), (1, 1, 1, 1), (1, 1), 1, 0))
        net.count(IntType(0, 3))
        net.append(pool)
    net.append(Reshape((net.type.size,)))
    net.matvec(3, (-1, 1))
    return lower(net.graph)


def test_the_fastest_plan_takes_several_pixels_a_cycle(tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    graph = network()
    plan = fastest_plan(graph, Budget(ZU7EV), word_bits=WORD_BITS)
    several = {
        node.op.name
        for name, node in processes_of(graph).items()
        if plan.plan.foldings[name].pixels > 1
    }
    assert several == {"window", "matvec", "threshold", "max_pool"}
    # An image is 128 pixels.
    assert plan.cycles < 128 // 4
    model = CycleModel.of(make_design(graph, plan.plan, name="net"))
    assert model.run(IDEAL).interval == plan.cycles
    # Pipelines that are emptied between images cost what they cost however few the cycles are.
    assert model.run(PESSIMISTIC).interval > plan.cycles
    simulation = simulated(graph, plan.plan, tmp_path / "bounded", images=3, bounded=True)
    inputs = random_values(np.random.default_rng(2), graph.inputs["x"], 5)
    expected = run(graph, {"x": inputs})[graph.outputs[0]]
    for seed in range(3):
        assert np.array_equal(simulation.run(inputs, adversary=seed), expected)


def test_a_target_within_a_pixel_a_cycle_is_met_as_cheaply_as_before() -> None:
    graph, budget = network(), Budget(ZU7EV)
    shares = [least_plan(graph, budget, cycles=n).share for n in (2000, 300, 100, 50, 30)]
    assert shares == sorted(shares)
    slow = least_plan(graph, budget, cycles=2000).plan
    assert all(folding.pixels == 1 for folding in slow.foldings.values())
