"""Whole networks: the reference and the compiled C++, for several plans, batches and FIFOs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lutloom.codegen import default_plan, largest_plan, lower, unfolded_plan
from lutloom.core.graph import Graph, Node
from lutloom.core.ops import Add, Linear, Reshape, Threshold, TopK
from lutloom.core.types import BIPOLAR, Const, IntType, TensorType
from lutloom.sim.deadlock import DeadlockError
from lutloom.sim.reference import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lutloom.core.plan import Plan


def quantizer(
    rng: np.random.Generator, name: str, source: str, levels: IntType, x: TensorType
) -> Node:
    shape = (x.channels, levels.count - 1)
    rows = np.sort(rng.integers(x.element.lo, x.element.hi + 1, size=shape), axis=1)
    bases, deltas = np.full(x.channels, levels.lo), np.full((x.channels, 1), levels.step)
    return Node((name,), Threshold(Const(rows), Const(bases), Const(deltas)), (source,))


def network(
    seed: int, weights: tuple[int, ...], activations: IntType, input_type: TensorType
) -> Graph:
    """A fully connected net whose input image is flattened on the way."""
    rng = np.random.default_rng(seed)
    flat = int(np.prod(input_type.shape))
    nodes = [Node(("flat",), Reshape((flat,)), ("image",))]
    graph = Graph({"image": input_type}, tuple(nodes), ("flat",))
    last, width = "flat", flat
    for index, outputs in enumerate((14, 12, 10)):
        matrix = Const(rng.choice(weights, size=(width, outputs)))
        nodes.append(Node((f"fc{index}",), Linear(matrix), (last,)))
        graph = Graph({"image": input_type}, tuple(nodes), (f"fc{index}",))
        last, width = f"fc{index}", outputs
        if index < 2:
            name = f"act{index}"
            nodes.append(quantizer(rng, name, last, activations, graph.types[last]))
            last = name
    nodes.append(Node(("classes",), TopK(2), (last,)))
    return Graph({"image": input_type}, tuple(nodes), ("classes",))


def odd_plan(graph: Graph) -> Plan:
    """Return a plan whose edges nearly all need a converter, most of them a gearbox."""
    plan = unfolded_plan(graph)
    for name, (pe, simd) in {
        "fc0": (7, 6),
        "act0": (2, 1),
        "fc1": (4, 7),
        "act1": (3, 1),
        "fc2": (5, 4),
        "classes": (2, 1),
    }.items():
        plan = plan.with_folding(name, replace(plan.foldings[name], pe=pe, simd=simd))
    return plan


BINARY = network(0, (-1, 1), BIPOLAR, TensorType(BIPOLAR, (6, 5)))
TERNARY = network(1, (-1, 0, 1), IntType(-2, 1), TensorType(IntType(0, 255), (4, 3)))


@pytest.mark.parametrize("plan", [unfolded_plan, largest_plan, odd_plan])
def test_a_plan_does_not_change_a_single_integer(
    plan: Callable[[Graph], Plan], agree: Callable[..., Any]
) -> None:
    lowered = lower(BINARY)
    simulation = agree(lowered, plan(lowered), images=5)
    inputs = np.random.default_rng(2).choice([-1, 1], size=(15, 6, 5))
    expected = run(lowered, {"image": inputs})["classes"]
    for batch in (None, 1, 2, 7):
        assert np.array_equal(simulation.run(inputs, batch=batch), expected)


@pytest.mark.parametrize("plan", [odd_plan, largest_plan])
def test_bounded_fifos_of_the_planned_depth_suffice(
    plan: Callable[[Graph], Plan], agree: Callable[..., Any]
) -> None:
    lowered = lower(TERNARY)
    simulation = agree(lowered, plan(lowered), bounded=True)
    inputs = np.random.default_rng(3).integers(256, size=(9, 4, 3))
    expected = run(lowered, {"image": inputs})["classes"]
    for batch in (1, 4):
        assert np.array_equal(simulation.run(inputs, batch=batch), expected)


def branches() -> Graph:
    """x goes around a product and through it, twice, and meets itself again."""
    rng = np.random.default_rng(4)
    x = TensorType(IntType(0, 3), (3, 8))
    nodes: list[Node] = []
    last = "x"
    for index in range(2):
        matrix = Const(rng.integers(-1, 2, size=(8, 8)))
        nodes.append(Node((f"fc{index}",), Linear(matrix), (last,)))
        nodes.append(Node((f"sum{index}",), Add(Const([[1], [3]])), (last, f"fc{index}")))
        last = f"sum{index}"
    return lower(Graph({"x": x}, tuple(nodes), (last,)))


def test_branches_do_not_stop_each_other(agree: Callable[..., Any]) -> None:
    graph = branches()
    agree(graph, unfolded_plan(graph), bounded=True)


def test_a_deadlock_is_reported_with_the_fifos_that_are_full(agree: Callable[..., Any]) -> None:
    graph = branches()
    starved = replace(unfolded_plan(graph), fifos={})
    needs = r"x_copy0_out1 is full \(2 of 2 words\) and should hold 6: make 'x/copy1' 6 deep .*; "
    needs += r"sum0_copy0_out1 is full \(2 of 2 words\) and should hold 6: make 'sum0/copy1' 6 "
    with pytest.raises(DeadlockError, match=rf"^C simulation: deadlock: {needs}"):
        agree(graph, starved, bounded=True)


@pytest.mark.parametrize("bounded", [False, True])
def test_units_joined_by_axi_streams_compute_the_same(
    bounded: bool, agree: Callable[..., Any]
) -> None:
    lowered = lower(TERNARY)
    simulation = agree(lowered, default_plan(lowered, cycles=20), bounded=bounded, unit_limit=2)
    inputs = np.random.default_rng(3).integers(256, size=(5, 4, 3))
    expected = run(lowered, {"image": inputs})["classes"]
    assert np.array_equal(simulation.run(inputs, batch=2), expected)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.thorough)])
def test_random_networks_agree_in_any_plan_with_bounded_fifos_and_small_units(
    seed: int, chain: Callable[..., Any], draw_plan: Callable[..., Any], agree: Callable[..., Any]
) -> None:
    rng = np.random.default_rng(seed)
    net = chain(seed, TensorType(IntType(-3, 3, 2), (2, 3, 4)))
    for _ in range(12):
        net.anything()
    net.threshold()
    lowered = lower(net.graph)
    agree(lowered, draw_plan(rng, lowered, int(rng.choice([8, 32, 128]))))
    agree(lowered, default_plan(lowered, cycles=30), bounded=True, unit_limit=4)


def test_unit_hashes_follow_their_own_contents_only(tmp_path: Path) -> None:
    from lutloom.codegen import Golden, write_project

    lowered = lower(TERNARY)
    inputs = np.zeros((1, 4, 3), np.int64)
    golden = Golden(inputs, run(lowered, {"image": inputs})["classes"])
    plan = default_plan(lowered, cycles=20)
    changed = plan.with_folding("classes", replace(plan.foldings["classes"], pe=10))
    hashes = []
    for index, candidate in enumerate((plan, plan, changed)):
        directory = tmp_path / str(index)
        write_project(
            lowered, candidate, name="net", golden=golden, directory=directory, unit_limit=2
        )
        document = json.loads((directory / "hls" / "design.json").read_text())
        hashes.append([unit["hash"] for unit in document["units"]])
    assert len(hashes[0]) == 3
    assert hashes[0] == hashes[1]
    assert hashes[0][:2] == hashes[2][:2]
    assert hashes[0][2] != hashes[2][2]
