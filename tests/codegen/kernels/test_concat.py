from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lutloom.codegen import legal_values, lower
from lutloom.codegen.folding import unfolded_plan
from lutloom.core.graph import Node
from lutloom.core.ops import Concat, Reshape
from lutloom.core.plan import Folding
from lutloom.core.types import BIPOLAR, IntType, TensorType

if TYPE_CHECKING:
    from collections.abc import Callable

# Inputs of one code as another: sign extended, with an offset, with a factor, a constant.
TARGETS = (
    (IntType(-8, 7), IntType(0, 3), BIPOLAR),
    (IntType(0, 12, 4), IntType(-2, 0, 2)),
    (IntType(5, 5), IntType(-7, -1, 3), IntType(5, 5)),
    (IntType(5, 5), IntType(5, 5)),
    (IntType(0, 255), IntType(-100, 27), IntType(0, 1), IntType(-1, 0)),
    (IntType(-3, 3, 2), IntType(-4, -4)),
)


def joined(net: Any, axis: int, targets: tuple[IntType, ...], *others: str) -> str:  # noqa: ANN401
    """Append the join of a threshold for each of ``targets``, and of ``others``."""
    parts = [net.threshold(target) for target in targets]
    name: str = net.append(Concat(axis), *parts[:-1][::-1], *others)
    return name


def test_what_is_joined_agrees_along_every_axis_however_it_is_folded(
    chain: Callable[..., Any], draw_plan: Callable[..., Any], agree: Callable[..., Any]
) -> None:
    net = chain(0, TensorType(IntType(0, 7), (2, 2, 3)))
    for axis, targets in enumerate(TARGETS):
        joined(net, axis % 3, targets, *([net.last] if axis < 2 else []))
    net.append(Reshape((net.type.size,)))
    joined(net, 0, (BIPOLAR,), net.last)
    lowered = lower(net.graph)
    agree(lowered, draw_plan(np.random.default_rng(3), lowered))


def test_what_is_joined_agrees_in_every_folding(
    chain: Callable[..., Any], agree: Callable[..., Any]
) -> None:
    net = chain(0, TensorType(IntType(-8, 7), (3, 4)))
    parts = ["x", *(net.threshold(target) for target in TARGETS[0])]
    foldings: dict[str, Folding] = {}
    wires = []
    for index, (axis, pe) in enumerate([(0, pe) for pe in (1, 2, 3, 4, 6, 12)] + [(1, 4)]):
        name, inputs = f"join{index}", tuple(parts[index % 4 :] + parts[: index % 4])
        net.nodes.append(Node((name,), Concat(axis), inputs))
        net.last = name
        wires.append(net.append(Reshape((48,))))
        foldings[name] = Folding(pe)
    net.append(Concat(0), *wires[:-1])
    lowered = lower(net.graph)
    assert legal_values(lowered, "join0")["pe"] == (1, 2, 3, 4, 6, 12)
    assert legal_values(lowered, "join6")["pe"] == (1, 2, 4)
    plan = unfolded_plan(lowered)
    agree(lowered, replace(plan, foldings={**plan.foldings, **foldings}))
