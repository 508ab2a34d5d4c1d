"""Products of two tensors: by brute force, and what does not fit."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.core.ops import Lookup, MatMul, Multiply
from lutloom.core.types import BIPOLAR, Const, IntType, TensorType


@st.composite
def elements(draw: st.DrawFn) -> IntType:
    lo, step = draw(st.integers(-9, 9)), draw(st.integers(1, 4))
    return IntType(lo, lo + step * draw(st.integers(0, 4)), step)


def values(element: IntType) -> list[int]:
    return list(range(element.lo, element.hi + 1, element.step))


@given(elements(), elements())
def test_the_type_of_a_product_is_exact_by_brute_force(a: IntType, b: IntType) -> None:
    pairs = np.array(list(product(values(a), values(b))))
    (y,) = Multiply().reference(pairs[:, :1], pairs[:, 1:])
    (type_,) = Multiply().infer(TensorType(a, (1,)), TensorType(b, (1,)))
    assert y.ravel().tolist() == [left * right for left, right in pairs.tolist()]
    assert type_ == TensorType(IntType.spanning(y.ravel().tolist()), (1,))


@given(elements(), elements(), st.sampled_from([1, 2, 3]))
def test_the_type_of_a_product_of_matrices_is_exact_by_brute_force(
    a: IntType, b: IntType, terms: int
) -> None:
    reached = {
        sum(terms_of_sum)
        for terms_of_sum in product(
            {left * right for left in values(a) for right in values(b)}, repeat=terms
        )
    }
    (y,) = MatMul().infer(TensorType(a, (2, terms)), TensorType(b, (3, terms)))
    assert y == TensorType(IntType.spanning(reached), (2, 3))


def test_matrices_are_multiplied_row_by_row() -> None:
    a = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5) - 50
    b = np.arange(2 * 3 * 6 * 5).reshape(2, 3, 6, 5) - 80
    (y,) = MatMul().reference(a, b)
    assert y.shape == (2, 3, 4, 6)
    for place in np.ndindex(y.shape):
        *outer, i, j = place
        left, right = a[(*outer, i)].tolist(), b[(*outer, j)].tolist()
        assert y[place] == sum(p * q for p, q in zip(left, right, strict=True))


def test_products_of_bipolar_matrices_keep_their_parity() -> None:
    (y,) = MatMul().infer(TensorType(BIPOLAR, (2, 9, 4)), TensorType(BIPOLAR, (2, 7, 4)))
    assert y == TensorType(IntType(-4, 4, 2), (2, 9, 7))


@given(elements(), st.integers(0, 2), st.integers(0, 2))
def test_a_lookup_gives_the_row_of_every_integer(x: IntType, before: int, behind: int) -> None:
    rng = np.random.default_rng(x.hi - x.lo)
    first = x.lo - before
    table = rng.integers(-9, 9, size=(x.hi + behind + 1 - first, 3))
    op = Lookup(Const(table), first)
    (type_,) = op.infer(TensorType(x, (2, 4)))
    every = np.array(values(x))
    (y,) = op.reference(every)
    assert y.tolist() == [table[number - first].tolist() for number in every.tolist()]
    assert type_ == TensorType(IntType.spanning(y.ravel().tolist()), (2, 4, 3))


X = TensorType(IntType(0, 3), (2, 3))
WIDE = TensorType(IntType(-(2**62), 2**62), (2, 3))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Multiply().infer(X, TensorType(X.element, (6,))),
            r"^the factors int<0\.\.3>\[2,3\] and int<0\.\.3>\[6\] differ in shape$",
        ),
        (
            lambda: MatMul().infer(X, TensorType(X.element, (3, 2))),
            r"^int<0\.\.3>\[2,3\] and int<0\.\.3>\[3,2\] should be \[\.\.\., N, K\] and \[\.\.\.",
        ),
        (
            lambda: MatMul().infer(TensorType(X.element, (3,)), X),
            r"^int<0\.\.3>\[3\] and int<0\.\.3>\[2,3\] should be \[\.\.\., N, K\] and",
        ),
        (lambda: Lookup(Const([1, 2])), r"^the table should be \[rows, width\], not int8\[2\]#"),
        (lambda: Lookup(Const(np.zeros((2, 0), int))), r"^the table should be \[rows, width\], no"),
        (
            lambda: Lookup(Const([[1], [2], [3]])).infer(X),
            r"^the integers of int<0\.\.3>\[2,3\] reach beyond the table, which holds 0 to 2$",
        ),
        (
            lambda: Lookup(Const([[1]] * 9), 1).infer(X),
            r"^the integers of int<0\.\.3>\[2,3\] reach beyond the table, which holds 1 to 9$",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(TypeError, match=message):
        make()


@pytest.mark.parametrize("op", [Multiply(), MatMul()])
def test_products_beyond_64_bits_are_refused(op: Multiply | MatMul) -> None:
    with pytest.raises(ValueError, match=r"needs more than 64 bits$"):
        op.infer(WIDE, WIDE)
