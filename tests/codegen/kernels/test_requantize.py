from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.codegen.kernels import KERNELS, Site
from lutloom.codegen.kernels.kernel import PRODUCTS
from lutloom.core.graph import Graph, Node
from lutloom.core.multiply_shift import shifted
from lutloom.core.ops.requantize import Requantize, digits
from lutloom.core.plan import Folding, Multiplier, Plan
from lutloom.core.text import graph_digest
from lutloom.core.types import BIPOLAR, Const, IntType, TensorType
from tests.graphs import rounding_flags

if TYPE_CHECKING:
    from collections.abc import Callable


def exact(values: list[int]) -> Any:  # noqa: ANN401 - an array of objects
    return np.array(values, dtype=object)


@st.composite
def sites(draw: st.DrawFn, *, most_values: int = 40) -> Site:
    lo = draw(st.integers(-30, 30))
    step = draw(st.integers(1, 3))
    x = IntType(lo, lo + step * draw(st.integers(0, most_values)), step)
    channels = draw(st.integers(1, 4))

    def some(least: int, most: int) -> list[int]:
        count = draw(st.sampled_from([1, channels]))
        return draw(st.lists(st.integers(least, most), min_size=count, max_size=count))

    lowest, highest = some(-20, 5), some(5, 20)
    op = Requantize(
        digits(exact(some(-50, 50))),
        digits(exact(some(-300, 300))),
        draw(st.integers(0, 6)),
        Const(lowest),
        Const(highest),
        *rounding_flags(draw(st.integers(0, 3))),
    )
    tensor = TensorType(x, (2, channels))
    return Site(op, (tensor,), op.infer(tensor))


@given(sites())
def test_the_tables_are_the_operator_on_every_code(site: Site) -> None:
    x, channels = site.inputs[0].element, site.inputs[0].channels
    values = np.arange(x.lo, x.hi + 1, x.step)
    (expected,) = site.op.reference(np.repeat(values[:, np.newaxis], channels, axis=1))
    code = KERNELS["requantize"].code(site, Folding())
    tables = {table.name: table.data.reshape(-1) for table in code.tables}
    sums = x.encode(values)[:, np.newaxis] * tables["multipliers"] + tables["biases"]
    assert int(np.abs(sums).max()).bit_length() < int(str(code.facts["sum_bits"]))
    levels = shifted(sums, site.op.shift, site.op.rounding)
    levels = np.clip(levels, tables["lowest"], tables["highest"])
    assert (np.broadcast_to(levels, expected.shape) == expected).all()


def ramps(channels: int, shift: int, *, way: int, shared: bool = False) -> Requantize:
    rng = np.random.default_rng(channels + shift)
    count = 1 if shared else channels
    multipliers = rng.integers(-(2**shift), 2**shift, size=count)
    half = 1 << (shift - 1)
    if way:
        multipliers = multipliers // half * half // 2
    biases = rng.integers(-40, 40, size=count) * half
    bound = 1 << 11
    return Requantize(
        Const(multipliers[:, np.newaxis]),
        Const(biases[:, np.newaxis]),
        shift,
        Const([-bound]) if shared else Const(rng.integers(-bound, -1, size=channels)),
        Const([bound - 1]),
        *rounding_flags(way),
    )


def test_products_agree_however_they_are_folded(
    chain: Callable[..., Any], draw_plan: Callable[..., Any], agree: Callable[..., Any]
) -> None:
    net = chain(11, TensorType(IntType(-(2**13), 2**13 - 1), (5, 6)))
    net.append(ramps(6, 12, way=0))
    net.append(ramps(6, 9, way=1))
    net.append(ramps(6, 2, way=2))
    net.append(ramps(6, 3, way=3))
    net.threshold(IntType(-9, 9, 3), steps=3)
    net.append(ramps(6, 4, way=1, shared=True))
    net.threshold(BIPOLAR, steps=1)
    net.append(Requantize(Const([[2**50]]), Const([[-(2**49)]]), 46, Const([-7]), Const([8])))
    net.append(Requantize(Const([[-3]]), Const([[5]]), 0, Const([-40]), Const([40])))
    # Sums of 88 bits, in digits: with negative numbers, and with one digit beside two.
    factors = digits(exact([3**52, -(5**35), 7, -1, 2**75, -(2**63)]))
    net.append(Requantize(factors, Const([[-(2**60)]]), 78, Const([-(2**9)]), Const([2**9])))
    net.append(Requantize(Const([[9]]), digits(exact([-(3**56)])), 79, Const([-99]), Const([8])))
    plan = draw_plan(np.random.default_rng(7), net.graph)
    assert {plan.foldings[name].pe for name in plan.foldings} != {1}
    agree(net.graph, plan)


@pytest.mark.parametrize("multiplier", PRODUCTS)
def test_every_multiplier_is_legal_and_named_in_the_sources(multiplier: Multiplier) -> None:
    op = ramps(4, 8, way=0)
    x = TensorType(IntType(0, 255), (4,))
    graph = Graph({"x": x}, (Node(("act",), op, ("x",)),), ("act",))
    plan = Plan(graph_digest(graph), {"act": Folding(2, multiplier=multiplier)})
    site = Site(op, (x,), op.infer(x))
    assert multiplier in KERNELS["requantize"].legal(site, plan.foldings["act"]).multiplier
    code = KERNELS["requantize"].code(site, plan.foldings["act"])
    assert code.facts["multiplier"] == f"{multiplier.value.capitalize()}Multiplier"
