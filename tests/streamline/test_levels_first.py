"""Levels in front of what moves them: narrower, and the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lutloom.core.graph import Graph, Node
from lutloom.core.ops import (
    BorderThreshold,
    Concat,
    Permute,
    Requantize,
    Reshape,
    Slice,
    Threshold,
    Upsample,
)
from lutloom.core.types import Const, IntType, TensorType
from lutloom.sim.reference import run
from lutloom.streamline.passes.levels_first import levels_first

if TYPE_CHECKING:
    from lutloom.core.op import Op

WIDE, BIT = IntType(-100, 100), IntType(0, 1)


def staircase(channels: int, seed: int = 0, steps: int = 3) -> Threshold:
    rng = np.random.default_rng(seed)
    table = np.sort(rng.integers(-90, 90, (channels, steps)), axis=1)
    deltas = rng.choice([-1, 1], (channels, 1))
    return Threshold(Const(table), Const(rng.integers(-2, 2, channels)), Const(deltas))


def product(channels: int) -> Requantize:
    rng = np.random.default_rng(1)
    factors, biases = (Const(rng.integers(-9, 9, (channels, 1))) for _ in range(2))
    return Requantize(factors, biases, 5, Const(np.array([-4])), Const(np.array([3] * channels)))


def chain(shape: tuple[int, ...], *ops: Op, element: IntType = WIDE) -> Graph:
    nodes = [
        Node((f"v{place}",), op, (f"v{place - 1}" if place else "x",))
        for place, op in enumerate(ops)
    ]
    return Graph({"x": TensorType(element, shape)}, tuple(nodes), (nodes[-1].name,))


def kinds(graph: Graph) -> list[type]:
    return [type(node.op) for node in graph.nodes]


def moved(graph: Graph) -> Graph:
    """Return the graph behind the pass, which must compute the same under the same name."""
    after = levels_first(graph)
    assert after.outputs == graph.outputs
    rng = np.random.default_rng(2)
    data = {
        name: rng.integers(t.element.lo, t.element.hi + 1, (20, *t.shape))
        for name, t in graph.inputs.items()
    }
    (name,) = graph.outputs
    assert (run(after, data)[name] == run(graph, data)[name]).all()
    return after


@pytest.mark.parametrize("quantizer", [staircase(1), product(1)])
def test_what_all_channels_share_comes_before_any_moves(quantizer: Op) -> None:
    moves = (Reshape((2, 3, 2, 2)), Permute((0, 2, 1, 3)), Reshape((4, 6)), Upsample((2, 1)))
    graph = moved(chain((2, 3, 4), *moves, quantizer))
    assert kinds(graph) == [type(quantizer), Reshape, Permute, Reshape, Upsample]


@pytest.mark.parametrize("quantizer", [staircase(3), product(3)])
def test_numbers_of_channels_follow_them(quantizer: Op) -> None:
    graph = moved(chain((2, 3), Permute((0, 1)), Upsample((3, 1)), quantizer))
    assert kinds(graph)[0] is type(quantizer)
    repeated = moved(chain((2, 3), Upsample((2, 2)), staircase(6)))
    assert kinds(repeated) == [Upsample, Threshold]  # copies of a channel have other numbers
    shuffled = moved(
        chain((2, 6), Reshape((2, 2, 3)), Permute((0, 2, 1)), Reshape((2, 6)), staircase(6))
    )
    assert kinds(shuffled) == [Threshold, Reshape, Permute, Reshape]


def test_a_number_without_axes_is_its_only_channel() -> None:
    after = moved(chain((), Permute(()), staircase(1)))
    assert kinds(after) == [Threshold, Permute]


def test_numbers_that_would_differ_by_place_stay_behind() -> None:
    graph = chain((3, 2), Permute((1, 0)), staircase(3))
    assert levels_first(graph) is graph


def test_blocks_of_pixels_take_the_numbers_of_their_channel() -> None:
    moves = (Reshape((2, 3, 2, 2, 4)), Permute((0, 2, 1, 3, 4)), Reshape((4, 6, 4)))
    graph = moved(chain((2, 3, 16), *moves, staircase(4)))
    assert kinds(graph)[0] is Threshold
    (threshold, *_) = graph.nodes
    assert isinstance(threshold.op, Threshold)
    assert threshold.op.thresholds.shape[0] == 16


def test_staircases_by_place_become_those_of_channels() -> None:
    """As behind a depth to space: the places within a block were channels in front of it."""
    rng, classes = np.random.default_rng(3), Const(np.array([0, 1, 0, 1]))
    table = Const(np.sort(rng.integers(-90, 90, (2, 2, 4, 3)), axis=-1))
    base, deltas = Const(rng.integers(-2, 2, (2, 2, 4))), Const(np.ones((2, 2, 4, 1), np.int64))
    quantizer = BorderThreshold(table, base, deltas, classes, classes)
    moves = (Reshape((2, 2, 2, 2, 4)), Permute((0, 2, 1, 3, 4)), Reshape((4, 4, 4)))
    graph = moved(chain((2, 2, 16), *moves, quantizer))
    assert kinds(graph) == [Threshold, Reshape, Permute, Reshape]
    border = Const(np.array([0, 1, 1, 0]))
    other = chain((2, 2, 16), *moves, replace(quantizer, rows=border))
    assert levels_first(other) is other


def test_values_that_hold_other_integers_have_other_names() -> None:
    graph = chain((2, 4), Reshape((2, 2, 2)), Permute((1, 0, 2)), Upsample((1, 2, 1)), staircase(1))
    after = moved(graph)
    assert {name for node in after.nodes for name in node.results}.isdisjoint({"v0", "v1", "v2"})


@pytest.mark.parametrize("axis", [0, 1])
def test_branches_of_a_join_are_quantized_by_themselves(axis: int) -> None:
    types = [TensorType(WIDE, (2, 3)), TensorType(IntType(-600, 600), (2, 3))]
    quantizer = staircase(6 if axis else 3)
    nodes = (Node(("j",), Concat(axis), ("x", "y")), Node(("q",), quantizer, ("j",)))
    graph = moved(Graph({"x": types[0], "y": types[1]}, nodes, ("q",)))
    assert kinds(graph) == [Threshold, Threshold, Concat]


def test_what_is_no_narrower_stays() -> None:
    narrow = chain((2, 3), Permute((1, 0)), staircase(1), element=BIT)
    assert levels_first(narrow) is narrow
    wire = chain((2, 3), Reshape((6,)), staircase(6))
    assert levels_first(wire) is wire
    parts = chain((2, 3), Slice(1, 0, 2), staircase(2))
    assert levels_first(parts) is parts
    types = TensorType(IntType(-4, 3), (2, 3))
    nodes = (Node(("j",), Concat(0), ("x", "x")), Node(("q",), staircase(1), ("j",)))
    join = Graph({"x": types}, nodes, ("q",))
    assert levels_first(join) is join


def test_what_somebody_else_reads_stays() -> None:
    nodes = (
        Node(("p",), Permute((1, 0)), ("x",)),
        Node(("q",), staircase(1), ("p",)),
        Node(("j",), Concat(0), ("p", "q")),
    )
    graph = Graph({"x": TensorType(WIDE, (2, 3))}, nodes, ("j",))
    assert levels_first(graph) is graph
