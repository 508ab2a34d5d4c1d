"""Operators that move elements: each element by its index, and the refusals."""

from __future__ import annotations

from itertools import product
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.core.ops import Concat, Permute, Slice, Split, Upsample
from lutloom.core.types import BIPOLAR, IntType, TensorType
from tests.graphs import ELEMENTS, every_tensor

if TYPE_CHECKING:
    from lutloom.core.types import IntArray

shapes = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)


def numbered(shape: tuple[int, ...]) -> IntArray:
    """Return two frames of different numbers."""
    return np.arange(2 * np.prod(shape), dtype=np.int64).reshape(2, *shape)


@given(shapes, st.data())
def test_what_is_joined_comes_one_behind_the_other(
    shape: tuple[int, ...], data: st.DataObject
) -> None:
    axis = data.draw(st.integers(0, len(shape) - 1))
    sizes = data.draw(st.lists(st.integers(1, 3), min_size=2, max_size=4))
    inputs = [numbered((*shape[:axis], size, *shape[axis + 1 :])) + 1000 * size for size in sizes]
    (joined,) = Concat(axis).reference(*inputs)
    places = [(which, place) for which, size in enumerate(sizes) for place in range(size)]
    assert joined.shape == (2, *shape[:axis], len(places), *shape[axis + 1 :])
    for index in np.ndindex(joined.shape):
        which, place = places[index[axis + 1]]
        before = (*index[: axis + 1], place, *index[axis + 2 :])
        assert joined[index] == inputs[which][before]


@given(st.sampled_from(ELEMENTS), st.sampled_from(ELEMENTS))
def test_the_type_of_what_is_joined_is_the_narrowest_that_holds_both(
    first: IntType, second: IntType
) -> None:
    x, y = TensorType(first, (2,)), TensorType(second, (1,))
    (joined,) = Concat(0).infer(x, y)
    values = np.concatenate([every_tensor(x).reshape(-1), every_tensor(y).reshape(-1)])
    assert joined == TensorType(IntType.spanning(np.unique(values).tolist()), (3,))


@given(shapes, st.data())
def test_parts_hold_what_lies_within_their_ends(
    shape: tuple[int, ...], data: st.DataObject
) -> None:
    axis = data.draw(st.integers(0, len(shape) - 1))
    start = data.draw(st.integers(0, shape[axis] - 1))
    middle = data.draw(st.integers(start + 1, shape[axis]))
    ends = (start, middle, *([middle, shape[axis]] if middle < shape[axis] else []))
    x = numbered(shape)
    op = Split(axis, ends)
    parts = op.reference(x)
    for part, alone, type_ in zip(
        parts, op.parts, op.infer(TensorType(BIPOLAR, shape)), strict=True
    ):
        assert part.shape[1:] == type_.shape
        assert type_.element == BIPOLAR
        assert np.array_equal(alone.reference(x)[0], part)
        for index in np.ndindex(part.shape):
            place = index[axis + 1] + alone.start
            assert part[index] == x[(*index[: axis + 1], place, *index[axis + 2 :])]


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), max_size=3))
def test_an_upsampling_shows_the_nearest_element_of_the_input(axes: list[tuple[int, int]]) -> None:
    shape, factors = tuple(size for size, _ in axes), tuple(factor for _, factor in axes)
    x = numbered(shape)
    (y,) = Upsample(factors).reference(x)
    assert y.shape[1:] == Upsample(factors).infer(TensorType(BIPOLAR, shape))[0].shape
    for frame, *index in product(*map(range, y.shape)):
        before = (place // factor for place, factor in zip(index, factors, strict=True))
        assert y[(frame, *index)] == x[(frame, *before)]


@given(shapes, st.randoms())
def test_a_transposition_moves_each_element_along_its_axes(
    shape: tuple[int, ...], random: Random
) -> None:
    axes = list(range(len(shape)))
    random.shuffle(axes)
    x = numbered(shape)
    (y,) = Permute(tuple(axes)).reference(x)
    for frame, *index in product(*map(range, x.shape)):
        assert x[(frame, *index)] == y[(frame, *(index[axis] for axis in axes))]


X = TensorType(IntType(0, 3), (2, 4, 3))


@pytest.mark.parametrize(
    ("op", "inputs", "message"),
    [
        (Concat(0), (X,), r"^there should be two inputs or more to join, not 1$"),
        (Concat(3), (X, X), r"^axis 3 is none of the dimensions of int<0\.\.3>\[2,4,3\]$"),
        (Concat(0), (X, TensorType(X.element, (2, 4))), r"differ in more than axis 0$"),
        (Concat(1), (X, TensorType(X.element, (1, 4, 3))), r"differ in more than axis 1$"),
        (Slice(3, 0, 1), (X,), r"^axis 3 is none of the dimensions of int"),
        (Slice(1, 2, 2), (X,), r"^2 to 2 is no part of axis 1 of int<0\.\.3>\[2,4,3\]$"),
        (Slice(1, 0, 5), (X,), r"^0 to 5 is no part of axis 1 of int"),
        (Split(1, ()), (X,), r"ends of parts should come in ascending pairs, not \(\)$"),
        (Split(1, (0, 1, 2)), (X,), r"ends of parts should come in ascending pairs, not \(0, 1,"),
        (Split(1, (0, 2, 1, 3)), (X,), r"ends of parts should come in ascending pairs, not"),
        (Upsample((2, 2)), (X,), r"^factors \[2, 2\] are not one for each dimension of int"),
        (Upsample((0, 1, 1)), (X,), r"^factors should be numbers from 1 to 1048576, not \[0, 1,"),
    ],
)
def test_what_does_not_move_is_refused_with_a_sentence(
    op: Concat | Slice | Split | Upsample, inputs: tuple[TensorType, ...], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        op.infer(*inputs)
