"""Channels that a plan adds: no integer of the network changes, and what can't grow is refused."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lutloom.boards.device import Device, Family
from lutloom.codegen import check_plan, lower, unfolded_plan
from lutloom.codegen.assembly import make_design
from lutloom.codegen.channel_groups import channel_groups
from lutloom.codegen.fifos import fifo_depths
from lutloom.codegen.folding import settled_plan, slowest
from lutloom.codegen.on_device import on_device
from lutloom.codegen.padding import folded_back, laid_out, most_channels, padded
from lutloom.codegen.streams import Wiring
from lutloom.core.errors import PlanError
from lutloom.core.graph import Graph, Node
from lutloom.core.ops import MatVec, MaxPool, Permute, Requantize, Reshape, TopK
from lutloom.core.plan import Folding, Plan, parse_plan, print_plan
from lutloom.core.types import BIPOLAR, Const, IntType, TensorType
from lutloom.sim.reference import run
from tests.codegen.branching import branching_graph
from tests.codegen.conftest import Chain, image_graph, random_plan, random_values

if TYPE_CHECKING:
    from collections.abc import Callable

    from lutloom.core.types import IntArray


def random_chain(seed: int) -> Graph:
    """Return a network of vectors or of images, as the tests of other passes draw them."""
    rng = np.random.default_rng(seed)
    if seed % 3:
        return image_graph(seed) if seed % 3 == 1 else branching_graph(seed)
    net = Chain(rng, TensorType(IntType(0, 3), (int(rng.integers(1, 14)),)))
    for _ in range(6):
        net.anything()
    return net.graph


def random_channels(rng: np.random.Generator, graph: Graph) -> dict[str, int]:
    """Return more channels for some of the groups that can have more."""
    free = [group for group in channel_groups(graph).values() if group.obstacle is None]
    return {
        group.name: int(rng.integers(group.channels, most_channels(group.channels) + 1))
        for group in free
        if rng.integers(3)
    }


def filled(graph: Graph, wide: Graph, inputs: dict[str, IntArray]) -> dict[str, IntArray]:
    """Return ``inputs`` with elements of code 0 added, as the host fills its transfers up."""
    found = {}
    for name, values in inputs.items():
        element, size = graph.inputs[name].element, wide.inputs[name].size
        nothing = element.lo if element.is_offset_coded else 0
        flat = values.reshape(len(values), -1)
        rest = np.full((len(values), size - flat.shape[1]), nothing)
        both = np.concatenate([flat, rest], axis=1)
        found[name] = both.reshape(len(values), *wide.inputs[name].shape)
    return found


def check_padded(graph: Graph, channels: dict[str, int]) -> None:
    """Compare all values of ``graph`` with those of the padded one."""
    wide = padded(graph, channels)
    rng = np.random.default_rng(0)
    inputs = {name: random_values(rng, tensor, 4) for name, tensor in graph.inputs.items()}
    wanted, found = run(graph, inputs), run(wide, filled(graph, wide, inputs))
    for name, group in channel_groups(graph).items():
        count = channels.get(name, group.channels)
        for value in group.values:
            rows = found[value].reshape(4, -1, count)
            real = rows[..., : group.channels].reshape(wanted[value].shape)
            assert (real == wanted[value]).all(), value
            if value in graph.outputs:
                assert not rows[..., group.channels :].any(), value


def test_a_padded_network_computes_the_same_integers() -> None:
    seen: Counter[str] = Counter()
    for seed in range(60):
        graph = lower(random_chain(seed))
        channels = random_channels(np.random.default_rng(seed), graph)
        check_padded(graph, channels)
        grown = {value for name in channels for value in channel_groups(graph)[name].values}
        seen.update(n.op.name for n in graph.nodes if grown.intersection(n.inputs + n.results))
    wanted = {"matvec", "threshold", "window", "depthwise", "add", "duplicate"}
    assert wanted <= set(seen)


def wide_plan(rng: np.random.Generator, graph: Graph, *, word_bits: int = 64) -> Plan:
    """Return a random plan that adds channels."""
    channels = random_channels(rng, graph)
    while True:
        plan = replace(unfolded_plan(graph, word_bits=word_bits), channels=channels)
        try:
            wide, _ = laid_out(graph, plan)
        except PlanError:  # an input or output that takes more transfers then
            channels = dict(list(channels.items())[1:])
            continue
        return folded_back(plan, random_plan(rng, wide, word_bits))


def test_the_compiled_design_of_a_padded_plan_computes_the_same_integers(
    agree: Callable[..., Any],
) -> None:
    rng = np.random.default_rng(1)
    graph = lower(random_chain(1))
    while not (plan := wide_plan(rng, graph)).channels:
        graph = lower(random_chain(int(rng.integers(1000))))
    agree(graph, plan)


def test_a_padded_design_of_two_units_keeps_its_rate_with_bounded_fifos(
    agree: Callable[..., Any],
) -> None:
    rng = np.random.default_rng(5)
    graph = lower(mixed())
    plan = replace(unfolded_plan(graph), channels={"matvec0": 8, "matvec5": 9})
    wide, _ = laid_out(graph, plan)
    laid = random_plan(rng, wide)
    plan = folded_back(plan, replace(laid, fifos=fifo_depths(Wiring(wide, laid))))
    simulation = agree(graph, plan, bounded=True, unit_limit=3)
    inputs = random_values(rng, graph.inputs["x"], 20)
    wanted = run(graph, {"x": inputs})[graph.outputs[0]]
    for adversary in range(3):
        assert (simulation.run(inputs, adversary=adversary) == wanted).all()


def mixed() -> Graph:
    """Return a network with what random ones seldom have: wide quantizers, moves of pixels."""
    rng = np.random.default_rng(1)
    net = Chain(rng, TensorType(IntType(0, 3), (2, 3, 4)))
    net.matvec(5, (-2, -1, 0, 1))
    net.append(Permute((1, 0, 2)))
    rows = [[3, 5, -2, 7, 1], [1, 2, 3, 4, 5], [0, -1, -2, 0, 0], [7, 6, 5, 7, 3]]
    multipliers, biases, lowest, highest = (np.array(row) for row in rows)
    net.append(
        Requantize(
            Const(multipliers[:, np.newaxis]),
            Const(biases[:, np.newaxis]),
            2,
            Const(lowest),
            Const(highest),
        )
    )
    net.append(MaxPool((2, 2), (1, 1), (1, 1), (0, 0, 0, 0)))
    net.append(Reshape((10,)))
    net.matvec(7, (-1, 0, 1))
    net.append(Requantize(Const([[3]]), Const([[1]]), 3, Const([-3]), Const([3])))
    return net.graph


def test_wide_quantizers_and_moves_of_pixels_grow() -> None:
    graph = lower(mixed())
    (inner,) = (g for g in channel_groups(graph).values() if g.name == "matvec0")
    assert (inner.channels, inner.obstacle) == (5, None)
    assert [graph.producers[name].op.name for name in inner.values] == [
        *("matvec", "permute", "requantize", "max_pool", "reshape"),
    ]
    for extra in (1, 2, 9):
        names = ("matvec0", graph.nodes[-2].name)
        check_padded(graph, {name: graph.types[name].channels + extra for name in names})


def perceptron(inputs: TensorType, *, rows: int = 5, outputs: int = 10) -> Graph:
    """Return two products of whole numbers, with a staircase between them."""
    rng = np.random.default_rng(0)
    net = Chain(rng, inputs)
    net.matvec(rows, (-2, -1, 0, 1))
    net.threshold(IntType(0, 3))
    net.matvec(outputs, (-2, -1, 0, 1))
    return net.graph


@pytest.mark.parametrize(
    ("inputs", "channels", "message"),
    [
        ((IntType(0, 3), (7,)), {"y": 8}, r"^channels: there is no value y: use one of \['x', 'm"),
        (
            (IntType(0, 3), (7,)),
            {"threshold1": 8},
            r"^channels: threshold1 has the channels of matvec0: name that one instead$",
        ),
        (
            (IntType(0, 3), (7,)),
            {"matvec0": 17},
            r"^channels: matvec0 has 5, and should have 17: use one from 5 to 16$",
        ),
        (
            (IntType(0, 3), (7,)),
            {"matvec0": 4},
            r"^channels: matvec0 has 5, and should have 4: use one from 5 to 16$",
        ),
        (
            (IntType(0, 255), (7,)),
            {"x": 9},
            r"^channels: x has 7 of 8 bits, which the host has in 1 transfer of 64 bits; 9 don't"
            r" fit: use at most 8$",
        ),
        (
            (IntType(0, 3), (2, 7)),
            {"x": 8},
            r"^channels: x can't have more than 7: x is an input of \[2, 7\], which the host has"
            r" pixel by pixel; leave it out$",
        ),
        (
            (IntType(0, 3), (2, 7)),
            {"matvec2": 12},
            r"^channels: matvec2 can't have more than 10: matvec2 is an output of \[2, 10\], whi",
        ),
        (
            (IntType(1, 3), (7,)),
            {"x": 8},
            r"^channels: x can't have more than 7: 0, which the host fills up with, is not among"
            r" its int<1..3>; leave it out$",
        ),
    ],
)
def test_channels_that_are_not_legal_say_what_is(
    inputs: tuple[IntType, tuple[int, ...]], channels: dict[str, int], message: str
) -> None:
    graph = perceptron(TensorType(*inputs))
    plan = replace(unfolded_plan(graph), channels=channels)
    with pytest.raises(PlanError, match=message):
        check_plan(graph, plan)


def test_what_tells_channels_apart_keeps_them() -> None:
    graph = perceptron(TensorType(IntType(0, 3), (7,)))
    ranked = Graph(graph.inputs, (*graph.nodes, Node(("y",), TopK(1), ("matvec2",))), ("y",))
    (group,) = (g for g in channel_groups(ranked).values() if g.name == "matvec2")
    assert group.obstacle == "y, a top_k, tells them apart by their number"
    none = Graph({"x": TensorType(BIPOLAR, (2, 3))}, (Node(("y",), TopK(1), ("x",)),), ("y",))
    with pytest.raises(PlanError, match=r"^channels: there is no value z, and none that can have"):
        padded(none, {"z": 4})


def test_a_plan_that_adds_channels_is_one_of_the_graph_without_them() -> None:
    graph = perceptron(TensorType(IntType(0, 3), (7,)))
    plan = replace(unfolded_plan(graph), channels={"matvec0": 6})
    check_plan(graph, plan)
    check_plan(graph, parse_plan(print_plan(plan)))
    wide, laid = laid_out(graph, plan)
    assert wide.types["threshold1"].shape == (6,)
    check_plan(wide, laid)
    assert folded_back(plan, laid) == plan
    with pytest.raises(PlanError, match=r"^the plan is for the graph .*, but this is .*: make a"):
        check_plan(wide, plan)
    with pytest.raises(ValueError, match=r"^a plan that adds channels should be laid out first$"):
        Wiring(graph, plan)
    with pytest.raises(PlanError, match=r"^matvec0: pe is 5: use one of \[1, 2, 3, 6\]$"):
        check_plan(graph, plan.with_folding("matvec0", Folding(5, 1)))


def test_a_plan_keeps_its_channels_where_it_is_completed() -> None:
    graph = perceptron(TensorType(IntType(0, 3), (7,)))
    start = replace(unfolded_plan(graph), channels={"matvec0": 6})
    start = start.with_folding("matvec0", Folding(3, 1))
    device = Device(Family.ZYNQ_7000, 53200, 106400, 280, 0, 220)
    for plan in (settled_plan(graph, start), on_device(graph, start, device)):
        assert (plan.graph, plan.channels, plan.word_bits) == (start.graph, start.channels, 64)
        assert plan.foldings["matvec0"].pe == 3
        check_plan(graph, plan)
    # Six rows, three at a time, of seven columns.
    assert slowest(graph, start.with_folding("matvec2", Folding(10, 6))) == ("matvec0", 14)


def test_the_ports_of_a_padded_design_are_those_of_the_model() -> None:
    graph = perceptron(TensorType(IntType(0, 255), (7,)))
    plain = unfolded_plan(graph)
    wide = replace(plain, channels={"x": 8, "matvec0": 8, "matvec2": 12})
    before, behind = (make_design(graph, plan, name="net") for plan in (plain, wide))
    assert (before.inputs, before.outputs) == (behind.inputs, behind.outputs)
    sizes = [
        {name: (b.axis_bits, b.beats) for name, b in design.borders.items()}
        for design in (before, behind)
    ]
    assert sizes[0] == sizes[1]
    ops = [process.site.op for process in behind.units[0].processes]
    matrices = [op.matrix.shape for op in ops if isinstance(op, MatVec)]
    assert matrices == [(8, 8), (12, 8)]
