from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.codegen import lower, unfolded_plan
from lutloom.codegen.fifos import fifo_depths
from lutloom.codegen.kernels import KERNELS, Site
from lutloom.codegen.kernels.matmul import Stored
from lutloom.codegen.streams import Wiring
from lutloom.core.graph import Graph, Node
from lutloom.core.ops import MatMul, Reshape
from lutloom.core.plan import Folding, Memory, Multiplier
from lutloom.core.types import BIPOLAR, IntType, TensorType
from tests.codegen.conftest import TYPES
from tests.codegen.kernels.test_multiply import elements, values

if TYPE_CHECKING:
    from collections.abc import Callable

    from lutloom.core.types import IntArray

KERNEL = KERNELS["matmul"]


def site(a: IntType, b: IntType, n: int = 5, m: int = 6, k: int = 4, heads: int = 1) -> Site:
    inputs = (TensorType(a, (heads, n, k)), TensorType(b, (heads, m, k)))
    return Site(MatMul(), inputs, MatMul().infer(*inputs))


def code_of(stored: Stored, a: IntType, codes_a: IntArray, codes_b: IntArray) -> int:
    """Return the code of a sum of products as the loop makes it."""
    weights = stored.weights.decode(stored.base + stored.step * codes_b)
    if a.bits == 1 and not a.is_signed and stored.weights == BIPOLAR:
        products = int(((weights + 1) // 2 == codes_a).sum())
    else:
        products = int((weights * codes_a).sum())
    return stored.rest.start + stored.rest.of_b * int(codes_b.sum()) + stored.factor * products


@given(elements(), elements(), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_stored_weights_and_the_rest_give_the_code_of_every_sum(
    a: IntType, b: IntType, terms: int, seed: int
) -> None:
    y = site(a, b, k=terms).outputs[0].element
    stored = Stored.of(a, b, y, terms)
    rng = np.random.default_rng(seed)
    for _ in range(20):
        left, right = (rng.choice(values(element), terms) for element in (a, b))
        code = code_of(stored, a, a.encode(left), b.encode(right))
        assert code == int(y.encode((left * right).sum()))
    every = stored.weights.decode(stored.base + stored.step * b.encode(values(b)))
    assert stored.weights.holds(every).all()


@pytest.mark.parametrize(
    ("a", "b", "product"),
    [
        (BIPOLAR, BIPOLAR, "xnor"),
        (IntType(0, 1), BIPOLAR, "xnor"),
        (IntType(-3, 3, 6), IntType(-2, 2, 4), "xnor"),
        (IntType(-8, 7), BIPOLAR, "sign"),
        (BIPOLAR, IntType(-8, 7), "multiply"),
        (IntType(0, 1), IntType(0, 1), "multiply"),
    ],
)
def test_products_of_signs_are_counted(a: IntType, b: IntType, product: str) -> None:
    facts = KERNEL.code(site(a, b), Folding()).facts
    assert facts["product"] == product
    has_products = product == "multiply"
    assert (Multiplier.DSP in KERNEL.legal(site(a, b), Folding()).multiplier) == has_products


def test_bipolar_matrices_leave_nothing_to_correct() -> None:
    facts = KERNEL.code(site(BIPOLAR, BIPOLAR), Folding()).facts
    assert (facts["start"], facts["of_b"], facts["factor"]) == ("0", "0", 1)
    # So do numbers that are their codes.
    facts = KERNEL.code(site(IntType(0, 15), IntType(-8, 7)), Folding()).facts
    assert (facts["start"], facts["of_b"], facts["factor"]) == ("0", "0", 1)
    assert (facts["base"], facts["step"], facts["stored_bits"]) == ("0", "1", 4)


def test_cycles_are_those_of_storing_one_matrix_and_multiplying_the_other() -> None:
    made = site(BIPOLAR, BIPOLAR, n=5, m=6, k=4, heads=2)
    legal = KERNEL.legal(made, Folding())
    assert (legal.pe, legal.simd) == ((1, 2, 3, 6), (1, 2, 4))
    assert legal.memory == tuple(Memory)
    assert KERNEL.cycles(made, Folding(3, 2)) == 2 * (6 * 2 + 5 * 2 * 2)
    assert KERNEL.operators(made, Folding(3, 2)) == 6


def products(chain: Callable[..., Any], seed: int, pairs: list[tuple[IntType, IntType]]) -> Graph:
    """Return products of matrices of each pair of types, one made of the result of the other."""
    rng = np.random.default_rng(seed)
    net = chain(seed, TensorType(IntType(-8, 7), (2, 3, 4)))

    def matrices(shape: tuple[int, ...], element: IntType) -> str:
        net.append(Reshape((net.type.size,)))
        net.matvec(prod(shape), (-1, 0, 0, 1))
        net.append(Reshape(shape))
        name: str = net.threshold(element)
        return name

    for a, b in pairs:
        heads, n, m, k = (int(rng.choice(s)) for s in ((1, 2), (1, 3), (1, 2, 6), (1, 4, 6)))
        second = matrices((heads, m, k), b)
        matrices((heads, n, k), a)
        net.append(MatMul(), second)
    return lower(net.graph)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.thorough)])
def test_matrices_agree_however_they_are_folded(
    seed: int, chain: Callable[..., Any], draw_plan: Callable[..., Any], agree: Callable[..., Any]
) -> None:
    rng = np.random.default_rng(seed)
    drawn = [(TYPES[i], TYPES[j]) for i, j in rng.choice(len(TYPES), size=(6, 2))]
    graph = products(chain, seed, [(BIPOLAR, BIPOLAR), (IntType(0, 3), BIPOLAR), *drawn])
    agree(graph, draw_plan(rng, graph), images=5)


@pytest.mark.parametrize(("pe", "simd"), [(1, 1), (3, 2), (6, 4)])
def test_matrices_flow_through_bounded_fifos(pe: int, simd: int, agree: Callable[..., Any]) -> None:
    x = TensorType(IntType(-3, 3, 2), (2, 6, 4))
    graph = lower(Graph({"x": x}, (Node(("y",), MatMul(), ("x", "x")),), ("y",)))
    plan = unfolded_plan(graph).with_folding("y", Folding(pe, simd, memory=Memory.LUTRAM))
    plan = replace(plan, fifos=fifo_depths(Wiring(graph, plan)))
    simulation = agree(graph, plan, bounded=True)
    # A row of the first matrix waits until the second one is stored.
    assert max(plan.fifos.values()) >= 12
    images = values(x.element)[np.random.default_rng(0).integers(4, size=(3, *x.shape))]
    assert np.array_equal(simulation.run(images), images @ images.swapaxes(-1, -2))


def test_a_factor_of_64_bits_is_part_of_the_weights() -> None:
    a, b = IntType(-(2**63), 2**63 - 1, 2**64 - 1), IntType(0, 1)
    stored = Stored.of(a, b, site(a, b, k=1).outputs[0].element, 1)
    assert (stored.weights.bits, stored.factor) == (64, 1)
    for code_a, code_b in ((0, 0), (0, 1), (1, 0), (1, 1)):
        code = stored.rest.start + stored.rest.of_b * code_b
        code += (stored.base + stored.step * code_b) * code_a
        assert (code - (a.lo + a.step * code_a) * code_b) % 2**64 == 0
