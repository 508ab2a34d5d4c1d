"""Chains of random pools over random images, which are filled up again between them."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from lutloom.codegen.kernels import Site
from lutloom.codegen.kernels.pools import is_disjoint
from lutloom.core.ops import MaxPool, Reshape, SumPool
from tests.windows import random_image, random_windows

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from lutloom.core.graph import Graph
    from lutloom.core.types import IntType, TensorType


def refill(net: Any, shape: tuple[int, ...], element: IntType) -> None:  # noqa: ANN401
    """Append what makes an image of ``shape`` and ``element`` of whatever the last value is."""
    net.append(Reshape((net.type.size,)))
    net.matvec(prod(shape), (-1, 0, 0, 0, 1))
    net.append(Reshape(shape))
    if 1 < element.count <= 16:
        net.count(element)
    else:
        net.threshold(element)


def random_pool(
    rng: np.random.Generator, kind: type[MaxPool | SumPool], x: TensorType, *, disjoint: bool
) -> MaxPool | SumPool:
    """Return a pool that fits ``x``, with windows that overlap or do not."""
    while True:
        windows = random_windows(rng, x.shape[:-1], spaced=False)
        stride = windows.stride
        if disjoint and rng.integers(2):
            stride = windows.kernel
        op = kind(windows.kernel, stride, windows.dilation, windows.pads)
        try:
            site = Site(op, (x,), op.infer(x))
        except TypeError:
            continue
        if is_disjoint(site) == disjoint:
            return op


def pooled_chain(
    net: Any,  # noqa: ANN401
    kind: type[MaxPool | SumPool],
    elements: Sequence[IntType],
) -> Graph:
    """Return ``net`` with a pool for each of ``elements``, every other one disjoint."""
    for index, element in enumerate(elements):
        channels = int(net.rng.choice([1, 2, 4, 6]))
        refill(net, (*random_image(net.rng, most=7), channels), element)
        net.append(random_pool(net.rng, kind, net.type, disjoint=index % 2 == 0))
    graph: Graph = net.graph
    return graph
