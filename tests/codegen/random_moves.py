"""Random graphs whose branches part and meet, with elements that move in between."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from lutloom.core.graph import Graph, Node
from lutloom.core.ops import Add, Concat, Multiply, Permute, Reshape, Slice, Split, Upsample
from lutloom.core.types import Const, TensorType
from tests.codegen.conftest import TYPES, Chain
from tests.windows import random_image_op

_MOST = 160
"""Elements of a value: what grows further is cut down."""


class Branches(Chain):
    """A chain that goes on from any value that is there."""

    def any_shape(self) -> tuple[int, ...]:
        """Return a shape of as many elements as the last value has."""
        size, shape = self.type.size, [1]
        for factor in (2, 2, 3, 3, 5, 7):
            if size % factor == 0:
                size //= factor
                shape.insert(int(self.rng.integers(len(shape) + 1)), factor)
        shape[int(self.rng.integers(len(shape)))] *= size
        return tuple(shape)

    def cut(self) -> None:
        """Append parts along an axis, some of which nobody will read, or reads twice."""
        shape = self.type.shape
        axis = int(np.argmax(shape)) if self.type.size > _MOST else self.axis()
        inner = self.rng.integers(0, shape[axis] + 1, int(self.rng.integers(1, 5)))
        places = sorted({0, shape[axis], *inner.tolist()})
        kept = [pair for pair in pairwise(places) if self.rng.integers(4)]
        ends = [end for pair in kept or [(0, shape[axis])] for end in pair]
        names = tuple(f"part{len(self.nodes)}/{place}" for place in range(len(ends) // 2))
        self.nodes.append(Node(names, Split(axis, tuple(ends)), (self.last,)))
        self.last = names[self.rng.integers(len(names))]

    def axis(self) -> int:
        return int(self.rng.integers(len(self.type.shape)))

    def beside(self) -> str:
        """Return another value of the shape of the last one: an old one, or a new one."""
        types = self.graph.types
        alike = [name for name, t in types.items() if t.shape == types[self.last].shape]
        if self.rng.integers(2):
            return str(alike[self.rng.integers(len(alike))])
        before, made = self.last, self.threshold()
        self.last = before
        return made

    def join(self) -> None:
        others = [self.beside() for _ in range(int(self.rng.integers(1, 4)))]
        axis = self.axis()
        if self.rng.integers(2) and self.type.shape[axis] > 1:
            others.append(self.append(Slice(axis, 1, self.type.shape[axis])))
            self.last = others[0]
        self.append(Concat(axis), *others)

    def step(self) -> None:
        """Append one of the operators, or a few."""
        rng, x = self.rng, self.type
        if x.element.bits > 10:
            self.threshold()
            return
        if x.size > _MOST:
            self.cut()
            return
        match int(rng.integers(12)):
            case 0 | 1:
                self.append(Permute(tuple(rng.permutation(len(x.shape)).tolist())))
            case 2 | 3:
                self.append(Upsample(tuple(rng.choice([1, 1, 2, 3], len(x.shape)).tolist())))
            case 4 | 5:
                self.cut()
            case 6 | 7:
                self.join()
            case 8:
                self.append(Reshape(self.any_shape()))
            case 9:
                self.append(Add(Const(rng.integers(-3, 4, size=(2, 1)))), self.beside())
            case 10:
                self.append(Multiply(), self.beside())
            case _ if len(x.shape) in (2, 3):
                self.append(random_image_op(rng, x))
            case _:
                self.matvec(int(rng.integers(1, 9)))


def moving_graph(seed: int, steps: int) -> Graph:
    """Return a graph of about ``steps`` operators, whose results without a reader are joined."""
    rng = np.random.default_rng(seed)
    net = Branches(rng, TensorType(TYPES[rng.integers(len(TYPES))], (2, 3, 4)))
    for _ in range(steps):
        net.step()
        if rng.integers(4) == 0:
            net.last = str(rng.choice(list(net.graph.types)))
    users = net.graph.users
    ends = [name for name in net.graph.types if not users[name] and rng.integers(3)]
    flat = []
    for name in dict.fromkeys([*ends, net.last]):
        net.last = name
        flat.append(net.append(Reshape((net.type.size,))))
    if len(flat) > 1:
        net.last = flat[0]
        net.append(Concat(0), *flat[1:])
    if net.type.element.bits > 24:
        net.threshold()
    return net.graph
