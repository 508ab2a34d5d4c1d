"""What FIFOs lie in: by the rule, by the plan, and in the C++."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.boards.device import Device, Family
from lutloom.codegen import Golden, lower, unfolded_plan, write_project
from lutloom.codegen.assembly import make_design
from lutloom.codegen.fifo_memory import (
    BRAMS_A_URAM,
    LUTS_A_BRAM,
    best_memory,
    block_rams,
    shift_register_luts,
    ultra_rams,
)
from lutloom.codegen.on_device import on_device
from lutloom.codegen.planning import Budget, least_plan
from lutloom.codegen.pragma_check import check_pragmas
from lutloom.codegen.ultra_rams import in_ultra_rams, with_memories, without_block_rams
from lutloom.core.errors import PlanError
from lutloom.core.graph import Graph, Node
from lutloom.core.ops import Add, Conv
from lutloom.core.plan import FifoMemory, Folding, Plan
from lutloom.core.types import Const, IntType, TensorType

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lutloom.codegen.design import Design


def skipping(size: int) -> Graph:
    """An image that waits in a FIFO while most of its lines go through a convolution."""
    image = TensorType(IntType(0, 255), (size, size, 8))
    weights = Const(np.ones((5, 5, 8, 8), np.int64))
    pads = (4, 4, 0, 0)
    conv = Node(("conv",), Conv(weights, (1, 1), (1, 1), pads, (1, 1), 1, 0), ("x",))
    total = Node(("y",), Add(Const([[1], [1]])), ("x", "conv"))
    return lower(Graph({"x": image}, (conv, total), ("y",)))


def sources(graph: Graph, plan: Plan, directory: Path) -> str:
    """Return the C++ of the unit."""
    (tensor,) = graph.inputs.values()
    inputs = np.zeros((1, *tensor.shape), np.int64)
    (output,) = graph.outputs
    golden = Golden(inputs, np.zeros((1, *graph.types[output].shape), np.int64))
    write_project(graph, plan, name="net", golden=golden, directory=directory)
    return (directory / "hls" / "src" / "net_top.cpp").read_text()


@given(st.integers(1, 4096), st.integers(1, 10**6))
def test_memories_hold_what_they_should(bits: int, depth: int) -> None:
    assert block_rams(bits, depth) * 18 * 1024 >= bits * depth
    assert ultra_rams(bits, depth) * 288 * 1024 >= bits * depth
    assert shift_register_luts(bits, depth) * 32 >= bits * depth


@given(st.integers(1, 4096), st.integers(1, 10**6), st.booleans())
def test_the_rule_weighs_look_up_tables_against_rams(bits: int, depth: int, uram: bool) -> None:
    best = best_memory(bits, depth, has_uram=uram)
    luts, brams = shift_register_luts(bits, depth), block_rams(bits, depth)
    assert (best is FifoMemory.SRL) == (luts <= LUTS_A_BRAM * brams)
    if best is FifoMemory.URAM:
        assert uram
        assert ultra_rams(bits, depth) * BRAMS_A_URAM <= brams
    if depth <= 32:
        assert best is FifoMemory.SRL


@pytest.mark.parametrize(
    ("bits", "depth", "best"),
    [(8, 32, "srl"), (64, 33, "srl"), (8, 512, "bram"), (72, 512, "bram"), (72, 4096, "uram")],
)
def test_the_rule_by_examples(bits: int, depth: int, best: str) -> None:
    assert best_memory(bits, depth, has_uram=True).value == best


def test_every_fifo_that_is_deeper_than_the_default_is_bound_in_the_cpp(tmp_path: Path) -> None:
    graph = skipping(16)
    plan = unfolded_plan(graph)
    text = sources(graph, plan, tmp_path)
    bound = dict(re.findall(r"BIND_STORAGE variable=(\w+) type=fifo impl=(\w+)", text))
    depths = dict(re.findall(r"STREAM variable=(\w+) depth=(\d+)", text))
    deep = {name for name, depth in depths.items() if int(depth) > 2}
    assert set(bound) == deep - {"last"}
    assert "bram" in bound.values()
    assert check_pragmas(text, file="net_top.cpp") == []


@pytest.mark.parametrize("memory", [m for m in FifoMemory if m is not FifoMemory.AUTO])
def test_the_plan_says_where_a_fifo_lies(memory: FifoMemory, tmp_path: Path) -> None:
    graph = skipping(8)
    plan = replace(unfolded_plan(graph), fifo_memories={"x/copy1": memory, "conv": memory})
    text = sources(graph, plan, tmp_path)
    for name in ("x_copy0_out1", "conv_out"):
        assert f"BIND_STORAGE variable={name} type=fifo impl={memory.value}" in text
    assert check_pragmas(text, file="net_top.cpp") == []


def placed(
    place: Callable[[Design, Plan, int], Plan], graph: Graph, plan: Plan, urams: int
) -> Plan:
    """Return what ``place`` does, having checked that the design follows."""
    design = make_design(graph, plan, name="net")
    found = place(design, plan, urams)
    assert with_memories(design, found) == make_design(graph, found, name="net")
    return found


def test_large_fifos_lie_in_the_ultra_rams_that_a_device_has() -> None:
    graph = skipping(128)
    plan = unfolded_plan(graph).with_folding("x/copy0", Folding(8))
    plan = replace(plan, fifos={"x/copy1": 40_000, "x/copy0": 60_000})
    assert placed(in_ultra_rams, graph, plan, 0) == plan
    assert dict(placed(in_ultra_rams, graph, plan, 100).fifo_memories) == {
        "x/copy0": FifoMemory.URAM,
        "x/copy1": FifoMemory.URAM,
    }
    few = ultra_rams(64, 60_000)
    assert dict(placed(in_ultra_rams, graph, plan, few).fifo_memories) == {
        "x/copy0": FifoMemory.URAM
    }
    bound = replace(plan, fifo_memories={"x/copy0": FifoMemory.BRAM})
    assert dict(placed(in_ultra_rams, graph, bound, 100).fifo_memories) == {
        "x/copy0": FifoMemory.BRAM,
        "x/copy1": FifoMemory.URAM,
    }


def test_where_block_rams_run_out_smaller_fifos_lie_in_ultra_rams_too() -> None:
    graph = skipping(128)
    plan = replace(unfolded_plan(graph), fifos={"x/copy1": 4000, "x/copy0": 9000})
    assert placed(in_ultra_rams, graph, plan, 100) == plan
    assert dict(placed(without_block_rams, graph, plan, 4).fifo_memories) == {
        "x/copy0": FifoMemory.URAM,
        "x/copy1": FifoMemory.URAM,
    }
    assert dict(placed(without_block_rams, graph, plan, 1).fifo_memories) == {
        "x/copy1": FifoMemory.URAM
    }
    assert placed(without_block_rams, graph, plan, 0) == plan
    bound = replace(plan, fifo_memories={"x/copy0": FifoMemory.URAM, "x/copy1": FifoMemory.BRAM})
    assert placed(without_block_rams, graph, bound, 100) == bound


@pytest.mark.parametrize(("brams", "moved"), [(20, set()), (4, {"x/copy0", "x/copy1"})])
def test_the_planner_takes_ultra_rams_for_fifos_where_block_rams_run_out(
    brams: int, moved: set[str]
) -> None:
    graph = skipping(128)
    device = Device(Family.ULTRASCALE_PLUS, 53200, 106400, brams, 96, 220)
    planned = least_plan(graph, Budget(device), cycles=1_000_000)
    assert dict(planned.plan.fifo_memories) == dict.fromkeys(moved, FifoMemory.URAM)
    assert planned.cost.total.resources.bram18 <= brams
    assert on_device(graph, planned.plan, device) == planned.plan


def test_ultra_rams_that_a_device_has_not_are_refused() -> None:
    graph = skipping(8)
    plan = replace(unfolded_plan(graph), fifo_memories={"x/copy1": FifoMemory.URAM})
    message = (
        r"^fifos: the memory of x/copy1 is 'uram', but the device has 0 UltraRAMs: use one of"
        r" \['auto', 'srl', 'lutram', 'bram'\]$"
    )
    with pytest.raises(PlanError, match=message):
        placed(in_ultra_rams, graph, plan, 0)
    assert placed(in_ultra_rams, graph, plan, 5).fifo_memories["x/copy1"] is FifoMemory.URAM


def test_a_memory_of_no_stream_is_refused() -> None:
    graph = skipping(8)
    plan = replace(unfolded_plan(graph), fifo_memories={"nobody": FifoMemory.BRAM})
    with pytest.raises(PlanError, match=r"^fifos: there is no stream nobody: use one of "):
        make_design(graph, plan, name="net")
