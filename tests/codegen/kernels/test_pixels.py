"""Several pixels a cycle: wide ones say the same, and the C++ computes it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.boards.loader import load_board
from lutloom.codegen import lower
from lutloom.codegen.costs.processes import process_cost
from lutloom.codegen.folding import check_folding, legal_choices, unfolded_plan
from lutloom.codegen.kernels import KERNELS, Site
from lutloom.codegen.kernels.matvec import starts_of
from lutloom.codegen.kernels.pixels import widened
from lutloom.codegen.schedules import process_schedule
from lutloom.codegen.streams import processes_of, site_of
from lutloom.core.errors import PlanError
from lutloom.core.op import Op
from lutloom.core.ops import Add, BorderThreshold, Duplicate, MatVec, Multiply, Reshape
from lutloom.core.plan import Folding, Plan, parse_plan, print_plan
from lutloom.core.types import BIPOLAR, Const, IntType, TensorType
from tests.codegen.conftest import WEIGHTS, Chain, in_pixels, random_values
from tests.graphs import integers, random_requantize, random_threshold

if TYPE_CHECKING:
    from collections.abc import Callable

    from lutloom.core.graph import Graph


DEVICE = load_board("pynq_z1").device


def random_border_threshold(rng: np.random.Generator, x: TensorType) -> BorderThreshold:
    """Return staircases by classes of rows and columns, or of one of the two."""
    height, width, _ = x.shape
    rows, columns = int(rng.integers(1, 3)), int(rng.integers(1, 4))
    channels, steps = int(rng.choice([1, x.channels])), int(rng.integers(1, 3))
    table = np.sort(rng.integers(-9, 10, (rows, columns, channels, steps)), axis=-1)
    classes = [
        rng.integers(count, size=size) if count > 1 or rng.integers(2) else np.zeros(1, np.int64)
        for count, size in ((rows, height), (columns, width))
    ]
    return BorderThreshold(
        Const(table),
        integers(rng, -4, 4, rows, columns, channels),
        integers(rng, -2, 2, rows, columns, channels, int(rng.choice([1, steps]))),
        Const(classes[0]),
        Const(classes[1]),
    )


def random_elementwise(rng: np.random.Generator, x: TensorType) -> Op:
    match int(rng.integers(6)):
        case 0:
            return random_threshold(rng, x)
        case 1:
            return random_requantize(rng, x)
        case 2:
            return Add(integers(rng, -3, 3, 2, int(rng.choice([1, x.channels]))))
        case 3:
            return Multiply()
        case 4:
            return Duplicate(2)
    return random_border_threshold(rng, x)


@given(st.integers(0, 2**32 - 1))
def test_a_wide_pixel_says_what_its_pixels_say(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = tuple(int(size) for size in rng.integers(1, 7, 3))
    x = TensorType(IntType(-8, 7), shape)
    op = random_elementwise(rng, x)
    ins = (x,) * (2 if isinstance(op, Add | Multiply) else 1)
    found = Site(op, ins, op.infer(*ins))
    pixels = int(rng.choice([n for n in range(1, shape[1] + 1) if shape[1] % n == 0]))
    wide, folding = widened(found, Folding(x.channels, pixels=pixels))
    assert (folding.pe, folding.pixels) == (pixels * x.channels, 1)
    assert all(t.channels == folding.pe for t in (*wide.inputs, *wide.outputs))
    values = [random_values(rng, tensor, 3) for tensor in ins]
    expected = op.reference(*values)
    there = [v.reshape(3, *t.shape) for v, t in zip(values, wide.inputs, strict=True)]
    for y, wanted in zip(wide.op.reference(*there), expected, strict=True):
        assert (y.reshape(wanted.shape) == wanted).all()


@given(st.integers(0, 2**32 - 1))
def test_what_is_counted_of_several_pixels_is_that_of_a_wide_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = tuple(int(size) for size in rng.integers(1, 7, 3))
    x = TensorType(IntType(-8, 7), shape)
    op = random_elementwise(rng, x)
    ins = (x,) * (2 if isinstance(op, Add | Multiply) else 1)
    found, kernel = Site(op, ins, op.infer(*ins)), KERNELS[op.name]
    pixels = int(rng.choice([n for n in range(1, shape[1] + 1) if shape[1] % n == 0]))
    for form in kernel.legal(found, Folding(x.channels, pixels=pixels)).comparison:
        several = Folding(x.channels, comparison=form, pixels=pixels)
        wide, one = widened(found, several)
        for fact in (kernel.lanes, kernel.cycles, kernel.operators, kernel.weight_bits):
            assert fact(found, several) == fact(wide, one)
        settled = kernel.settled(wide, one)
        assert kernel.settled(found, several).comparison is settled.comparison
        legal, alone = kernel.legal(found, several), kernel.legal(wide, one)
        for what in ("memory", "multiplier", "comparison"):
            assert getattr(legal, what) == getattr(alone, what)
        assert process_cost(found, several, DEVICE) == process_cost(wide, one, DEVICE)


def elementwise(seed: int) -> Graph:
    """Return processes that work channel by channel, of every kind and form."""
    rng = np.random.default_rng(seed)
    net = Chain(rng, TensorType(IntType(-8, 7), (3, 4, 3)))
    for steps in (3, 20):
        before = net.last
        net.count(IntType(0, steps))
        net.append(random_border_threshold(rng, net.type))
        net.threshold(IntType(-4, 3))
        net.append(Multiply(), before)
        net.append(random_requantize(rng, net.type))
        net.append(Reshape((4, 3, 3) if steps > 3 else (2, 6, 3)))
        net.threshold(IntType(-4, 3))
        net.append(Add(Const(rng.integers(-3, 4, (2, 3)))), net.last)
        net.threshold(IntType(-8, 7))
        net.append(Reshape((3, 4, 3)))
    return lower(net.graph)


@pytest.mark.parametrize("bounded", [False, True])
def test_pixels_of_a_word_agree(bounded: bool, agree: Callable[..., Any]) -> None:
    graph = elementwise(1)
    rng = np.random.default_rng(2)
    plan = in_pixels(rng, graph, unfolded_plan(graph, word_bits=128))
    for name, node in processes_of(graph).items():
        forms = legal_choices(graph, name, plan.foldings[name]).comparison
        form = forms[int(rng.integers(len(forms)))]
        plan = plan.with_folding(name, replace(plan.foldings[name], comparison=form))
        assert plan.foldings[name].pixels > 1, node.op.name
    agree(graph, plan, images=3, bounded=bounded)


def bordered(rng: np.random.Generator, x: TensorType, rows: int, values: tuple[int, ...]) -> MatVec:
    """Return a product with something added by place, or everywhere, or nothing."""
    height, width, channels = x.shape
    matrix = Const(rng.choice(values, (rows, channels)))
    kinds = (1, 1), (3, 1), (1, 2), (2, 3)
    down, right = kinds[int(rng.integers(4))]
    classes = (
        rng.integers(count, size=size) if count > 1 else np.zeros(1, np.int64)
        for count, size in ((down, height), (right, width))
    )
    return MatVec(matrix, 1, integers(rng, -3, 3, down, right, rows), *map(Const, classes))


def products(seed: int) -> Graph:
    """Return products of all kinds, whose starts differ by place."""
    rng = np.random.default_rng(seed)
    net = Chain(rng, TensorType(BIPOLAR, (3, 4, 3)))
    for values in WEIGHTS:
        for element in (BIPOLAR, IntType(-3, 3, 2), IntType(-4, 3), IntType(0, 7)):
            net.append(bordered(rng, net.type, int(rng.integers(1, 4)), values))
            if rng.integers(2):
                net.threshold(element)
            if net.type.element.bits > 12:
                net.threshold(IntType(0, 15))
    return net.graph


def test_products_of_several_pixels_agree(agree: Callable[..., Any]) -> None:
    graph = products(3)
    rng = np.random.default_rng(0)
    plan = in_pixels(rng, graph, unfolded_plan(graph))
    starts, packed = set(), 0
    for name, node in processes_of(graph).items():
        folding, found = plan.foldings[name], site_of(graph, node)
        assert folding.pixels in {2, 4}
        if isinstance(node.op, MatVec):
            multipliers = legal_choices(graph, name, folding).multiplier
            multiplier = multipliers[-1]
            packed += multiplier.value.startswith("packed")
            plan = plan.with_folding(name, replace(folding, multiplier=multiplier))
            starts.add(starts_of(found, folding).values.shape[:2])
            iterations = process_schedule(found, folding).iterations
            assert iterations == KERNELS["matvec"].cycles(found, folding) == 12 // folding.pixels
    assert len(starts) > 3
    assert packed > 3
    agree(graph, plan, images=3)


def test_products_in_groups_and_parts_of_products_have_one_pixel() -> None:
    x = TensorType(IntType(0, 3), (2, 4, 6))
    grouped = MatVec(Const(np.ones((4, 3), np.int64)), 2)
    whole = MatVec(Const(np.ones((4, 6), np.int64)))
    kernel = KERNELS["matvec"]
    for op, folding, pixels in (
        (grouped, Folding(2, 3), (1,)),
        (whole, Folding(2, 6), (1,)),
        (whole, Folding(4, 3), (1,)),
        (whole, Folding(4, 6), (1, 2, 4)),
    ):
        assert kernel.legal(Site(op, (x,), op.infer(x)), folding).pixels == pixels
    site = Site(whole, (x,), whole.infer(x))
    one, two = (Folding(4, 6, pixels=pixels) for pixels in (1, 2))
    assert kernel.operators(site, two) == 2 * kernel.operators(site, one) == 48
    # The weights are there once.
    assert kernel.weight_bits(site, two) == kernel.weight_bits(site, one)


def test_so_many_pixels_take_as_many_times_fewer_cycles() -> None:
    graph = elementwise(0)
    for node in processes_of(graph).values():
        found = site_of(graph, node)
        kernel, channels = KERNELS[node.op.name], found.inputs[0].channels
        one = kernel.cycles(found, Folding(channels))
        for pixels in kernel.legal(found, Folding(channels)).pixels:
            folding = Folding(channels, pixels=pixels)
            assert kernel.cycles(found, folding) * pixels == one
            assert process_schedule(found, folding).iterations * pixels == one
            assert kernel.lanes(found, folding)[0][0] == channels * pixels
            assert kernel.operators(found, folding) in {
                pixels * kernel.operators(found, Folding(channels)),
                1,
            }


def refusal(graph: Graph, name: str, folding: Folding) -> str:
    with pytest.raises(PlanError) as refused:
        check_folding(name, site_of(graph, processes_of(graph)[name]), folding)
    return str(refused.value)


def test_what_is_not_legal_is_said() -> None:
    net = Chain(np.random.default_rng(0), TensorType(IntType(-8, 7), (3, 224, 16)))
    name = net.count(IntType(0, 3))
    graph = net.graph
    assert refusal(graph, name, Folding(8, pixels=2)) == (
        f"{name}: pixels is 2, but several are only taken whole, with the largest pe and simd: use"
        " one of [1]"
    )
    assert refusal(graph, name, Folding(16, pixels=3)).startswith(f"{name}: pixels is 3: use one")
    assert refusal(graph, name, Folding(16, pixels=112)) == (
        f"{name}: with pe 16 and simd 1 of 112 pixels it reads words of 7168 bits, more than 4096"
    )
    assert legal_choices(graph, name, Folding(16, pixels=2)).pe == (16,)


def test_a_plan_says_pixels_where_they_are_several() -> None:
    plan = Plan("ab", {"fc": Folding(2, 3, pixels=4), "fd": Folding(2)})
    text = print_plan(plan)
    assert text.count('"pixels"') == 1
    assert parse_plan(text) == plan
    with pytest.raises(PlanError, match=r"^fc: pixels should be a positive integer, not 0$"):
        parse_plan(text.replace('"pixels": 4', '"pixels": 0'))
