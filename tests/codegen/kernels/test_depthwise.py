from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.codegen.kernels import KERNELS, Site
from lutloom.codegen.kernels.depthwise import sums_of
from lutloom.codegen.kernels.kernel import CONSTANTS
from lutloom.core.ops import Depthwise
from lutloom.core.plan import Folding, Multiplier
from lutloom.core.types import BIPOLAR, Const, IntType, TensorType
from lutloom.core.windows import tap_views
from tests.codegen.pooled_chains import refill
from tests.windows import random_image, random_windows

if TYPE_CHECKING:
    from collections.abc import Callable

    from lutloom.core.types import IntArray

KERNEL = KERNELS["depthwise"]

SOME = (
    (BIPOLAR, (-1, 1), 0),
    (IntType(-8, 7), (-1, 1), 0),
    (IntType(0, 3), (-3, -1, 1, 3), -1),
    (IntType(-7, -1, 3), (-2, 2), 0),
    (IntType(-100, 27), tuple(range(-128, 128)), 5),
    (IntType(-1, 1), (-1, 1), 1),
    (BIPOLAR, (-1, 1), -1),
)
OTHERS = (
    (IntType(0, 1), (-1, 1), 0),
    (IntType(-3, 3, 2), (-1, 1), 0),
    (IntType(5, 5), (-4, 4, 8), 0),
    (IntType(0, 12, 4), (-1, 0, 1), 8),
    (BIPOLAR, (-2, 2), 0),
    (IntType(-1, 0), (7,), 3),
    (IntType(0, 255), (0,), 1),
)


def random_depthwise(
    rng: np.random.Generator, x: TensorType, weights: tuple[int, ...], fill: int
) -> Depthwise:
    """Return a sum in windows of any kind that fit ``x``."""
    windows = random_windows(rng, x.shape[:-1])
    matrix = rng.choice(weights, size=(*windows.kernel, x.channels))
    places = (windows.stride, windows.dilation, windows.pads, windows.spacing)
    return Depthwise(Const(matrix), *places, fill)


@pytest.mark.parametrize(("seed", "products"), [(0, SOME), (1, OTHERS)])
def test_windows_and_products_of_any_kind_agree_however_they_are_folded(
    seed: int,
    products: tuple[tuple[IntType, tuple[int, ...], int], ...],
    chain: Callable[..., Any],
    draw_plan: Callable[..., Any],
    agree: Callable[..., Any],
) -> None:
    net = chain(seed, TensorType(IntType(-8, 7), (5, 4, 3)))
    for element, weights, fill in products:
        channels = int(net.rng.choice([1, 2, 4, 6]))
        refill(net, (*random_image(net.rng, most=6), channels), element)
        net.append(random_depthwise(net.rng, net.type, weights, fill))
    graph = net.graph
    agree(graph, draw_plan(np.random.default_rng(seed), graph))


@st.composite
def sites(draw: st.DrawFn) -> Site:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    lo, step = draw(st.integers(-5, 5)), draw(st.integers(1, 3))
    element = IntType(lo, lo + step * draw(st.integers(0, 5)), step)
    x = TensorType(element, (*random_image(rng, most=5), 2))
    weights = draw(st.sampled_from([(-1, 1), (-3, 2), (0, 1, -2), (2, 4), (0,), (-128, 127)]))
    op = random_depthwise(rng, x, weights, draw(st.integers(-6, 6)))
    return Site(op, (x,), op.infer(x))


