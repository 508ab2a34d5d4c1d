from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lutloom.codegen import lower
from lutloom.core.ops import Add
from lutloom.core.types import BIPOLAR, Const, IntType, TensorType

if TYPE_CHECKING:
    from collections.abc import Callable


def test_weighted_sums_agree_however_they_are_folded(
    chain: Callable[..., Any], draw_plan: Callable[..., Any], agree: Callable[..., Any]
) -> None:
    net = chain(7, TensorType(IntType(0, 3), (2, 6)))
    per_channel = Const(np.random.default_rng(0).integers(-9, 9, size=(2, 6)))
    for target, multipliers in (
        (BIPOLAR, Const([[1], [1]])),
        (IntType(-3, 3, 2), Const([[2], [-4]])),
        (IntType(0, 12, 4), Const([[0], [3]])),
        (IntType(5, 5), Const([[7], [1]])),
        (IntType(-8, 7), per_channel),
        (IntType(0, 3), Const([[2**24 - 1], [-(2**23)]])),
    ):
        before = net.last
        net.threshold(target)
        net.append(Add(multipliers), before)
        net.threshold()
    first, second = net.last, net.threshold()
    net.append(Add(Const([[3], [-5], [1]])), first, second)
    lowered = lower(net.graph)
    agree(lowered, draw_plan(np.random.default_rng(4), lowered))
