from __future__ import annotations

from itertools import permutations
from math import prod
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lutloom.codegen import lower
from lutloom.codegen.kernels.permute import walk
from lutloom.core.ops import Permute, Reshape
from lutloom.core.types import IntType, TensorType

if TYPE_CHECKING:
    from collections.abc import Callable


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.randoms())
def test_the_walk_visits_the_elements_in_the_order_of_the_result(
    shape: list[int], random: Random
) -> None:
    axes = list(range(len(shape)))
    random.shuffle(axes)
    sizes, steps = walk(tuple(shape), tuple(axes))
    addresses, address, indices = [], 0, [0] * len(sizes)
    for _ in range(prod(shape)):
        addresses.append(address)
        for axis in reversed(range(len(sizes))):
            if indices[axis] == sizes[axis] - 1:
                indices[axis] = 0
                continue
            indices[axis] += 1
            address += steps[axis]
            break
    assert addresses == np.arange(prod(shape)).reshape(shape).transpose(axes).ravel().tolist()


def test_transpositions_agree_however_they_are_folded(
    chain: Callable[..., Any], draw_plan: Callable[..., Any], agree: Callable[..., Any]
) -> None:
    net = chain(1, TensorType(IntType(-8, 7), (2, 3, 4)))
    for axes in permutations(range(3)):
        net.append(Permute(axes))
    net.append(Reshape((4, 6)))
    net.append(Permute((1, 0)))
    net.append(Reshape((24,)))
    net.append(Permute((0,)))
    graph = lower(net.graph)
    agree(graph, draw_plan(np.random.default_rng(8), graph))
