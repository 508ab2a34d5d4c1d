"""Operators beside one another, each in all of its foldings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lutloom.codegen import lower, unfolded_plan
from lutloom.codegen.kernels import KERNELS, Site
from lutloom.core.graph import Graph, Node
from lutloom.core.op import Op
from lutloom.core.ops import Concat, Reshape, Slice
from lutloom.core.plan import Folding, Plan
from lutloom.core.types import IntType, TensorType


def in_every_folding(
    cases: Sequence[tuple[tuple[int, ...], Op]], element: IntType
) -> tuple[Graph, Plan]:
    """Return a graph with operators on tensors of given shapes, and a plan that has all ``pe``.

    Each is there once for each; they read parts of one input, and their results are joined.
    """
    tensors = [TensorType(element, shape) for shape, _ in cases]
    nodes: list[Node] = []
    foldings: dict[str, Folding] = {}
    results = []
    for index, (x, (shape, op)) in enumerate(zip(tensors, cases, strict=True)):
        site = Site(op, (x,), op.infer(x))
        nodes.append(Node((f"part{index}",), Slice(0, 0, x.size), ("x",)))
        nodes.append(Node((f"shaped{index}",), Reshape(shape), (f"part{index}",)))
        for pe in KERNELS[op.name].legal(site, Folding()).pe:
            name = f"{op.name}{index}/{pe}"
            nodes.append(Node((name,), op, (f"shaped{index}",)))
            nodes.append(Node((f"flat/{name}",), Reshape((site.outputs[0].size,)), (name,)))
            foldings[name] = Folding(pe)
            results.append(f"flat/{name}")
    nodes.append(Node(("y",), Concat(0), tuple(results)))
    x = TensorType(element, (max(tensor.size for tensor in tensors),))
    graph = lower(Graph({"x": x}, tuple(nodes), ("y",)))
    plan = unfolded_plan(graph)
    return graph, replace(plan, foldings={**plan.foldings, **foldings})
