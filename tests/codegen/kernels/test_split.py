from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lutloom.codegen import legal_values, lower
from lutloom.codegen.folding import unfolded_plan
from lutloom.core.graph import Graph, Node
from lutloom.core.ops import Concat, Reshape, Slice, Split
from lutloom.core.plan import Folding
from lutloom.core.types import BIPOLAR, IntType, TensorType

if TYPE_CHECKING:
    from collections.abc import Callable


def test_parts_agree_along_every_axis_however_they_are_folded(
    draw_plan: Callable[..., Any], agree: Callable[..., Any]
) -> None:
    x = TensorType(IntType(-3, 9, 4), (4, 3, 6))
    nodes = (
        # Two parts of the rows, with one dropped; of columns all; of channels one.
        Node(("a", "b"), Split(0, (0, 1, 2, 4)), ("x",)),
        Node(("c", "d", "e"), Split(1, (0, 1, 1, 2, 2, 3)), ("b",)),
        Node(("f",), Split(2, (2, 4)), ("d",)),
        Node(("g",), Slice(2, 4, 6), ("d",)),
        # In part what is also in f and g.
        Node(("h",), Slice(2, 3, 6), ("d",)),
        *(Node((f"flat_{n}",), Reshape((size,)), (n,)) for n, size in SIZES.items()),
        Node(("y",), Concat(0), tuple(f"flat_{n}" for n in SIZES)),
    )
    lowered = lower(Graph({"x": x}, nodes, ("y",)))
    for seed in (0, 1):
        agree(lowered, draw_plan(np.random.default_rng(seed), lowered))


SIZES = {"a": 18, "c": 12, "e": 12, "f": 4, "g": 4, "h": 6}


@pytest.mark.parametrize("element", [IntType(0, 300), BIPOLAR])
def test_parts_agree_in_every_folding(element: IntType, agree: Callable[..., Any]) -> None:
    x = TensorType(element, (2, 5, 12))
    foldings = (1, 2, 3, 4, 6, 12)
    nodes = []
    for pe in foldings:
        nodes.append(Node((f"a{pe}", f"b{pe}"), Split(1, (0, 1, 3, 4)), ("x",)))
        nodes.append(Node((f"c{pe}",), Split(0, (1, 2)), (f"b{pe}",)))
    parts = [f"{part}{pe}" for pe in foldings for part in "ac"]
    nodes.append(Node(("y",), Concat(0), tuple(parts)))
    lowered = lower(Graph({"x": x}, tuple(nodes), ("y",)))
    assert legal_values(lowered, "c3")["pe"] == foldings
    plan = unfolded_plan(lowered)
    chosen = {f"{part}{pe}": Folding(pe) for part in "ac" for pe in foldings}
    agree(lowered, replace(plan, foldings={**plan.foldings, **chosen}))
