from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lutloom.codegen import lower
from lutloom.codegen.kernels import KERNELS, Site
from lutloom.codegen.kernels.kernel import CONSTANTS
from lutloom.codegen.packing import RomLayout
from lutloom.core.ops import Lookup, Reshape
from lutloom.core.plan import Folding, Memory
from lutloom.core.types import BIPOLAR, Const, IntType, TensorType
from tests.codegen.conftest import TYPES

if TYPE_CHECKING:
    from collections.abc import Callable

KERNEL = KERNELS["lookup"]


def site(table: list[list[int]], x: IntType, first: int = 0) -> Site:
    op, tensor = Lookup(Const(table), first), TensorType(x, (2,))
    return Site(op, (tensor,), op.infer(tensor))


@pytest.mark.parametrize(
    ("x", "rows"),
    [
        (IntType(-1, 2), [1, 2, 3, 4]),
        (IntType(-2, 3), [0, 1, 2, 3, 4, 5]),
        (BIPOLAR, [1, 3]),
        (IntType(-2, 2, 2), [0, 2, 4]),
        (IntType(3, 3), [5]),
    ],
)
def test_only_rows_in_reach_are_stored_in_the_order_of_their_codes(
    x: IntType, rows: list[int]
) -> None:
    made = site([[10 * row, 10 * row + 1] for row in range(6)], x, first=-2)
    code = KERNEL.code(made, Folding())
    y = made.outputs[0].element
    stored = code.tables[0].data.ravel()
    assert y.decode(stored.astype(np.int64)).tolist() == [
        10 * row + column for row in rows for column in range(2)
    ]


@pytest.mark.parametrize("width", [1, 3, 8, 9, 24, 64, 65, 130])
def test_words_that_are_read_in_any_order_have_an_entry_each(width: int) -> None:
    layout = RomLayout.of(width, is_sequential=False)
    assert layout.group == 1
    assert 0 <= layout.chunks * layout.chunk_bits - width < 8 or layout.chunks == 1
    bits = np.random.default_rng(width).integers(0, 2, size=(5, width), dtype=np.uint8)
    entries = layout.entries(bits)
    for row, entry in zip(bits, entries.tolist(), strict=True):
        value = sum(chunk << layout.chunk_bits * place for place, chunk in enumerate(entry))
        assert value == sum(int(bit) << place for place, bit in enumerate(row))


def test_cycles_are_words_of_rows() -> None:
    made = site([[1, 2, 3, 4, 5, 6]] * 4, IntType(0, 3))
    legal = KERNEL.legal(made, Folding())
    assert legal.pe == (1, 2, 3, 6)
    assert legal.memory == CONSTANTS
    assert [KERNEL.cycles(made, Folding(pe)) for pe in (1, 3)] == [2 * 6, 2 * 2]


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.thorough)])
def test_rows_agree_however_they_are_folded(
    seed: int, chain: Callable[..., Any], draw_plan: Callable[..., Any], agree: Callable[..., Any]
) -> None:
    rng = np.random.default_rng(seed)
    net = chain(seed, TensorType(IntType(-8, 7), (3,)))
    for target in rng.permutation(len(TYPES)):
        x = TYPES[target]
        net.threshold(x)
        low, high = net.type.element.lo, net.type.element.hi
        first = low - int(rng.integers(3))
        width = int(rng.choice([1, 2, 4, 6, 12]))
        values = int(rng.choice([1, 2, 9, 300, 2**40]))
        shape = (high + 1 - first + int(rng.integers(3)), width)
        net.append(Lookup(Const(rng.integers(-values, values, size=shape)), first))
        net.append(Reshape((net.type.size,)))
        net.matvec(3, (-1, 0, 1))
    lowered = lower(net.graph)
    agree(lowered, draw_plan(rng, lowered), images=16)


def test_rows_wider_than_machine_words_agree(
    chain: Callable[..., Any], agree: Callable[..., Any]
) -> None:
    from lutloom.codegen import unfolded_plan

    rng = np.random.default_rng(0)
    net = chain(0, TensorType(IntType(0, 999), (4,)))
    table = Const(rng.integers(-(2**30), 2**30, size=(1000, 12)))
    name = net.append(Lookup(table))
    plan = unfolded_plan(net.graph).with_folding(name, Folding(6, memory=Memory.BRAM))
    agree(net.graph, plan, images=40)
