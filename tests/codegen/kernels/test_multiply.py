from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.codegen import lower
from lutloom.codegen.kernels import KERNELS, Site
from lutloom.codegen.kernels.bilinear import Bilinear, wrapped
from lutloom.core.graph import Graph, Node
from lutloom.core.ops import MatMul, Multiply
from lutloom.core.plan import Folding, Multiplier
from lutloom.core.types import BIPOLAR, IntType, TensorType
from tests.codegen.conftest import TYPES

if TYPE_CHECKING:
    from collections.abc import Callable

    from lutloom.core.types import IntArray

KERNEL = KERNELS["multiply"]
SIGNS_OF_3 = IntType(-3, 3, 6)


def site(a: IntType, b: IntType, *shape: int) -> Site:
    inputs = (TensorType(a, shape or (6,)), TensorType(b, shape or (6,)))
    return Site(Multiply(), inputs, Multiply().infer(*inputs))


def values(element: IntType) -> IntArray:
    return np.arange(element.count) * element.step + element.lo


@st.composite
def elements(draw: st.DrawFn) -> IntType:
    lo, step = draw(st.integers(-20, 20)), draw(st.integers(1, 6))
    return IntType(lo, lo + step * draw(st.integers(0, 4)), step)


@given(elements(), elements())
def test_the_coefficients_give_the_code_of_every_product(a: IntType, b: IntType) -> None:
    y = site(a, b).outputs[0].element
    exact = Bilinear.of(a, b, y)
    for left, right in product(values(a), values(b)):
        code_a, code_b = (
            int(element.encode(np.array(value))) for element, value in ((a, left), (b, right))
        )
        code = exact.start + exact.of_a * code_a + exact.of_b * code_b
        assert code + exact.of_both * code_a * code_b == int(y.encode(left * right))


@given(elements(), elements(), st.integers(1, 5))
def test_the_coefficients_of_sums_of_products_are_integers(
    a: IntType, b: IntType, terms: int
) -> None:
    """A quotient that was rounded would show in a sum of the least or of the largest products."""
    vectors = [TensorType(element, (1, terms)) for element in (a, b)]
    y = MatMul().infer(*vectors)[0].element
    exact = Bilinear.of(a, b, y, terms)
    for left, right in product(values(a), values(b)):
        code_a, code_b = (
            int(element.encode(np.array(value))) for element, value in ((a, left), (b, right))
        )
        term = exact.of_a * code_a + exact.of_b * code_b + exact.of_both * code_a * code_b
        assert exact.start + terms * term == int(y.encode(terms * left * right))


@pytest.mark.parametrize(
    ("number", "bits", "left"),
    [(5, 3, -3), (-5, 3, 3), (3, 3, 3), (2**63, 64, -(2**63)), (-1, 64, -1), (8, 1, 0), (1, 1, -1)],
)
def test_numbers_are_wrapped_as_wires_do(number: int, bits: int, left: int) -> None:
    assert wrapped(number, bits) == left
    assert (wrapped(number, bits) - number) % 2**bits == 0


@pytest.mark.parametrize("element", [BIPOLAR, SIGNS_OF_3, IntType(4, 4)])
def test_products_of_signs_are_sums_of_bits(element: IntType) -> None:
    """1 - a - b, modulo 2: what XNOR is."""
    assert KERNEL.legal(site(element, BIPOLAR), Folding()).multiplier == (Multiplier.AUTO,)
    assert KERNEL.code(site(element, BIPOLAR), Folding()).facts["of_both"] == "0"


@pytest.mark.parametrize(
    ("a", "b", "policy"),
    [
        (IntType(0, 255), IntType(-1, 1), "FabricMultiplier"),
        (IntType(0, 255), IntType(-8, 7), "AutoMultiplier"),
    ],
)
def test_products_of_two_bits_are_look_up_tables(a: IntType, b: IntType, policy: str) -> None:
    assert KERNEL.code(site(a, b), Folding()).facts["multiplier"] == policy
    assert KERNEL.code(site(b, a), Folding(multiplier=Multiplier.DSP)).facts["multiplier"] == (
        "DspMultiplier"
    )


def test_cycles_are_words() -> None:
    made = site(BIPOLAR, IntType(0, 3), 2, 5, 6)
    assert KERNEL.legal(made, Folding()).pe == (1, 2, 3, 6)
    assert [KERNEL.cycles(made, Folding(pe)) for pe in (1, 3)] == [60, 20]


def test_products_agree_however_they_are_folded(
    chain: Callable[..., Any], draw_plan: Callable[..., Any], agree: Callable[..., Any]
) -> None:
    rng = np.random.default_rng(8)
    net = chain(8, TensorType(IntType(-8, 7), (2, 6)))
    for first, second in (*rng.choice(len(TYPES), size=(12, 2)), (0, 0), (0, 5), (9, 4), (9, 9)):
        net.threshold(TYPES[first])
        before = net.last
        net.threshold(TYPES[second])
        net.append(Multiply(), before)
    lowered = lower(net.graph)
    agree(lowered, draw_plan(rng, lowered), images=12)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (IntType(-(2**31), 2**31 - 1), IntType(-(2**31), 2**31 - 1)),
        (IntType(0, 2**40), IntType(-(2**22), 0)),
        (IntType(-(2**61) + 3, -(2**61) + 13, 5), IntType(-1, 1)),
        (IntType(-(2**60), 2**60, 2**56), IntType(-3, 7, 5)),
    ],
)
def test_products_of_64_bits_agree(a: IntType, b: IntType, agree: Callable[..., Any]) -> None:
    """One factor is a table's levels of the other's signs and of its own."""
    from lutloom.codegen import unfolded_plan
    from lutloom.core.ops import Threshold
    from lutloom.core.types import Const

    x = TensorType(IntType(-5, 5), (4,))

    def levels(name: str, element: IntType) -> Node:
        rng = np.random.default_rng(len(name))
        codes = np.array([element.count - 1, *rng.integers(element.count, size=9), 0])
        reached = codes * element.step + element.lo
        steps = Const([list(range(-4, 6))])
        op = Threshold(steps, Const(reached[:1]), Const([np.diff(reached).tolist()]))
        return Node((name,), op, ("x",))

    y = Node(("y",), Multiply(), ("a", "ab"))
    graph = lower(Graph({"x": x}, (levels("a", a), levels("ab", b), y), ("y",)))
    agree(graph, unfolded_plan(graph), images=40)
