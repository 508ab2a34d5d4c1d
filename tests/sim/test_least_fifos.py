"""The least depths of FIFOs: one word less fails, and the C++ runs with them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lutloom.codegen import Golden, check_plan, default_plan, lower, write_project
from lutloom.codegen.assembly import make_design
from lutloom.codegen.fifos import DEFAULT_DEPTH, fifo_depths
from lutloom.codegen.streams import Wiring
from lutloom.codegen.timing import IDEAL, PESSIMISTIC, STALLING
from lutloom.sim import csim
from lutloom.sim.cycles import CycleModel
from lutloom.sim.deadlock import DeadlockError
from lutloom.sim.least_fifos import least_fifos
from lutloom.sim.reference import run
from tests.codegen.conftest import image_graph, random_plan, random_values
from tests.sim.test_cycles import around_a_window, branches

if TYPE_CHECKING:
    from pathlib import Path

    from lutloom.core.graph import Graph
    from lutloom.core.plan import Plan


@pytest.fixture(autouse=True)
def _compiler() -> None:
    if not any(map(shutil.which, ("g++", "clang++", "c++"))):
        pytest.skip("needs g++")


def intervals(graph: Graph, plan: Plan) -> list[int] | None:
    """Return the interval in each timing, or None if the design stops in one."""
    model = CycleModel.of(make_design(graph, plan, name="net"))
    try:
        return [model.run(timing).interval for timing in (IDEAL, PESSIMISTIC, STALLING)]
    except DeadlockError:
        return None


def check_least(graph: Graph, plan: Plan) -> Plan:
    """Return the plan of least FIFOs, of which each needs its depth; the interval stays."""
    planned = replace(plan, fifos=fifo_depths(Wiring(graph, plan)))
    wanted = intervals(graph, planned)
    assert wanted is not None
    result = least_fifos(graph, plan)
    check_plan(graph, result.plan)
    assert intervals(graph, result.plan) == wanted
    assert [fifo.value for fifo in result.fifos] == list(planned.fifos)
    for fifo in result.fifos:
        assert result.plan.fifos.get(fifo.value, DEFAULT_DEPTH) <= planned.fifos[fifo.value]
        if fifo.value not in result.plan.fifos:
            continue
        less = {**result.plan.fifos, fifo.value: fifo.depth - 1}
        found = intervals(graph, replace(plan, fifos=less))
        assert (found is None) == fifo.stops
        assert found is None or any(a > b for a, b in zip(found, wanted, strict=True))
    return result.plan


@pytest.mark.parametrize("seed", range(3))
def test_one_word_less_stops_the_design_or_slows_it_down(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = branches(seed)
    check_least(graph, default_plan(graph, cycles=60))
    check_least(graph, random_plan(rng, graph))
    image = lower(image_graph(seed))
    check_least(image, default_plan(image, cycles=300))


def test_the_search_does_not_begin_with_the_depths_of_the_plan() -> None:
    graph = branches(0)
    plan = default_plan(graph, cycles=60)
    starved = replace(plan, fifos=dict.fromkeys(plan.fifos, 1))
    assert least_fifos(graph, starved) == least_fifos(graph, plan)


def test_progress_goes_from_none_to_all() -> None:
    graph = branches(0)
    seen: list[tuple[int, int]] = []
    plan = default_plan(graph, cycles=60)
    least_fifos(graph, plan, on_progress=lambda done, total: seen.append((done, total)))
    count = len(plan.fifos)
    assert seen == [(done, count) for done in range(count + 1)]


def test_the_cpp_withstands_an_adversary_with_the_least_depths(tmp_path: Path) -> None:
    graph = around_a_window(2)
    plan = check_least(graph, default_plan(graph, cycles=60))
    inputs = random_values(np.random.default_rng(0), graph.inputs["x"], 4)
    expected = run(graph, {"x": inputs})[graph.outputs[0]]
    golden = Golden(inputs, expected)
    write_project(graph, plan, name="net", golden=golden, directory=tmp_path)
    compiled = csim.build(tmp_path, bounded=True)
    for seed in range(3):
        assert np.array_equal(compiled.run(inputs, adversary=seed), expected)