@given(sites(), st.integers(0, 2**32))
def test_sums_of_codes_are_codes_of_sums_at_every_place(site: Site, seed: int) -> None:
    op, (x,), (y,) = site.op, site.inputs, site.outputs
    code, sums = KERNEL.code(site, Folding()), sums_of(site)
    rng = np.random.default_rng(seed)
    element = x.element
    values = rng.integers(element.count, size=(1, *x.shape)) * element.step + element.lo
    tables = {table.name: table.data.astype(np.int64) for table in code.tables}
    first = np.zeros((1, 1), np.int64)
    if not code.facts["is_uniform"]:
        first = tables["row_starts"][:, np.newaxis] + tables["column_starts"]
    height, width = (1, *y.shape[:-1])[-2:]
    starts = tables["starts"].reshape(-1)
    if starts.size > 1:
        starts = starts[(first[..., np.newaxis] + np.arange(2))]
    starts = np.broadcast_to(starts, (height, width, 2)).reshape(y.shape)
    weights = sums.factor * sums.stored_weights
    found = starts + sums.counted(0, sums.weights.int64.sum(axis=0), Folding())
    fill = int(str(code.facts["fill"]))
    for row, view in zip(weights, tap_views(element.encode(values), op.windows, fill), strict=True):
        found = found + row * view
    (expected,) = op.reference(values)
    mask = (1 << y.element.bits) - 1
    assert (found & mask == y.element.encode(expected) & mask).all()


def site(op: Depthwise, shape: tuple[int, ...], element: IntType = BIPOLAR) -> Site:
    x = TensorType(element, shape)
    return Site(op, (x,), op.infer(x))


def padded(weights: IntArray, fill: int = 0) -> Depthwise:
    return Depthwise(Const(weights), (1, 1), (1, 1), (1, 1, 1, 1), (1, 1), fill)


ONES = np.where(np.arange(9 * 4).reshape(3, 3, 4) % 5, 1, -1)


def test_padding_is_corrected_only_where_its_value_is_no_integer_of_the_input() -> None:
    as_minus_one = KERNEL.code(site(padded(ONES, -1), (6, 5, 4)), Folding(pe=4))
    assert as_minus_one.facts["is_uniform"]
    assert as_minus_one.facts["fill"] == "0"
    as_zero = KERNEL.code(site(padded(ONES), (6, 5, 4)), Folding(pe=4))
    # Three classes of rows by three of columns.
    assert as_zero.tables[1].data.shape == (9, 4)
    unsigned = KERNEL.code(site(padded(ONES), (6, 5, 4), IntType(0, 3)), Folding(pe=4))
    assert [table.name for table in unsigned.tables] == ["weights", "starts"]


def test_padded_bipolar_products_are_agreements_that_count_twice() -> None:
    # An even number of masked taps at corners, an odd one at edges: sums of any parity.
    code = KERNEL.code(site(padded(ONES), (6, 5, 4)), Folding())
    assert (code.facts["product"], code.facts["factor"]) == ("xnor", 2)
    code = KERNEL.code(site(padded(ONES, 1), (6, 5, 4)), Folding())
    assert (code.facts["product"], code.facts["factor"]) == ("xnor", 1)


def test_weights_lie_in_the_order_in_which_the_loop_needs_them() -> None:
    weights = np.arange(8).reshape(2, 4)
    op = Depthwise(Const(weights), (1,), (1,), (0, 0), (1,), 0)
    code = KERNEL.code(site(op, (5, 4), IntType(0, 3)), Folding(pe=2))
    ((entry,),) = code.tables[0].data.tolist()
    # Three bits a weight: both taps of the first two channels, then those of the others.
    assert [entry >> 3 * i & 7 for i in range(8)] == [0, 1, 4, 5, 2, 3, 6, 7]


def test_legal_foldings_divide_the_channels() -> None:
    found = site(padded(ONES), (6, 5, 4))
    legal = KERNEL.legal(found, Folding())
    assert (legal.pe, legal.simd) == ((1, 2, 4), (1,))
    assert legal.memory == CONSTANTS
    assert Multiplier.DSP not in legal.multiplier
    assert (
        Multiplier.DSP
        in KERNEL.legal(site(padded(ONES + 2), (6, 5, 4), IntType(0, 3)), Folding()).multiplier
    )


def test_a_tap_or_a_word_a_beat() -> None:
    # 30 results of 9 taps, behind the first row of the image and the second pixel of the next.
    assert 0 <= KERNEL.cycles(site(padded(ONES), (6, 5, 4)), Folding(pe=4)) - 30 * 9 <= 7 + 2
    assert 0 <= KERNEL.cycles(site(padded(ONES), (6, 5, 4)), Folding(pe=1)) - 30 * 9 * 4 <= 28 + 2
