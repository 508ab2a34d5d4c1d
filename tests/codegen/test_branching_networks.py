"""Random graphs that fork and meet: the C++ equals the reference, and no design stops.

FIFOs are as deep as a plan says, images come back to back. A share of what
``benchmarks/chains.py --branches`` runs at length.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lutloom.codegen import default_plan, lower
from lutloom.codegen.assembly import make_design
from lutloom.codegen.timing import IDEAL, PESSIMISTIC, STALLING
from lutloom.sim.cycles import CycleModel
from lutloom.sim.reference import run
from tests.codegen.branching import branching_graph
from tests.codegen.conftest import random_plan, random_values
from tests.sim.test_cycles import largest, planned

if TYPE_CHECKING:
    from collections.abc import Callable

    from lutloom.core.graph import Graph
    from lutloom.core.plan import Plan


def drawn_plan(graph: Graph, seed: int) -> Plan:
    """Return a plan with foldings at random, and the FIFOs that these need."""
    return planned(graph, random_plan(np.random.default_rng(seed), graph))


def test_graphs_have_every_way_to_fork_and_to_meet() -> None:
    graphs = [lower(branching_graph(seed)) for seed in range(20)]
    kinds = Counter(node.op.name for graph in graphs for node in graph.nodes)
    assert {"add", "multiply", "concat", "matmul", "upsample", "split", "lookup"} <= set(kinds)
    assert {"window", "depthwise", "max_pool", "sum_pool", "permute", "duplicate"} <= set(kinds)
    assert sum(len(graph.nodes) > 40 for graph in graphs) >= 5


@pytest.mark.parametrize(
    ("seed", "unit_limit"),
    [(1, 99), *(pytest.param(*at, marks=pytest.mark.thorough) for at in ((14, 4), (22, 6)))],
)
def test_branches_agree_with_the_fifos_of_a_plan(
    seed: int, unit_limit: int, agree: Callable[..., Any]
) -> None:
    graph = lower(branching_graph(seed))
    plan = drawn_plan(graph, seed)
    simulation = agree(graph, plan, bounded=True, unit_limit=unit_limit, images=3)
    images = random_values(np.random.default_rng(seed), graph.inputs["x"], 5)
    expected = run(graph, {"x": images})[graph.outputs[0]]
    for adversary in range(3):
        assert np.array_equal(simulation.run(images, adversary=adversary), expected)


@pytest.mark.parametrize("seed", [*range(10), 16, 29])
def test_branches_go_on_however_long_the_pipelines_are(seed: int) -> None:
    """Without any, FIFOs hold all that waits: one matrix of a product for the other."""
    graph = lower(branching_graph(seed, most=5 if seed < 10 else 6))
    plans = [default_plan(graph, cycles=200)]
    if len(graph.nodes) < 100:
        plans.append(drawn_plan(graph, seed))
    for plan in plans:
        design = make_design(graph, plan, name="net")
        for timing in (IDEAL, PESSIMISTIC, STALLING):
            # Windows that begin in the padding lose some cycles more.
            assert CycleModel.of(design).run(timing).interval <= largest(design) * 1.05 + 20
