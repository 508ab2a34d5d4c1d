from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.codegen.kernels.upsample import Level, levels_of
from lutloom.core.ops import Upsample
from lutloom.core.types import BIPOLAR, IntType
from tests.codegen.every_folding import in_every_folding

if TYPE_CHECKING:
    from collections.abc import Callable

    Case = tuple[tuple[int, ...], tuple[int, ...]]

# Images, a vector and a map of places that are broadcast, numbers, channels; ones in between.
CASES = (
    ((3, 2, 6), (2, 2, 1)),
    ((3, 2, 6), (2, 1, 1)),
    ((3, 2, 6), (1, 3, 1)),
    ((1, 1, 6), (3, 2, 1)),
    ((3, 2, 1), (1, 1, 4)),
    ((1, 1, 1), (2, 3, 4)),
    ((2, 3, 2), (1, 2, 6)),
    ((2, 1, 2), (3, 2, 3)),
    ((2, 2, 2, 2), (2, 1, 2, 3)),
    ((5,), (4,)),
    ((1, 3, 1, 2, 1), (2, 2, 2, 2, 2)),
)


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), max_size=5))
def test_levels_repeat_what_the_axes_do(axes: list[tuple[int, int]]) -> None:
    shape, factors = [tuple(column) for column in zip(*axes, strict=True)] if axes else ((), ())
    levels = levels_of(shape, factors)
    x = np.arange(prod(shape)).reshape(1, *shape)
    wanted = Upsample(factors).reference(x)[0].reshape(-1)
    grouped = x.reshape(1, *(level.size for level in levels))
    repeats = tuple(level.repeats for level in levels)
    assert Upsample(repeats).reference(grouped)[0].reshape(-1).tolist() == wanted.tolist()
    assert all(level.repeats > 1 for level in levels[:-1])
    assert all(level.size > 1 for level in levels[1:])


def test_what_is_broadcast_is_one_level() -> None:
    assert levels_of((1, 1, 6), (3, 2, 1)) == (Level(1, 6), Level(6, 1))
    assert levels_of((3, 2, 1), (1, 1, 4)) == (Level(6, 4),)


@pytest.mark.parametrize("element", [IntType(-8, 7), BIPOLAR])
def test_what_repeats_agrees_in_every_folding(element: IntType, agree: Callable[..., Any]) -> None:
    cases = [(shape, Upsample(factors)) for shape, factors in CASES[element == BIPOLAR :: 2]]
    graph, plan = in_every_folding(cases, element)
    assert max(folding.pe for folding in plan.foldings.values()) > 4
    agree(graph, plan)
