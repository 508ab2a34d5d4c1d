"""Pools and depthwise sums of all taps at once, of one window a cycle or of several."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lutloom.codegen import check_plan, lower
from lutloom.codegen.costs.processes import process_cost
from lutloom.codegen.fifos import fifo_depths
from lutloom.codegen.folding import check_folding, legal_choices, unfolded_plan
from lutloom.codegen.kernels import KERNELS, Site
from lutloom.codegen.schedules import process_schedule
from lutloom.codegen.streams import Wiring, processes_of, site_of
from lutloom.core.errors import PlanError
from lutloom.core.graph import Graph, Node
from lutloom.core.ops import Conv, MaxPool, SumPool
from lutloom.core.plan import Folding
from lutloom.core.types import BIPOLAR, Const, IntType, TensorType
from tests.codegen.costs.test_processes import DEVICE
from tests.windows import SIDE_BY_SIDE

if TYPE_CHECKING:
    from collections.abc import Callable

    from lutloom.core.op import Op
    from lutloom.core.plan import Plan

CHANNELS = 2


def ops_of(kind: str, rng: np.random.Generator, element: IntType) -> list[tuple[Op, int]]:
    """Return an operator for each kind of windows, and pixels; those that see no pixel are left."""
    found: list[tuple[Op, int]] = []
    first = ("max_pool", "sum_pool", "depthwise").index(kind)
    for index, (kernel, stride, dilation, pads, pixels) in enumerate(SIDE_BY_SIDE[first % 2 :: 2]):
        op: Op
        if kind == "max_pool":
            op = MaxPool(kernel, stride, dilation, pads)
        elif kind == "sum_pool":
            op = SumPool(kernel, stride, dilation, pads)
        else:
            values = [(-1, 1), (-3, 3), (0, 1, 5), tuple(range(-8, 8))][index % 4]
            weights = Const(rng.choice(values, (*kernel, 1, CHANNELS)))
            fill = (0, element.hi, element.lo)[index % 3]
            op = Conv(weights, stride, dilation, pads, (1, 1), CHANNELS, fill)
        try:
            op.infer(TensorType(element, (5, 8, CHANNELS)))
        except TypeError:
            continue
        found.append((op, pixels))
    assert len(found) > 5
    return found


def all_at_once(kind: str, element: IntType, *, several: bool) -> tuple[Graph, Plan]:
    """Return windows of all kinds over one image, with ``several`` pixels a cycle or one."""
    ops = ops_of(kind, np.random.default_rng(3), element)
    names = tuple(f"y{index}" for index in range(len(ops)))
    nodes = [Node((name,), op, ("x",)) for name, (op, _) in zip(names, ops, strict=True)]
    graph = lower(Graph({"x": TensorType(element, (5, 8, CHANNELS))}, tuple(nodes), names))
    plan = unfolded_plan(graph)
    for name, (_, pixels) in zip(names, ops, strict=True):
        op: Any = processes_of(graph)[name].op
        folding = Folding(CHANNELS, op.windows.taps, pixels=pixels if several else 1)
        multiplier = legal_choices(graph, name, folding).multiplier[-1]
        plan = plan.with_folding(name, replace(folding, multiplier=multiplier))
    check_plan(graph, plan)
    return graph, replace(plan, fifos=fifo_depths(Wiring(graph, plan)))


@pytest.mark.parametrize(
    ("kind", "element", "several"),
    [
        ("max_pool", IntType(-8, 7), True),
        ("sum_pool", IntType(-3, 3, 2), True),
        ("depthwise", BIPOLAR, True),
        ("depthwise", IntType(-4, 3), False),
    ],
)
def test_all_taps_of_windows_agree(
    kind: str, element: IntType, several: bool, agree: Callable[..., Any]
) -> None:
    graph, plan = all_at_once(kind, element, several=several)
    agree(graph, plan, images=3, bounded=kind == "sum_pool")


@pytest.mark.parametrize("kind", ["max_pool", "sum_pool", "depthwise"])
def test_a_frame_takes_its_words_and_a_constant(kind: str) -> None:
    graph, plan = all_at_once(kind, IntType(0, 3), several=True)
    for name, node in processes_of(graph).items():
        if node.op.name != kind:
            continue
        found, folding = site_of(graph, node), plan.foldings[name]
        kernel, pixels = KERNELS[kind], folding.pixels
        schedule = process_schedule(found, folding)
        assert schedule.iterations == kernel.cycles(found, folding)
        (lanes_in,), (lanes_out,) = kernel.lanes(found, folding)
        assert lanes_in == CHANNELS * pixels
        assert len(schedule.positions(0)) == 5 * 8 // pixels
        assert len(schedule.positions(1)) * lanes_out == found.outputs[0].size
        assert kernel.operators(found, folding) == lanes_out * folding.simd
        alone = kernel.cycles(found, replace(folding, pixels=1))
        assert schedule.iterations < alone
        if kind == "depthwise" and folding.simd > 1:
            assert alone <= kernel.cycles(found, Folding(CHANNELS))


def found(op: Op, shape: tuple[int, ...]) -> Site:
    x = TensorType(IntType(0, 3), shape)
    return Site(op, (x,), op.infer(x))


def test_all_taps_are_there_with_all_channels_alone() -> None:
    pool = MaxPool((2, 2), (2, 2), (1, 1), (0,) * 4)
    site, kernel = found(pool, (8, 8, 4)), KERNELS["max_pool"]
    assert kernel.legal(site, Folding(2)).simd == (1,)
    assert kernel.legal(site, Folding(4)).simd == (1, 4)
    assert kernel.legal(site, Folding(4)).pixels == (1,)
    assert kernel.legal(site, Folding(4, 4)).pixels == (1, 2, 4, 8)
    # Two pixels a cycle of each second row are windows.
    assert kernel.cycles(site, Folding(4, 4, pixels=2)) == 8 * 8 // 2
    message = (
        r"^p: simd is 4, but all taps are at work at once only with all channels: use one of \[1\]$"
    )
    with pytest.raises(PlanError, match=message):
        check_folding("p", site, Folding(2, 4))
    with pytest.raises(PlanError, match=r"^p: pixels is 2, but several are only taken whole, "):
        check_folding("p", site, Folding(4, 1, pixels=2))


def test_what_pixels_take_grows_with_them() -> None:
    for op in (
        MaxPool((3, 3), (1, 1), (1, 1), (1,) * 4),
        SumPool((3, 3), (1, 1), (1, 1), (1,) * 4),
    ):
        site = found(op, (16, 16, 4))
        luts = [
            process_cost(site, Folding(4, 9, pixels=n), DEVICE).resources.lut for n in (1, 2, 4, 8)
        ]
        assert luts == sorted(luts)
        assert 3 * luts[0] < luts[3] < 10 * luts[0]
