from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lutloom.codegen import unfolded_plan
from lutloom.codegen.kernels import KERNELS, Site
from lutloom.codegen.kernels.kernel import CONSTANTS
from lutloom.core.graph import Graph, Node
from lutloom.core.ops import MatVec
from lutloom.core.plan import Folding, Multiplier
from lutloom.core.types import BIPOLAR, Const, IntType, TensorType

if TYPE_CHECKING:
    from collections.abc import Callable

KERNEL = KERNELS["matvec"]


def site(matrix: list[list[int]], element: IntType) -> Site:
    op = MatVec(Const(matrix))
    x = TensorType(element, (len(matrix[0]),))
    return Site(op, (x,), op.infer(x))


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.thorough)])
def test_every_kind_of_product_agrees_however_it_is_folded(
    seed: int, chain: Callable[..., Any], draw_plan: Callable[..., Any], agree: Callable[..., Any]
) -> None:
    net = chain(seed, TensorType(IntType(-3, 3, 2), (2, 12)))
    for rows, values in (
        (8, (-1, 1)),
        (12, None),
        (6, (-2, 2)),
        (10, (-3, -1, 1, 3)),
        (12, None),
        (8, (-1, 0, 1)),
        (6, tuple(range(-128, 128))),
        (4, (1,)),
    ):
        net.matvec(rows, values)
        net.threshold()
    net.threshold(BIPOLAR, steps=1)
    net.matvec(9, (-1, 1))
    graph = net.graph
    agree(graph, draw_plan(np.random.default_rng(seed), graph))


@pytest.mark.parametrize(
    ("matrix", "element", "product"),
    [
        ([[1, -1], [-1, -1]], BIPOLAR, "xnor"),
        ([[2, -2], [-2, -2]], BIPOLAR, "xnor"),
        ([[1, -1], [-1, -1]], IntType(0, 1), "xnor"),
        ([[1, -1], [-1, -1]], IntType(0, 3), "sign"),
        ([[1, -1], [-1, -1]], IntType(-3, 3, 2), "sign"),
        ([[1, 0], [-1, -1]], BIPOLAR, "multiply"),
        ([[3, -3], [-3, 1]], IntType(0, 3), "multiply"),
    ],
)
def test_products_are_as_simple_as_the_weights_allow(
    matrix: list[list[int]], element: IntType, product: str
) -> None:
    assert KERNEL.code(site(matrix, element), Folding()).facts["product"] == product


def test_what_weights_have_in_common_is_multiplied_with_once() -> None:
    """Rows of one and of two weights: their sums have no step in common."""
    code = KERNEL.code(site([[4, 0], [4, -4]], BIPOLAR), Folding())
    assert (code.facts["factor"], code.facts["weight_type"]) == (2, "ap_int<2>")
    border = MatVec(Const([[1, -1]]), 1, Const([[[0], [1]]]), Const([0]), Const([0, 1, 0]))
    x = TensorType(BIPOLAR, (3, 2))
    code = KERNEL.code(Site(border, (x,), border.infer(x)), Folding())
    assert (code.facts["factor"], code.facts["product"]) == (2, "xnor")


def test_a_bipolar_product_needs_no_constants_but_the_weights() -> None:
    code = KERNEL.code(site([[1, -1, -1], [1, 1, 1]], BIPOLAR), Folding())
    weights, starts = code.tables
    assert starts.data.tolist() == [[0]]
    # Six weights of a bit, row by row, the first lowest: 1 0 0, then 1 1 1.
    assert weights.data.tolist() == [[0b111001]]


def test_weights_lie_in_the_order_in_which_the_loop_needs_them() -> None:
    matrix = [[10 * r + c for c in range(4)] for r in range(4)]
    code = KERNEL.code(site(matrix, IntType(0, 255)), Folding(pe=2, simd=2))
    # 6 bits a weight, four of them a word: 24 bits, three octets.
    words = [int.from_bytes(bytes(row), "little") for row in code.tables[0].data.tolist()]
    lanes = [[word >> 6 * i & 63 for i in range(4)] for word in words]
    assert lanes == [[0, 1, 10, 11], [2, 3, 12, 13], [20, 21, 30, 31], [22, 23, 32, 33]]


def test_cycles_are_tiles_times_vectors() -> None:
    op = MatVec(Const(np.ones((6, 8), np.int64)))
    x = TensorType(IntType(0, 3), (5, 8))
    assert KERNEL.cycles(Site(op, (x,), op.infer(x)), Folding(pe=3, simd=4)) == 5 * 2 * 2


