"""Graphs of a sum of products and a staircase behind it, for tests of the engine's kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lutloom.core.graph import Graph, Node
from lutloom.core.ops import Conv, Depthwise, Linear, MatVec, SumPool, Threshold
from lutloom.core.types import BIPOLAR, Const, IntType, TensorType
from tests.windows import random_classes, random_image, random_pool, random_windows

if TYPE_CHECKING:
    from lutloom.core.op import Op
    from lutloom.core.types import IntArray

ELEMENTS = (
    BIPOLAR,
    IntType(-1, 1),
    IntType(0, 15),
    IntType(-128, 127),
    IntType(0, 255),
    IntType(-3, 9, 4),
    IntType(5, 5),
    IntType(-2000, 2000, 8),
    IntType(-30000, 30000),
    IntType(-40000, 0),
)
WEIGHTS = ((-1, 1), (-1, 0, 1), (-8, 7), (-127, 127), (-128, 127), (0,), (2, 4, -6), (-300, 200))
WIDE_WEIGHTS = ((-32768, 32767), (1000000, -1))


def random_weights(rng: np.random.Generator, *shape: int) -> Const:
    """Return weights of a few values, or of all in between."""
    values = [*WEIGHTS, *WIDE_WEIGHTS][rng.integers(len(WEIGHTS) + len(WIDE_WEIGHTS))]
    if rng.integers(2):
        return Const(rng.choice(values, shape))
    return Const(rng.integers(min(values), max(values), shape, endpoint=True))


def random_sums(rng: np.random.Generator, element: IntType) -> tuple[tuple[int, ...], Op]:
    """Return a shape, and an operator that sums products of a tensor of that shape."""
    channels = int(rng.choice([1, 2, 3, 4, 6, 8, 12, 16, 20, 64, 65]))
    divisors = [n for n in range(1, channels + 1) if channels % n == 0]
    groups = int(rng.choice([1, 1, *divisors]))
    outputs = groups * int(rng.choice([1, 2, 3, 10, 16, 17, 33, 64, 70][: 9 if groups < 5 else 3]))
    image = random_image(rng)
    shape = (*image, channels)
    fill = int(rng.choice([0, 0, element.lo, element.hi, int(rng.integers(-4, 5)), 100000]))
    windows = random_windows(rng, image, most=4)
    places = (windows.stride, windows.dilation, windows.pads, windows.spacing)
    match int(rng.integers(7)):
        case 0:
            return shape, Depthwise(random_weights(rng, *windows.kernel, channels), *places, fill)
        case 1:
            return shape[rng.integers(len(shape)) :], Linear(random_weights(rng, channels, outputs))
        case 2:
            kinds, classes = random_classes(rng, shape)
            border = Const(rng.integers(-50, 50, (*kinds, int(rng.choice([1, outputs])))))
            matrix = random_weights(rng, outputs, channels // groups)
            return shape, MatVec(matrix, groups, border, *classes)
        case 3:
            return shape, random_pool(rng, image, SumPool)
        case _:
            weights = random_weights(rng, *windows.kernel, channels // groups, outputs)
            return shape, Conv(weights, *places, groups, fill)


def random_stairs(rng: np.random.Generator, x: TensorType) -> Threshold:
    """Return staircases for ``x``: of equal steps or of any, up or down, few or many."""
    rows = int(rng.choice([1, x.channels]))
    levels = int(rng.choice([1, 1, 2, 3, 4, 7, 15, 40, 255, 300]))
    lo, hi = x.element.lo, x.element.hi
    if rng.integers(3):
        middle = rng.uniform(lo, hi, (rows, 1))
        width = rng.uniform(0.1, max(1, (hi - lo) / levels), (rows, 1))
        table = np.ceil(middle + width * (np.arange(levels) - levels / 2)).astype(np.int64)
    else:
        table = np.sort(rng.integers(lo - 2, hi + 3, (rows, levels)), axis=1)
    heights = rng.choice([-1, 1, 1, 2], (rows, 1)) * np.ones((1, levels), np.int64)
    if rng.integers(4) == 0:
        heights = rng.integers(0, 3, (rows, levels))
    return Threshold(Const(table), Const(rng.integers(-4, 5, rows)), Const(heights))


def random_products(rng: np.random.Generator) -> tuple[Graph, dict[str, IntArray]]:
    """Return a graph that begins with a sum of products, and inputs for it."""
    element = ELEMENTS[rng.integers(len(ELEMENTS))]
    shape, op = random_sums(rng, element)
    inputs = {"x": TensorType(element, shape)}
    nodes = [Node(("sums",), op, ("x",))]
    if rng.integers(4):
        sums = Graph(inputs, tuple(nodes), ("sums",)).types["sums"]
        nodes.append(Node(("codes",), random_stairs(rng, sums), ("sums",)))
        if rng.integers(2):
            # With signs alone the codes are made as bits.
            values = ([-1, 0, 1, 2], [-1, 1])[rng.integers(2)]
            weights = Const(rng.choice(values, (sums.channels, 3)))
            nodes.append(Node(("y",), Linear(weights), ("codes",)))
    graph = Graph(inputs, tuple(nodes), (nodes[-1].name,))
    images = int(rng.choice([1, 2, 5, 17, 40]))
    codes = rng.integers(0, element.count, (images, *shape))
    if rng.integers(3) == 0:
        codes = rng.choice([0, element.count - 1], (images, *shape))
    return graph, {"x": element.lo + element.step * codes}
