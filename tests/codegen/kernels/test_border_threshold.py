from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.codegen import check_plan, unfolded_plan
from lutloom.codegen.folding import legal_choices, settled_plan
from lutloom.codegen.kernels import KERNELS, Site
from lutloom.codegen.kernels.kernel import CONSTANTS
from lutloom.core.errors import PlanError
from lutloom.core.graph import Graph, Node
from lutloom.core.ops import BorderThreshold
from lutloom.core.plan import Comparison, Folding
from lutloom.core.types import BIPOLAR, Const, IntType, TensorType

if TYPE_CHECKING:
    from collections.abc import Callable

    from lutloom.core.types import IntArray

KERNEL = KERNELS["border_threshold"]


def staircases(
    rng: np.random.Generator,
    x: TensorType,
    classes: tuple[int, int],
    target: IntType,
    steps: int,
    *,
    counts: bool = False,
) -> BorderThreshold:
    """Return staircases for random places; each class has its own, of its own ``steps``."""
    channels = x.channels if rng.integers(3) else 1
    shape = (*classes, channels)
    lo, hi = x.element.lo - 2, x.element.hi + 3
    rows = np.sort(rng.integers(lo, hi, size=(*shape, steps)), axis=-1)
    if counts:
        base = np.full(shape, target.lo)
        deltas = np.full((*shape, 1), target.step)
    else:
        codes = rng.integers(target.count, size=(*shape, steps + 1))
        levels = codes * target.step + target.lo
        base, deltas = levels[..., 0], np.diff(levels, axis=-1)
    places = (1,) * (3 - len(x.shape)) + x.shape[:-1]
    rows_of, columns_of = (
        rng.integers(count, size=size if count > 1 else 1)
        for count, size in zip(classes, places, strict=True)
    )
    return BorderThreshold(
        Const(rows), Const(base), Const(deltas), Const(rows_of), Const(columns_of)
    )


@pytest.mark.parametrize(("seed", "shape"), [(0, (4, 3, 6)), (1, (5, 4))])
def test_staircases_of_all_places_agree_however_they_are_folded(
    seed: int,
    shape: tuple[int, ...],
    chain: Callable[..., Any],
    draw_plan: Callable[..., Any],
    agree: Callable[..., Any],
) -> None:
    rng = np.random.default_rng(seed)
    net = chain(seed, TensorType(IntType(-8, 7), shape))
    rows = 3 if len(shape) == 3 else 1
    for classes, target, steps, counts in (
        ((rows, 3), IntType(-8, 7), 15, True),
        ((1, 2), BIPOLAR, 1, True),
        ((rows, 1), IntType(0, 12, 4), 3, False),
        ((rows, 2), IntType(-3, 3, 2), 3, True),
        ((1, 1), IntType(-8, 7), 4, False),
        ((rows, 3), IntType(0, 255), 20, False),
        ((rows, 3), IntType(0, 30), 30, True),
        ((rows, 2), IntType(5, 5), 2, False),
        ((rows, 2), IntType(-7, -1, 3), 2, False),
    ):
        net.append(staircases(rng, net.type, classes, target, steps, counts=counts))
    graph = net.graph
    agree(graph, draw_plan(np.random.default_rng(seed + 2), graph))


@st.composite
def sites(draw: st.DrawFn) -> Site:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    lo, step = draw(st.integers(-9, 9)), draw(st.integers(1, 3))
    element = IntType(lo, lo + step * draw(st.integers(0, 9)), step)
    shape = draw(st.sampled_from([(2, 3, 2), (4, 1, 4), (1, 1, 1), (3, 2), (5,)]))
    rows, columns = (draw(st.integers(1, 3)) if len(shape) > axis else 1 for axis in (2, 1))
    x = TensorType(element, shape)
    op = staircases(rng, x, (rows, columns), IntType(-4, 4, 2), draw(st.integers(0, 5)))
    return Site(op, (x,), op.infer(x))


def by_tables(site: Site, folding: Folding) -> IntArray:
    """Return what the form ``parallel`` gives for every code at every place, from its tables."""
    code = KERNEL.code(site, folding)
    tables = {table.name: table.data.astype(np.int64) for table in code.tables}
    x, pe = site.inputs[0], folding.pe
    values = np.arange(x.element.lo, x.element.hi + 1, x.element.step)
    codes = x.element.encode(values)
    result = np.zeros((len(values), *x.shape), np.int64)
    row_starts, column_starts = tables["row_starts"], tables["column_starts"]
    for place in np.ndindex(x.shape[:-1]):
        row, column = (0, 0, *place)[-2:]
        first = row_starts[row % len(row_starts)] + column_starts[column % len(column_starts)]
        for channel in range(x.channels):
            fold = first + (0 if code.facts["is_shared"] == "true" else channel // pe)
            lane = channel % pe % tables["thresholds"].shape[1]
            reached = codes[:, np.newaxis] >= tables["thresholds"][fold, lane]
            base: Any = code.facts["base"]
            heights: Any = 1
            if not code.facts["counts_steps"]:
                base, heights = tables["bases"][fold, lane], tables["heights"][fold, lane]
            result[(slice(None), *place, channel)] = base + (reached * heights).sum(axis=1)
    return result


@given(sites(), st.data())
def test_every_place_finds_its_own_staircase(site: Site, data: st.DataObject) -> None:
    x, y = site.inputs[0], site.outputs[0].element
    pe = data.draw(st.sampled_from(KERNEL.legal(site, Folding()).pe))
    values = np.arange(x.element.lo, x.element.hi + 1, x.element.step)
    inputs = np.broadcast_to(values.reshape(-1, *[1] * len(x.shape)), (len(values), *x.shape))
    (expected,) = site.op.reference(inputs)
    found = by_tables(site, Folding(pe, comparison=Comparison.PARALLEL))
    bits = (1 << y.bits) - 1
    assert (found & bits == y.encode(expected) & bits).all()


def test_many_thresholds_are_searched_and_none_are_multiplied() -> None:
    rng = np.random.default_rng(0)
    x = TensorType(IntType(0, 255), (4, 4, 2))
    op = staircases(rng, x, (2, 2), IntType(0, 40), 40, counts=True)
    graph = Graph({"x": x}, (Node(("y",), op, ("x",)),), ("y",))
    plan = settled_plan(graph, unfolded_plan(graph))
    assert plan.foldings["y"].comparison is Comparison.SEARCH
    assert legal_choices(graph, "y", plan.foldings["y"]).memory == CONSTANTS
    wrong = plan.with_folding("y", replace(plan.foldings["y"], comparison=Comparison.MULTIPLY))
    with pytest.raises(
        PlanError,
        match=r"^y: comparison is 'multiply', but staircases that differ along a border are"
        r" compared with, or searched: use one of \['auto', 'parallel', 'search'\]$",
    ):
        check_plan(graph, wrong)


def test_cycles_are_elements_over_pe() -> None:
    rng = np.random.default_rng(0)
    x = TensorType(IntType(0, 3), (4, 5, 6))
    op = staircases(rng, x, (3, 3), IntType(0, 3), 3)
    assert KERNEL.cycles(Site(op, (x,), op.infer(x)), Folding(pe=3)) == 40