def test_only_products_that_multiply_may_use_dsp_slices() -> None:
    assert Multiplier.DSP not in KERNEL.legal(site([[1, -1]], IntType(0, 3)), Folding()).multiplier
    assert Multiplier.DSP in KERNEL.legal(site([[1, -2]], IntType(0, 3)), Folding()).multiplier


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.thorough)])
def test_groups_and_borders_agree_however_they_are_folded(
    seed: int, chain: Callable[..., Any], draw_plan: Callable[..., Any], agree: Callable[..., Any]
) -> None:
    rng = np.random.default_rng(seed + 10)
    height, width = 3, 4
    net = chain(seed, TensorType(BIPOLAR, (height, width, 12)))

    def product(groups: int, rows: int, values: tuple[int, ...], classes: tuple[int, int]) -> None:
        channels = net.type.channels
        matrix = rng.choice(values, size=(rows, channels // groups))
        border = rng.integers(-9, 10, size=(*classes, rows if rng.integers(3) else 1))
        row_classes = rng.integers(classes[0], size=height if classes[0] > 1 else 1)
        columns = rng.integers(classes[1], size=width if classes[1] > 1 else 1)
        net.append(MatVec(Const(matrix), groups, Const(border), Const(row_classes), Const(columns)))

    for groups, rows, values, classes, element in (
        (3, 6, (-1, 1), (1, 1), IntType(0, 3)),
        (2, 8, (-1, 1), (3, 3), BIPOLAR),
        (4, 12, (-1, 1), (3, 2), IntType(-3, 3, 2)),
        (1, 6, (-2, 2), (1, 3), IntType(0, 12, 4)),
        (3, 9, (-3, 0, 5), (2, 1), IntType(5, 5)),
        (1, 8, (7,), (2, 2), IntType(-7, -1, 3)),
        (8, 16, (-1, 0, 1), (3, 3), BIPOLAR),
        (2, 2, (-1, 1), (2, 3), IntType(0, 1)),
    ):
        product(groups, rows, values, classes)
        net.threshold(element)
    graph = net.graph
    agree(graph, draw_plan(np.random.default_rng(seed), graph))


@pytest.mark.parametrize(
    ("shape", "rows", "columns"), [((5, 2), [0], [0, 1, 1, 0, 1]), ((2, 3, 2), [1, 0], [0])]
)
def test_classes_of_rows_or_of_columns_alone_are_counted(
    shape: tuple[int, ...],
    rows: list[int],
    columns: list[int],
    agree: Callable[..., Any],
) -> None:
    border = np.array([1, -5]).reshape(-1, 1, 1)
    border = border if len(rows) > 1 else border.swapaxes(0, 1)
    op = MatVec(Const([[1, 2], [3, 4]]), 1, Const(border), Const(rows), Const(columns))
    graph = Graph({"x": TensorType(IntType(-2, 1), shape)}, (Node(("y",), op, ("x",)),), ("y",))
    agree(graph, unfolded_plan(graph))


def test_only_borders_with_different_constants_are_told_apart() -> None:
    x = TensorType(BIPOLAR, (4, 5, 2))
    border = np.zeros((4, 3, 2), np.int64)
    border[1] = 3  # the classes 0, 2 and 3 of rows are one, and so are all of columns
    op = MatVec(Const([[1, -1], [1, 1]]), 1, Const(border), Const([2, 1, 0, 3]), Const([0] * 5))
    tables = KERNEL.code(Site(op, (x,), op.infer(x)), Folding(pe=2)).tables
    rows, columns = (table.data.tolist() for table in tables[2:])
    assert tables[1].data.shape == (2, 2)
    assert rows[0] == rows[2] == rows[3] != rows[1]
    assert columns == [0] * 5
    lonely = MatVec(op.matrix, 1, op.border, Const([1]), Const([0] * 5))
    assert len(KERNEL.code(Site(lonely, (x,), lonely.infer(x)), Folding()).tables) == 2


def test_weights_of_groups_follow_one_another() -> None:
    op = MatVec(Const([[1, 2], [3, 4], [5, 6], [7, 8]]), 2)
    x = TensorType(IntType(0, 255), (4,))
    site = Site(op, (x,), op.infer(x))
    assert KERNEL.legal(site, Folding()).pe == (1, 2)
    code = KERNEL.code(site, Folding(pe=2, simd=1))
    # Four bits a weight, four words of two in an entry.
    ((entry,),) = code.tables[0].data.tolist()
    assert [entry >> 4 * i & 15 for i in range(8)] == [1, 3, 2, 4, 5, 7, 6, 8]
    assert KERNEL.cycles(site, Folding(pe=2, simd=1)) == 4


def test_legal_foldings_divide_the_matrix() -> None:
    legal = KERNEL.legal(site([[1] * 6] * 4, BIPOLAR), Folding())
    assert legal.pe == (1, 2, 4)
    assert legal.simd == (1, 2, 3, 6)
    assert legal.memory == CONSTANTS
