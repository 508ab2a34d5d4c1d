"""Random layers: a graph of one operator, lowered, in which there is a process of a given kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.codegen import lower
from lutloom.codegen.lower import LoweringError
from lutloom.codegen.streams import processes_of
from lutloom.core.graph import Graph, Node
from lutloom.core.types import TensorType
from tests.codegen.conftest import TYPES
from tests.graphs import TAKE_TWO, random_op

if TYPE_CHECKING:
    import numpy as np

    from lutloom.core.op import Op


def random_layer(rng: np.random.Generator, kind: str) -> Graph:
    """Return such a graph, of a tensor of one to three axes of any size up to a few."""
    while True:
        shape = tuple(int(size) for size in rng.integers(1, 13, int(rng.integers(1, 4))))
        x = TensorType(TYPES[rng.integers(len(TYPES))], shape)
        op = random_op(rng, x)
        try:
            graph = _lowered(op, x)
        except LoweringError:  # of what moves nothing
            continue
        if any(node.op.name == kind for node in processes_of(graph).values()):
            return graph


def _lowered(op: Op, x: TensorType) -> Graph:
    reads = ("x",) * (2 if isinstance(op, TAKE_TWO) else 1)
    results = tuple(f"y{index}" for index, _ in enumerate(op.infer(*(x for _ in reads))))
    return lower(Graph({"x": x}, (Node(results, op, reads),), results))
