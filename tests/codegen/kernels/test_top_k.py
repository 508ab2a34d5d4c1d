from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lutloom.codegen.kernels import KERNELS, Site
from lutloom.core.ops import Requantize, TopK
from lutloom.core.ops.requantize import digits
from lutloom.core.plan import Folding
from lutloom.core.types import Const, IntType, TensorType

if TYPE_CHECKING:
    from collections.abc import Callable


def test_ties_go_to_the_lowest_channel_however_it_is_folded(
    chain: Callable[..., Any], draw_plan: Callable[..., Any], agree: Callable[..., Any]
) -> None:
    # Four values over eight and more channels: every frame has ties.
    net = chain(11, TensorType(IntType(-2, 1), (2, 8)))
    for k, rows in ((1, 12), (3, 10), (10, 6), (2, 12), (5, 1), (1, 8), (8, 4)):
        net.append(TopK(k))
        net.matvec(rows, (-1, 0, 1))
        net.threshold(IntType(-2, 1))
    net.append(TopK(1))
    graph = net.graph
    agree(graph, draw_plan(np.random.default_rng(2), graph), images=12)


def test_channels_with_scales_of_their_own_agree_however_they_are_folded(
    chain: Callable[..., Any], draw_plan: Callable[..., Any], agree: Callable[..., Any]
) -> None:
    """Multiplied and shifted first, by up to 40 bits, as an import does it."""
    net = chain(5, TensorType(IntType(-8, 7), (2, 8)))
    rng = np.random.default_rng(3)
    for k, most in ((3, 100), (1, 2**40)):
        for span in (most, 1):  # every channel its own, and none of them
            multipliers, biases = rng.integers(-span, span + 1, (2, 8 if span > 1 else 1))
            reach = Const([16 * span])
            clamps = (Const(-reach.int64), reach)
            net.append(Requantize(digits(multipliers), digits(biases), 0, *clamps))
        net.append(TopK(k))
        net.matvec(8, (-1, 0, 1))
    graph = net.graph
    agree(graph, draw_plan(np.random.default_rng(2), graph), images=12)


@pytest.mark.parametrize(("k", "pe", "cycles"), [(1, 1, 10), (1, 5, 2), (3, 1, 12), (10, 10, 10)])
def test_the_list_is_emptied_while_nothing_is_read(k: int, pe: int, cycles: int) -> None:
    x = TensorType(IntType(0, 3), (10,))
    op = TopK(k)
    assert KERNELS["top_k"].cycles(Site(op, (x,), op.infer(x)), Folding(pe=pe)) == cycles
