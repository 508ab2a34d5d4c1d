from __future__ import annotations

from math import prod
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.codegen import default_plan, is_lowered, lower
from lutloom.codegen.streams import processes_of
from lutloom.codegen.transpositions import Step, steps_of
from lutloom.core.graph import Graph, Node
from lutloom.core.ops import Permute, TopK
from lutloom.core.types import BIPOLAR, IntType, TensorType

if TYPE_CHECKING:
    from collections.abc import Callable

    from lutloom.core.plan import Plan

NIBBLE = IntType(-8, 7)


def lanes(steps: tuple[Step, ...]) -> list[int]:
    """Return the elements in the widest word of each step, up to 256."""
    return [max(pe for pe in step.move.words if pe <= 256) for step in steps]


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
        (y,) = step.op.reference(y.reshape(1, *step.shape))
    assert np.array_equal(y.reshape(-1), op.reference(x)[0].reshape(-1))
    whole = (Step(shape, op.axes),)
    assert steps == whole or (min(lanes(steps)) > 1 and lanes(whole) == [1])


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
        # Matrices: by tiles as large as is wanted, or can be; of prime numbers there are none.
        ((64, 32), (1, 0), 1, [256, 4]),
        ((196, 3, 64), (1, 2, 0), 1, [16, 224, 14]),
        ((5, 64, 32), (0, 2, 1), 1, [16, 256, 16]),
        ((4, 64), (1, 0), 256, [256]),
        ((257, 263), (1, 0), 1, [1]),
    ],
)
def test_several_transpositions_stand_for_one_where_their_words_are_wider(
    shape: tuple[int, ...], axes: tuple[int, ...], alone: int, apart: list[int]
) -> None:
    assert lanes((Step(shape, axes),)) == [alone]
    assert lanes(steps_of(Permute(axes), TensorType(NIBBLE, shape))) == apart


@pytest.mark.parametrize("element", [NIBBLE, BIPOLAR])
def test_a_depth_to_space_agrees_at_a_pixel_every_other_cycle(
    element: IntType, agree: Callable[..., Any]
) -> None:
    x = TensorType(element, (3, 40, 6, 2, 2))
    graph = Graph({"x": x}, (Node(("y",), Permute((0, 3, 1, 4, 2)), ("x",)),), ("y",))
    lowered = lower(graph)
    assert is_lowered(lowered)
    assert list(processes_of(lowered)) == ["y/step1", "y"]
    agree(lowered, default_plan(lowered, cycles=3 * 40 * 6))


def test_matrices_agree_by_tiles_however_they_are_folded(
    draw_plan: Callable[..., Plan], agree: Callable[..., Any]
) -> None:
    x = TensorType(NIBBLE, (3, 16, 42))
    nodes = (
        Node(("y",), Permute((0, 2, 1)), ("x",)),
        Node(("z",), Permute((1, 2, 0)), ("y",)),
        Node(("top",), TopK(2), ("z",)),
    )
    lowered = lower(Graph({"x": x}, nodes, ("top",)))
    assert lower(lowered) is lowered
    assert list(processes_of(lowered)) == ["y/step1", "y/step2", "z/step1", "z", "top"]
    agree(lowered, draw_plan(np.random.default_rng(0), lowered))
