from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.codegen import (
    check_plan,
    default_plan,
    largest_plan,
    legal_values,
    lower,
    unfolded_plan,
)
from lutloom.codegen.folding import FEWEST_CYCLES, PRODUCT_BITS, default_cycles
from lutloom.codegen.kernels import KERNELS
from lutloom.codegen.streams import Wiring, site_of
from lutloom.core.errors import PlanError
from lutloom.core.graph import Graph, Node
from lutloom.core.ops import Add, Conv, MatVec, MaxPool, Threshold, TopK
from lutloom.core.plan import Comparison, Folding, Memory, Multiplier, Plan
from lutloom.core.types import BIPOLAR, Const, IntType, TensorType

if TYPE_CHECKING:
    from collections.abc import Callable


def net(widths: tuple[int, ...], levels: IntType = BIPOLAR) -> Graph:
    nodes: list[Node] = []
    last = "x"
    for index, (columns, rows) in enumerate(pairwise(widths)):
        matrix = np.random.default_rng(index).choice([-1, 1], size=(rows, columns))
        nodes.append(Node((f"fc{index}",), MatVec(Const(matrix)), (last,)))
        base, deltas = Const(np.full(rows, levels.lo)), Const(np.full((rows, 1), levels.step))
        op = Threshold(Const(np.zeros((rows, levels.count - 1), np.int64)), base, deltas)
        nodes.append(Node((f"act{index}",), op, (f"fc{index}",)))
        last = f"act{index}"
    nodes.append(Node(("class",), TopK(1), (last,)))
    return Graph({"x": TensorType(levels, widths[:1])}, tuple(nodes), ("class",))


TFC = net((784, 64, 64, 64, 10))


@pytest.mark.parametrize("plan", [unfolded_plan, default_plan, largest_plan])
@pytest.mark.parametrize(
    "graph", [TFC, net((7, 11, 5), IntType(-2, 1)), net((3072, 1024, 1024), IntType(0, 3))]
)
def test_automatic_plans_are_legal(plan: Callable[[Graph], Plan], graph: Graph) -> None:
    check_plan(graph, plan(graph))


@given(st.integers(1, 60000))
def test_the_default_plan_keeps_the_cycles_where_it_can(cycles: int) -> None:
    plan = default_plan(TFC, cycles=cycles)
    largest = largest_plan(TFC)
    for node in TFC.nodes:
        kernel, site = KERNELS[node.op.name], site_of(TFC, node)
        taken = kernel.cycles(site, plan.foldings[node.name])
        assert taken <= max(cycles, kernel.cycles(site, largest.foldings[node.name]))


def test_plans_of_ones_and_largest_ones_are_what_they_say() -> None:
    unfolded = set(unfolded_plan(TFC).foldings.values())
    assert unfolded == {Folding(), Folding(comparison=Comparison.PARALLEL)}
    foldings = largest_plan(TFC).foldings
    assert foldings["fc1"] == Folding(64, 64)
    assert foldings["fc0"].pe * foldings["fc0"].simd == 32 * 112
    assert foldings["class"] == Folding(10)


def test_the_default_plan_gives_cheap_processes_the_words_they_get() -> None:
    plan = default_plan(TFC)
    wiring = Wiring(TFC, plan)
    for stream in wiring.streams:
        if stream.target is not None and stream.target.startswith("act"):
            assert wiring.converter(stream) is None


def folded(name: str, folding: Folding) -> Plan:
    return unfolded_plan(TFC).with_folding(name, folding)


def without(name: str) -> Plan:
    plan = unfolded_plan(TFC)
    return replace(plan, foldings={k: v for k, v in plan.foldings.items() if k != name})


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (
            folded("fc1", Folding(pe=3)),
            "fc1: pe is 3: use one of [1, 2, 4, 8, 16, 32, 64]",
        ),
        (
            folded("fc3", Folding(simd=5)),
            "fc3: simd is 5: use one of [1, 2, 4, 8, 16, 32, 64]",
        ),
        (folded("act0", Folding(simd=2)), "act0: simd is 2: use one of [1]"),
        (
            folded("class", Folding(memory=Memory.BRAM)),
            "class: memory is 'bram': use one of ['auto']",
        ),
        (
            folded("fc1", Folding(multiplier=Multiplier.DSP)),
            "fc1: multiplier is 'dsp': use one of ['auto', 'fabric']",
        ),
        (
            folded("fc0", Folding(64, 784)),
            "fc0: with pe 64 and simd 784 it reads weights in words of 50176 bits, more than 4096",
        ),
        (
            folded("fc9", Folding()),
            "the plan has an entry for fc9, but there is no such process: use fc0, act0, "
            "fc1, act1, fc2, act2, fc3, act3, class",
        ),
        (without("act2"), "the plan has no entry for the process act2"),
        (
            replace(unfolded_plan(TFC), word_bits=48),
            "word_bits is 48: use one of [8, 16, 32, 64, 128, 256, 512, 1024]",
        ),
        (
            replace(unfolded_plan(TFC), fifos={"fc7": 3}),
            "fifos: there is no stream fc7: use one of x, fc0, act0, fc1, act1, "
            "fc2, act2, fc3, act3, class",
        ),
        (
            replace(unfolded_plan(TFC), fifos={"fc1": 0}),
            "the depth of fc1 is 0: use one from 1 to 268435456",
        ),
        (
            replace(unfolded_plan(TFC), fifos={"fc1": 10**30}),
            f"the depth of fc1 is 1{'0' * 30}: use one from 1 to 268435456",
        ),
    ],
)
def test_a_plan_that_does_not_fit_is_refused_with_what_does(plan: Plan, message: str) -> None:
    with pytest.raises(PlanError) as caught:
        check_plan(TFC, plan)
    assert str(caught.value) == message


