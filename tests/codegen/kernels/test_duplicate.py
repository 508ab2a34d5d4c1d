from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lutloom.codegen import lower
from lutloom.core.ops import Add, Duplicate
from lutloom.core.types import Const, IntType, TensorType

if TYPE_CHECKING:
    from collections.abc import Callable


def test_every_reader_gets_every_word(
    chain: Callable[..., Any], draw_plan: Callable[..., Any], agree: Callable[..., Any]
) -> None:
    net = chain(1, TensorType(IntType(0, 3), (12,)))
    first = net.threshold(IntType(-8, 7))
    second = net.threshold(IntType(0, 255))
    third = net.threshold(IntType(-1, 1))
    net.append(Add(Const([[1], [2], [3], [4], [5]])), first, second, third, first)
    lowered = lower(net.graph)
    copies = {n.name: n.op.copies for n in lowered.nodes if isinstance(n.op, Duplicate)}
    assert copies == {f"{first}/copy0": 3, f"{second}/copy0": 2, f"{third}/copy0": 2}
    agree(lowered, draw_plan(np.random.default_rng(6), lowered))
