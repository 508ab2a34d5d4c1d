from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.codegen import lower
from lutloom.codegen.folding import unfolded_plan
from lutloom.codegen.kernels import KERNELS, Site
from lutloom.codegen.kernels.upsample import Level, levels_of
from lutloom.core.graph import Graph, Node
from lutloom.core.ops import Concat, Reshape, Slice, Upsample
from lutloom.core.plan import Folding
from lutloom.core.types import BIPOLAR, IntType, TensorType

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Case = tuple[tuple[int, ...], tuple[int, ...]]

# Images, a vector and a map of places that are broadcast, numbers, channels; ones in between.
CASES = (
    ((3, 2, 6), (2, 2, 1)),
    ((3, 2, 6), (2, 1, 1)),
    ((3, 2, 6), (1, 3, 1)),
    ((1, 1, 6), (3, 2, 1)),
    ((3, 2, 1), (1, 1, 4)),
    ((1, 1, 1), (2, 3, 4)),
    ((2, 3, 2), (1, 2, 6)),
    ((2, 1, 2), (3, 2, 3)),
    ((2, 2, 2, 2), (2, 1, 2, 3)),
    ((5,), (1,)),
    ((5,), (4,)),
    ((1, 3, 1, 2, 1), (2, 2, 2, 2, 2)),
)


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), max_size=5))
def test_levels_repeat_what_the_axes_do(axes: list[tuple[int, int]]) -> None:
    shape, factors = [tuple(column) for column in zip(*axes, strict=True)] if axes else ((), ())
    levels = levels_of(shape, factors)
    x = np.arange(prod(shape)).reshape(1, *shape)
    wanted = Upsample(factors).reference(x)[0].reshape(-1)
    grouped = x.reshape(1, *(level.size for level in levels))
    repeats = tuple(level.repeats for level in levels)
    assert Upsample(repeats).reference(grouped)[0].reshape(-1).tolist() == wanted.tolist()
    assert all(level.repeats > 1 for level in levels[:-1])
    assert all(level.size > 1 for level in levels[1:])


def test_what_is_broadcast_is_one_level() -> None:
    assert levels_of((1, 1, 6), (3, 2, 1)) == (Level(1, 6), Level(6, 1))
    assert levels_of((3, 2, 1), (1, 1, 4)) == (Level(6, 4),)


def in_all_foldings(cases: Sequence[Case], element: IntType) -> Graph:
    """Return a graph with each of ``cases`` in each of its foldings: ``up0/1``, ``up0/2``, ..."""
    x = TensorType(element, (max(prod(shape) for shape, _ in cases),))
    nodes: list[Node] = []
    results = []
    for index, (shape, factors) in enumerate(cases):
        op = Upsample(factors)
        tensor = TensorType(element, shape)
        site = Site(op, (tensor,), op.infer(tensor))
        nodes.append(Node((f"part{index}",), Slice(0, 0, tensor.size), ("x",)))
        nodes.append(Node((f"image{index}",), Reshape(shape), (f"part{index}",)))
        for pe in KERNELS[op.name].legal(site, Folding()).pe:
            name = f"up{index}/{pe}"
            nodes.append(Node((name,), op, (f"image{index}",)))
            nodes.append(Node((f"flat{name}",), Reshape((site.outputs[0].size,)), (name,)))
            results.append(f"flat{name}")
    nodes.append(Node(("y",), Concat(0), tuple(results)))
    return Graph({"x": x}, tuple(nodes), ("y",))


@pytest.mark.parametrize("element", [IntType(-8, 7), BIPOLAR])
def test_what_repeats_agrees_in_every_folding(element: IntType, agree: Callable[..., Any]) -> None:
    graph = lower(in_all_foldings(CASES[element == BIPOLAR :: 2], element))
    plan = unfolded_plan(graph)
    foldings = {
        name: Folding(int(name.split("/")[1])) if name.startswith("up") else folding
        for name, folding in plan.foldings.items()
    }
    assert max(folding.pe for folding in foldings.values()) > 8
    agree(graph, replace(plan, foldings=foldings))
