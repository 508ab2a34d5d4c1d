from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.codegen.kernels import KERNELS, Site
from lutloom.codegen.kernels.pools import is_disjoint
from lutloom.core.ops import SumPool
from lutloom.core.plan import Folding
from lutloom.core.types import BIPOLAR, IntType, TensorType
from tests.codegen.conftest import TYPES
from tests.codegen.pooled_chains import pooled_chain, random_pool
from tests.windows import random_image

if TYPE_CHECKING:
    from collections.abc import Callable

KERNEL = KERNELS["sum_pool"]


@pytest.mark.parametrize(("seed", "elements"), [(0, TYPES[::2]), (1, TYPES[1::2])])
def test_windows_of_any_kind_agree_however_they_are_folded(
    seed: int,
    elements: tuple[IntType, ...],
    chain: Callable[..., Any],
    draw_plan: Callable[..., Any],
    agree: Callable[..., Any],
) -> None:
    net = chain(seed, TensorType(IntType(-8, 7), (5, 4, 3)))
    graph = pooled_chain(net, SumPool, elements)
    agree(graph, draw_plan(np.random.default_rng(seed), graph))


@given(st.integers(0, 2**32), st.booleans(), st.data())
def test_sums_of_codes_are_codes_of_sums_at_every_place(
    seed: int,
    is_disjoint_pool: bool,
    data: st.DataObject,
) -> None:
    rng = np.random.default_rng(seed)
    lo, step = data.draw(st.integers(-9, 9)), data.draw(st.integers(1, 4))
    element = IntType(lo, lo + step * data.draw(st.integers(0, 5)), step)
    x = TensorType(element, (*random_image(rng, most=6), 2))
    op = random_pool(rng, SumPool, x, disjoint=is_disjoint_pool)
    (y,) = op.infer(x)
    code = KERNEL.code(Site(op, (x,), (y,)), Folding())
    tables = {table.name: table.data.astype(np.int64) for table in code.tables}
    values = rng.integers(element.count, size=(1, *x.shape)) * element.step + element.lo
    (expected,) = op.reference(values)
    (sums,) = op.reference(element.encode(values))
    first = np.zeros((1, 1), np.int64)
    if not code.facts["is_uniform"]:
        first = tables["row_starts"][:, np.newaxis] + tables["column_starts"]
    height, width = (1, *y.shape[:-1])[-2:]
    starts = np.broadcast_to(tables["starts"][first], (height, width)).reshape(*y.shape[:-1], 1)
    found = starts + int(str(code.facts["factor"])) * sums
    mask = (1 << y.element.bits) - 1
    assert (found & mask == y.element.encode(expected) & mask).all()


def site(op: SumPool, shape: tuple[int, ...], element: IntType) -> Site:
    x = TensorType(element, shape)
    return Site(op, (x,), op.infer(x))


def test_sums_of_bipolar_values_are_popcounts() -> None:
    op = SumPool((4, 4), (1, 1), (1, 1), (0, 0, 0, 0))
    code = KERNEL.code(site(op, (4, 4, 2), BIPOLAR), Folding())
    assert code.facts["factor"] == 1
    assert [table.data.tolist() for table in code.tables] == [[0]]


def test_only_codes_with_an_offset_start_differently_at_borders() -> None:
    op = SumPool((3, 3), (2, 2), (1, 1), (1, 1, 1, 1))
    plain = KERNEL.code(site(op, (6, 6, 2), IntType(-8, 7)), Folding())
    assert [table.data.tolist() for table in plain.tables] == [[0]]
    coded = KERNEL.code(site(op, (6, 6, 2), BIPOLAR), Folding())
    # Of four, six and nine taps, in classes of two rows and two columns.
    assert sorted(coded.tables[0].data.tolist()) == [-9, -6, -6, -4]
    assert is_disjoint(site(SumPool((2, 2), (2, 2), (1, 1), (1, 1, 1, 1)), (6, 6, 2), BIPOLAR))
