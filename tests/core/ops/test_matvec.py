from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lutloom.core.ops import MatVec
from lutloom.core.types import Const, IntType, TensorType
from tests.graphs import every_tensor
from tests.windows import ELEMENTS, random_matvec

seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.booleans())
def test_every_group_has_its_rows_and_every_place_its_addend(seed: int, has_border: bool) -> None:
    rng = np.random.default_rng(seed)
    groups = int(rng.integers(1, 4))
    places = tuple(int(size) for size in rng.integers(1, 4, rng.integers(3)))
    shape = (*places, groups * int(rng.integers(1, 4)))
    op = random_matvec(rng, shape, groups, has_border=has_border)
    x = rng.integers(-9, 10, (2, *shape))
    rows, columns = op.matrix.shape
    (y,) = op.reference(x)
    assert y.shape == (2, *places, rows)
    for where in np.ndindex(*places):
        kind = [0, 0]
        for axis, index in enumerate(reversed(where)):
            classes = (op.columns, op.rows)[axis].int64
            kind[1 - axis] = int(classes[min(index, len(classes) - 1)])
        for row in range(rows):
            start = row // (rows // groups) * columns
            vector = x[(slice(None), *where, slice(start, start + columns))]
            added = np.broadcast_to(op.border.int64[tuple(kind)], (rows,))[row]
            wanted = (vector * op.matrix.int64[row]).sum(axis=-1) + added
            assert np.array_equal(y[(slice(None), *where, row)], wanted)
    (type_,) = op.infer(TensorType(IntType(-9, 9), shape))
    assert type_.shape == y.shape[1:]
    assert type_.element.holds(y).all()


@given(seeds, st.sampled_from(ELEMENTS), st.booleans())
def test_the_type_of_a_product_is_exact_by_brute_force(
    seed: int, element: IntType, has_border: bool
) -> None:
    rng = np.random.default_rng(seed)
    groups = int(rng.integers(1, 3))
    shape = (*rng.integers(1, 3, rng.integers(3)).tolist(), groups * int(rng.integers(1, 3)))
    x = TensorType(element, shape)
    assume(element.count**x.size <= 3000)
    op = random_matvec(rng, shape, groups, has_border=has_border)
    (y,) = op.reference(every_tensor(x))
    assert op.infer(x)[0] == TensorType(IntType.spanning(np.unique(y).tolist()), y.shape[1:])


MATRIX = Const([[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ((Const([[1, 2]]), 2), r"^2 groups do not divide the 1 rows of the matrix$"),
        ((MATRIX, 0), r"^0 groups do not divide the 2 rows of the matrix$"),
        (
            (MATRIX, 1, Const([[1]])),
            r"^border should be \[classes, classes, 2 or 1\], not \(1, 1\)$",
        ),
        ((MATRIX, 1, Const([[[1, 2, 3]]])), r"^border should be \[classes, classes, 2 or 1\], not"),
        (
            (MATRIX, 1, Const([[[1]]]), Const([1])),
            r"^rows should be classes below 1, not int8\[1\]#",
        ),
        (
            (MATRIX, 1, Const([[[1]]]), Const([0]), Const([-1])),
            r"^columns should be classes below 1, not int8\[1\]#",
        ),
    ],
)
def test_what_is_no_product_is_refused(parameters: tuple[Any, ...], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        MatVec(*parameters)


def test_products_of_other_shapes_are_refused() -> None:
    one = IntType(0, 1)
    with pytest.raises(
        TypeError, match=r"^the matrix has 2 x 2, but the input is int<0\.\.1>\[3\]$"
    ):
        MatVec(MATRIX, 2).infer(TensorType(one, (3,)))
    bordered = MatVec(MATRIX, 1, Const([[[1]], [[2]]]), Const([0, 1, 0]))
    assert bordered.infer(TensorType(one, (3, 7, 2)))[0] == TensorType(IntType(1, 9), (3, 7, 2))
    with pytest.raises(TypeError, match=r"^rows are classes of 3 places, not of \[2, 7, 2\]$"):
        bordered.infer(TensorType(one, (2, 7, 2)))
    with pytest.raises(ValueError, match=r"needs more than 64 bits$"):
        MatVec(Const([[2**40]]), 1, Const([[[1]]])).infer(TensorType(IntType(0, 2**40), (1,)))
