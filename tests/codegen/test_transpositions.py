from __future__ import annotations

from math import prod
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.codegen import default_plan, is_lowered, lower
from lutloom.codegen.kernels.permute import move_of
from lutloom.codegen.streams import processes_of
from lutloom.codegen.transpositions import steps_of
from lutloom.core.graph import Graph, Node
from lutloom.core.ops import Permute
from lutloom.core.types import BIPOLAR, IntType, TensorType

if TYPE_CHECKING:
    from collections.abc import Callable

NIBBLE = IntType(-8, 7)


def lanes(steps: tuple[Permute, ...], shape: tuple[int, ...]) -> list[int]:
    """Return the elements in the widest word of each step, up to 256."""
    found = []
    for step in steps:
        found.append(max(pe for pe in move_of(shape, step.axes).words if pe <= 256))
        shape = tuple(shape[axis] for axis in step.axes)
    return found


@given(st.lists(st.integers(1, 20), max_size=5), st.randoms())
def test_steps_move_the_same_elements_in_words_as_wide_at_least(
    sizes: list[int], random: Random
) -> None:
    shape, axes = tuple(sizes), list(range(len(sizes)))
    random.shuffle(axes)
    op = Permute(tuple(axes))
    x = np.arange(prod(shape)).reshape(1, *shape)
    steps = steps_of(op, TensorType(NIBBLE, shape))
    y = x
    for step in steps:
        (y,) = step.reference(y)
    assert np.array_equal(y, op.reference(x)[0])
    fewest = min(lanes(steps, shape))
    assert fewest > lanes((op,), shape)[0] if len(steps) > 1 else steps == (op,)


@pytest.mark.parametrize(
    ("shape", "axes", "alone", "apart"),
    [
        # Depth to space with the channels outermost, and back.
        ((28, 28, 16, 2, 2), (0, 3, 1, 4, 2), 1, [256, 32]),
        ((28, 2, 28, 2, 16), (0, 2, 4, 1, 3), 1, [32, 256]),
        # With the blocks outermost, a shuffle, heads of an attention: nothing to gain.
        ((28, 28, 2, 2, 16), (0, 2, 1, 3, 4), 32, [32]),
        ((56, 56, 2, 29), (0, 1, 3, 2), 232, [232]),
        ((64, 4, 16), (1, 0, 2), 16, [16]),
        ((64, 32), (1, 0), 1, [1]),
    ],
)
def test_two_transpositions_stand_for_one_where_their_words_are_wider(
    shape: tuple[int, ...], axes: tuple[int, ...], alone: int, apart: list[int]
) -> None:
    op = Permute(axes)
    assert lanes((op,), shape) == [alone]
    assert lanes(steps_of(op, TensorType(NIBBLE, shape)), shape) == apart


@pytest.mark.parametrize("element", [NIBBLE, BIPOLAR])
def test_a_depth_to_space_agrees_at_a_pixel_every_other_cycle(
    element: IntType, agree: Callable[..., Any]
) -> None:
    x = TensorType(element, (3, 40, 6, 2, 2))
    graph = Graph({"x": x}, (Node(("y",), Permute((0, 3, 1, 4, 2)), ("x",)),), ("y",))
    lowered = lower(graph)
    assert is_lowered(lowered)
    assert list(processes_of(lowered)) == ["y/step1", "y"]
    plan = default_plan(lowered, cycles=3 * 40 * 6)
    agree(lowered, plan)
