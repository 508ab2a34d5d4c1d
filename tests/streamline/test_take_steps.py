"""Recipes: the steps of every list of indices take those indices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.streamline.take_steps import (
    Chosen,
    Finer,
    Part,
    Parts,
    Strided,
    Swapped,
    Tiled,
    recipe,
)

if TYPE_CHECKING:
    from lutloom.core.types import IntArray
    from lutloom.streamline.take_steps import Step


def after(step: Step, x: IntArray) -> IntArray:
    """Return what a step makes of ``x``."""
    match step:
        case Part(start, stop):
            assert 0 <= start < stop <= len(x)
            return x[start:stop]
        case Finer(times):
            return x.repeat(times)
        case Tiled(times):
            return np.tile(x, times)
        case Strided(start, by, count):
            return np.array([x[start + by * i] for i in range(count)])
        case Swapped(rows):
            return x.reshape(rows, -1).T.ravel()
        case Parts(parts):
            return np.concatenate([after(part, x) for part in parts])
        case Chosen(index):
            return x[list(index)]


@given(st.data())
def test_a_recipe_takes_what_it_should(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 24))
    index = data.draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=40).map(tuple))
    x = np.arange(size)
    for step in recipe(index, size):
        x = after(step, x)
    assert x.tolist() == list(index)


@given(
    size=st.integers(1, 12),
    times=st.integers(1, 4),
    p=st.integers(1, 7),
    q=st.integers(1, 7),
    data=st.data(),
)
def test_enlarged_and_reduced_grids_take_no_choice(
    size: int, times: int, p: int, q: int, data: st.DataObject
) -> None:
    """Whatever offset they begin with: they need no matrix."""
    offset = data.draw(st.integers(0, q - 1))
    grid = [(offset + q * j) // p for j in range(size * p // q + 1)]
    index = tuple(place for place in grid if place < size) * times
    steps = recipe(index, size) if index else ()
    assert not any(isinstance(step, Chosen) for step in steps)
    x = np.arange(size)
    for step in steps:
        x = after(step, x)
    assert x.tolist() == list(index or range(size))


@pytest.mark.parametrize(
    ("index", "steps"),
    [
        ((0, 1, 2, 3, 4, 5), ()),
        ((2, 3), (Part(2, 4),)),
        ((0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5), (Finer(2),)),
        ((4, 4, 4), (Part(4, 5), Finer(3))),
        ((0, 1, 0, 1), (Part(0, 2), Tiled(2))),
        ((1, 3, 5), (Strided(1, 2, 3),)),
        ((0, 0, 1, 2, 2, 3, 4, 4, 5), (Finer(3), Strided(0, 2, 9))),
        ((0, 3, 1, 4, 2, 5), (Swapped(2),)),
        ((0, 2, 4, 1, 3, 5), (Swapped(3),)),
        ((4, 5, 0), (Parts((Part(4, 6), Part(0, 1))),)),
    ],
)
def test_what_is_simple_is_written_simply(index: tuple[int, ...], steps: tuple[Step, ...]) -> None:
    assert recipe(index, 6) == steps


def test_many_scattered_elements_are_chosen_by_a_matrix() -> None:
    index = tuple(range(40))[::-1]
    assert recipe(index, 40) == (Chosen(index),)