def test_a_plan_for_another_graph_is_refused() -> None:
    other = unfolded_plan(net((8, 4)))
    with pytest.raises(PlanError, match=r"^the plan is for the graph \w{20}, but this is \w{20}: "):
        check_plan(TFC, other)


def test_a_converter_beyond_the_word_limit_is_refused() -> None:
    graph = net((4000, 1), IntType(0, 1))
    plan = unfolded_plan(graph).with_folding("fc0", Folding(1, 4000))
    plan = replace(plan, word_bits=1024)
    with pytest.raises(
        PlanError,
        match=r"^x is written in words of 1024 bits and read in words of 4000: the converter "
        r"between them needs 4992 bits, more than 4096; choose pe and simd so that ",
    ):
        check_plan(graph, plan)


def test_legal_values_are_listed_by_process() -> None:
    assert legal_values(TFC, "fc3") == {
        "pe": (1, 2, 5, 10),
        "simd": (1, 2, 4, 8, 16, 32, 64),
    }
    with pytest.raises(PlanError, match=r"^the plan has an entry for fc9, but there is no such"):
        legal_values(TFC, "fc9")


def image_net(channels: int, outputs: int, size: int) -> Graph:
    """A convolution, a staircase and a pool."""
    rng = np.random.default_rng(0)
    weights = Const(rng.integers(-1, 2, size=(3, 3, channels, outputs)))
    steps = Threshold(Const([[0]]), Const([0]), Const([[1]]))
    nodes = (
        Node(("conv",), Conv(weights, (1, 1), (1, 1), (1, 1, 1, 1), (1, 1), 1, 0), ("x",)),
        Node(("act",), steps, ("conv",)),
        Node(("pool",), MaxPool((2, 2), (2, 2), (1, 1), (0, 0, 0, 0)), ("act",)),
    )
    return lower(Graph({"x": TensorType(IntType(0, 3), (size, size, channels))}, nodes, ("pool",)))


@pytest.mark.parametrize("cycles", [2_000, 5_000, 20_000, 100_000, 400_000])
def test_windows_give_the_words_that_their_product_reads(cycles: int) -> None:
    graph = image_net(16, 24, 12)
    plan = default_plan(graph, cycles=cycles)
    window, product = plan.foldings["conv/window"], plan.foldings["conv"]
    assert window.simd == product.simd
    taken = 144 * (24 // product.pe) * (144 // product.simd)
    assert taken <= cycles
    # One tap at a time is fast enough. No less parallel product keeps to the cycles.
    choices = [(pe, simd) for pe in (1, 2, 3, 4, 6, 8, 12, 24) for simd in (1, 2, 4, 8, 16)]
    assert product.pe * product.simd == min(
        pe * simd for pe, simd in choices if 144 * (24 // pe) * (144 // simd) <= cycles
    )


def test_the_cycles_that_are_aimed_at_follow_from_the_products() -> None:
    assert default_cycles(TFC) == FEWEST_CYCLES
    # Products of 2 bits with 2 bits, which count as 6.
    products = 64 * 64 * 9 * 64 * 64
    graph = image_net(64, 64, 64)
    assert default_cycles(graph) == -(-products * 6 // PRODUCT_BITS)
    kernel, name = KERNELS["matvec"], "conv"
    (node,) = (node for node in graph.nodes if node.name == name)
    taken = kernel.cycles(site_of(graph, node), default_plan(graph).foldings[name])
    assert default_cycles(graph) / 2 <= taken <= default_cycles(graph)


@pytest.mark.parametrize("plan", [unfolded_plan, default_plan, largest_plan])
def test_automatic_plans_of_images_are_legal(plan: Callable[[Graph], Plan]) -> None:
    for graph in (image_net(3, 5, 7), image_net(256, 512, 8), image_net(1, 1, 2)):
        check_plan(graph, plan(graph))


def test_fifos_are_deep_where_a_vector_waits_and_where_branches_meet() -> None:
    graph = net((64, 64, 64), IntType(0, 3))
    plan = unfolded_plan(graph)
    # The next vector of fc1 waits while this one is multiplied with all rows.
    assert 2 < plan.fifos["act0"] <= 64 + 2
    square = image_net(2, 2, 6)
    image = square.inputs["x"]
    conv = next(node for node in square.nodes if node.name == "conv")
    window = next(node for node in square.nodes if node.name == "conv/window")
    around = Node(("sum",), Add(Const([[1], [1]])), ("conv", "x"))
    met = lower(Graph({"x": image}, (window, conv, around), ("sum",)))
    # A line of six pixels and a little more wait for the first window, but not the whole image.
    assert 6 * 2 <= unfolded_plan(met).fifos["x/copy1"] < 36 * 2


def test_fifos_hold_windows_only_where_their_product_would_wait_for_pixels() -> None:
    # With that stride most of the cycles go into pixels that no window sees: meanwhile the product
    # has to work.
    for stride, is_waiting in (((5, 4), True), ((1, 1), False)):
        weights = Const(np.ones((2, 2, 4, 4), np.int64))
        conv = Conv(weights, stride, (1, 1), (0, 0, 0, 0), (1, 1), 1, 0)
        image = TensorType(IntType(0, 3), (15, 15, 4))
        graph = lower(Graph({"x": image}, (Node(("conv",), conv, ("x",)),), ("conv",)))
        assert ("conv/window" in unfolded_plan(graph).fifos) == is_waiting
