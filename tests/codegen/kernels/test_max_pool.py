from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lutloom.codegen.kernels import KERNELS, Site
from lutloom.codegen.kernels.pools import is_disjoint
from lutloom.core.ops import MaxPool
from lutloom.core.plan import Folding
from lutloom.core.types import BIPOLAR, IntType, TensorType
from tests.codegen.conftest import TYPES
from tests.codegen.pooled_chains import pooled_chain

if TYPE_CHECKING:
    from collections.abc import Callable

KERNEL = KERNELS["max_pool"]


@pytest.mark.parametrize(("seed", "elements"), [(0, TYPES[::2]), (1, TYPES[1::2])])
def test_windows_of_any_kind_agree_however_they_are_folded(
    seed: int,
    elements: tuple[IntType, ...],
    chain: Callable[..., Any],
    draw_plan: Callable[..., Any],
    agree: Callable[..., Any],
) -> None:
    net = chain(seed, TensorType(IntType(-8, 7), (5, 4, 3)))
    graph = pooled_chain(net, MaxPool, elements)
    agree(graph, draw_plan(np.random.default_rng(seed), graph))


def site(op: MaxPool, shape: tuple[int, ...], element: IntType = BIPOLAR) -> Site:
    x = TensorType(element, shape)
    return Site(op, (x,), op.infer(x))


@pytest.mark.parametrize(
    ("kernel", "stride", "pads", "expected"),
    [
        ((2, 2), (2, 2), (0, 0, 0, 0), True),
        ((2, 2), (3, 3), (0, 0, 0, 0), True),
        ((2, 2), (2, 2), (1, 0, 1, 1), True),
        ((8, 8), (1, 1), (0, 0, 0, 0), True),
        ((8, 2), (1, 2), (0, -1, 0, 0), True),
        ((3, 2), (2, 2), (0, 0, 0, 0), False),
        ((2, 2), (1, 2), (0, 0, 0, 0), False),
    ],
)
def test_windows_that_do_not_overlap_take_a_word_a_beat(
    kernel: tuple[int, ...], stride: tuple[int, ...], pads: tuple[int, ...], *, expected: bool
) -> None:
    found = site(MaxPool(kernel, stride, (1, 1), pads), (8, 8, 4))
    assert is_disjoint(found) == expected
    if expected:
        assert KERNEL.cycles(found, Folding(pe=2)) == 8 * 8 * 2


def test_dilated_windows_lie_between_one_another() -> None:
    assert not is_disjoint(site(MaxPool((2,), (2,), (2,), (0, 0)), (9, 1)))
    assert is_disjoint(site(MaxPool((1,), (2,), (2,), (0, 0)), (9, 1)))


def test_overlapping_windows_take_a_tap_a_beat_or_a_word() -> None:
    taps = site(MaxPool((3, 3), (1, 1), (1, 1), (1, 1, 1, 1)), (16, 16, 4))
    # 16 * 16 results of 9 taps, behind the first row of the image and a few pixels.
    assert 0 <= KERNEL.cycles(taps, Folding(pe=4)) - 16 * 16 * 9 < 16 + 4
    words = site(MaxPool((2, 2), (1, 4), (1, 1), (0, 0, 0, 0)), (16, 16, 4))
    assert 0 <= KERNEL.cycles(words, Folding(pe=4)) - 16 * 16 < 16


def test_masked_taps_are_the_least_code() -> None:
    op = MaxPool((3, 3), (2, 2), (1, 1), (1, 1, 1, 1))
    assert KERNEL.code(site(op, (5, 5, 2), IntType(-8, 7)), Folding()).facts["least"] == "-8"
    assert KERNEL.code(site(op, (5, 5, 2), IntType(-9, -3, 3)), Folding()).facts["least"] == "0"
