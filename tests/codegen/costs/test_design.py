"""Costs of designs: all that is in one is counted, once, and the slowest of it is named."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from lutloom.boards.board import Shell
from lutloom.boards.loader import list_boards, load_board
from lutloom.codegen import default_plan, largest_plan, lower
from lutloom.codegen.assembly import make_design
from lutloom.codegen.costs.design import DesignCost, Kind, design_cost
from lutloom.codegen.costs.edges import converter_cost, fifo_cost
from lutloom.codegen.costs.processes import process_cost
from lutloom.codegen.costs.resources import Confidence, Confidences, Cost, total
from lutloom.codegen.costs.shell import shell_cost
from lutloom.codegen.design import Design
from lutloom.codegen.kernels.convert import converter
from lutloom.core.plan import FifoMemory, Memory
from lutloom.core.types import BIPOLAR, IntType, TensorType
from tests.codegen.conftest import Chain, image_graph, random_plan

DEVICE = load_board("pynq_z1").device


def random_design(seed: int) -> Design:
    graph = lower(image_graph(seed))
    plan = random_plan(np.random.default_rng(seed), graph)
    return make_design(graph, plan, name="net", unit_limit=3)


@pytest.mark.parametrize("seed", range(8))
def test_all_that_is_in_a_design_is_counted_once(seed: int) -> None:
    design = random_design(seed)
    cost = design_cost(design, DEVICE)
    units = design.units
    there = {
        Kind.PROCESS: [(u.top, p.name) for u in units for p in u.processes],
        Kind.CONVERTER: [(u.top, c.arguments[1]) for u in units for c in u.calls if c.converter],
        Kind.FIFO: [(u.top, f.identifier) for u in units for f in u.fifos]
        + [(u.top, token) for u in units for token in u.tokens],
        Kind.PORT: [(u.top, b.argument) for u in units for b in u.borders],
    }
    for kind in Kind:
        assert Counter((i.unit, i.name) for i in cost.of(kind)) == Counter(there[kind])
    assert cost.total == total(cost.sum(kind) for kind in Kind)
    by_process = {
        p.name: process_cost(p.site, p.folding, DEVICE) for u in units for p in u.processes
    }
    assert cost.processes == by_process


@pytest.mark.parametrize("seed", range(8))
def test_the_slowest_of_a_design_is_what_takes_most_cycles(seed: int) -> None:
    design = random_design(seed)
    slowest = design_cost(design, DEVICE).slowest
    cycles = [p.cycles for unit in design.units for p in unit.processes]
    cycles += [c.converter.cycles for u in design.units for c in u.calls if c.converter]
    cycles += [border.beats for border in design.borders.values()]
    assert slowest.cycles == max(cycles)


def test_784_bytes_on_a_port_of_64_bits_take_98_cycles_whatever_is_behind_it() -> None:
    net = Chain(np.random.default_rng(0), TensorType(IntType(0, 255), (784,)))
    net.count(BIPOLAR)
    net.matvec(64, (-1, 1))
    net.count(BIPOLAR)
    graph = lower(net.graph)
    design = make_design(graph, largest_plan(graph, word_bits=64), name="tfc")
    cost = design_cost(design, DEVICE)
    # So that at 100 MHz there are 1.02 million images a second at most.
    assert (cost.slowest.kind, cost.slowest.name, cost.slowest.cycles) == (Kind.PORT, "s_axis", 98)


@pytest.mark.parametrize("memory", [m for m in FifoMemory if m is not FifoMemory.AUTO])
def test_a_deeper_fifo_takes_no_less(memory: FifoMemory) -> None:
    for bits in (1, 7, 32, 64):
        costs = [fifo_cost(bits, d, memory, DEVICE).resources for d in (2, 16, 64, 600, 5000)]
        for less, more in pairwise(costs):
            assert all(less.named()[name] <= more.named()[name] for name in less.named())


def test_a_gearbox_is_dearer_than_a_converter_of_whole_words() -> None:
    def taken(ins: int, outs: int) -> int:
        found = converter(ins, outs, 64 * 63)
        assert found is not None
        return converter_cost(found, DEVICE).resources.lut

    assert taken(64, 32) < taken(64, 28)
    assert taken(32, 64) < taken(28, 64)


def test_nothing_is_certain_that_the_tool_may_choose() -> None:
    graph = lower(image_graph(3))
    plan = default_plan(graph, cycles=10**6)
    for memory in (Memory.AUTO, Memory.BRAM):
        foldings = {
            name: replace(folding, memory=memory)
            for name, folding in plan.foldings.items()
            if name.endswith("window")
        }
        bound = replace(plan, foldings={**plan.foldings, **foldings})
        cost = design_cost(make_design(graph, bound, name="net"), DEVICE)
        for name in foldings:
            certain = cost.processes[name].confidences.bram18
            assert (certain is Confidence.EXACT) == (memory is Memory.BRAM)


def test_a_part_alone_has_no_shell_and_another_board_has_room_for_it() -> None:
    for board in list_boards():
        none, two = (shell_cost(board, streams, 64) for streams in (0, 2))
        if board.shell is Shell.NONE:
            assert none == two == Cost()
            continue
        assert two.confidences == Confidences(*[Confidence.UNCALIBRATED] * 5)
        assert none.resources.lut < two.resources.lut < board.device.lut // 5
        assert two.resources.bram18 < board.device.bram18 // 5


def test_a_design_of_nothing_costs_nothing() -> None:
    assert DesignCost(()).total == Cost()
