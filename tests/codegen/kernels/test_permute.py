from __future__ import annotations

from math import prod
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.codegen.kernels.permute import Move, Walk, move_of, walk_of
from lutloom.core.ops import Permute
from lutloom.core.types import BIPOLAR, IntType
from tests.codegen.every_folding import in_every_folding

if TYPE_CHECKING:
    from collections.abc import Callable

    Case = tuple[tuple[int, ...], tuple[int, ...]]

CASES: tuple[Case, ...] = (
    ((4, 6), (1, 0)),
    ((2, 3, 4), (1, 0, 2)),
    ((2, 3, 4), (2, 1, 0)),
    # A channel shuffle: within a word, or an element at a time.
    ((2, 2, 2, 3), (0, 1, 3, 2)),
    # Depth to space, in both orders of the channels, and back.
    ((2, 2, 2, 2, 3), (0, 2, 1, 3, 4)),
    ((2, 2, 3, 2, 2), (0, 3, 1, 4, 2)),
    ((2, 2, 2, 2, 3), (0, 2, 1, 3, 4)),
    # Rows and columns change places, and so do the channels of a word.
    ((2, 3, 2, 3), (1, 0, 3, 2)),
    ((2, 1, 3, 1, 2, 2), (2, 1, 0, 5, 3, 4)),
    ((5, 4), (1, 0)),
)

shapes = st.lists(st.integers(1, 4), max_size=5)


def shuffled(random: Random, shape: list[int]) -> Case:
    axes = list(range(len(shape)))
    random.shuffle(axes)
    return tuple(shape), tuple(axes)


@given(shapes, st.randoms())
def test_fewer_axes_move_the_same_elements(shape: list[int], random: Random) -> None:
    sizes, axes = shuffled(random, shape)
    move = move_of(sizes, axes)
    wanted = np.arange(prod(sizes)).reshape(sizes).transpose(axes).reshape(-1)
    assert np.array_equal(move.order, wanted)
    assert 1 not in move.shape
    assert all(after != axis + 1 for axis, after in zip(move.axes, move.axes[1:], strict=False))


def test_what_stays_side_by_side_is_one_axis() -> None:
    assert move_of((2, 5, 3, 4, 1), (0, 4, 2, 3, 1)) == Move((2, 5, 12), (0, 2, 1))
    assert move_of((1, 6, 1, 2), (2, 1, 0, 3)) == Move((12,), (0,))


def walked(walk: Walk) -> list[int]:
    """Return the words of the input in the order in which they leave, each beat held to rules."""
    words = prod(walk.sizes)
    memory: list[tuple[int, int] | None] = [None] * walk.depth
    indices, slot, order = [0] * len(walk.sizes), 0, []
    for beat in range(walk.beats):
        if beat >= walk.lag:
            held = memory[slot]
            assert held is not None, "nothing is there yet"
            assert beat - held[1] >= 2, "a word is read too early"
            assert beat >= words or beat % walk.depth != slot, "a slot is read while it is written"
            order.append(held[0])
            for axis in reversed(range(len(indices))):
                if indices[axis] < walk.sizes[axis] - 1:
                    indices[axis] += 1
                    slot = (slot + walk.steps[axis]) % walk.depth
                    break
                indices[axis] = 0
        if beat < words:
            memory[beat % walk.depth] = (beat, beat)
    return order


@given(shapes, st.randoms())
def test_the_walk_visits_words_in_the_order_of_the_result(shape: list[int], random: Random) -> None:
    move = move_of(*shuffled(random, shape))
    for pe in move.words:
        walk = walk_of(move, pe)
        words = walked(walk) if walk.depth else list(range(prod(walk.sizes)))
        lanes = np.array(words)[:, np.newaxis] * pe + walk.lanes
        assert np.array_equal(lanes.reshape(-1), move.order)


@pytest.mark.parametrize(
    ("case", "pe", "lag", "depth"),
    [
        # Of two columns the second waits for the last row: a memory of all of them.
        (((4, 6), (1, 0)), 1, 17, 24),
        # Rows of a depth to space: half of each, and no memory for whole images.
        (((8, 4, 2, 2, 3), (0, 2, 1, 3, 4)), 6, 5, 9),
        # A channel shuffle of whole pixels is wires, of elements a memory of a pixel.
        (((8, 8, 2, 3), (0, 1, 3, 2)), 6, 0, 0),
        (((8, 8, 2, 3), (0, 1, 3, 2)), 1, 4, 7),
    ],
)
def test_what_waits_is_kept_and_no_more(case: Case, pe: int, lag: int, depth: int) -> None:
    walk = walk_of(move_of(*case), pe)
    assert (walk.lag, walk.depth) == (lag, depth)


@pytest.mark.parametrize("element", [IntType(-8, 7), BIPOLAR])
def test_transpositions_agree_in_every_folding(element: IntType, agree: Callable[..., Any]) -> None:
    cases = [(shape, Permute(axes)) for shape, axes in CASES[element == BIPOLAR :: 2]]
    graph, plan = in_every_folding(cases, element)
    assert max(folding.pe for folding in plan.foldings.values()) > 4
    agree(graph, plan)
