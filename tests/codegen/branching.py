"""Random graphs that fork and meet again: branches of different depths, one inside the other."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from lutloom.core.ops import (
    Add,
    Concat,
    Conv,
    Lookup,
    MatMul,
    MaxPool,
    Multiply,
    Permute,
    Reshape,
    Slice,
    SumPool,
    Upsample,
)
from lutloom.core.types import Const, TensorType
from tests.codegen.conftest import TYPES, Chain

if TYPE_CHECKING:
    from collections.abc import Callable

    from lutloom.core.graph import Graph

# What images have between branches; sums are brought down to them.
_MOST_BITS, _MOST_PIXELS, _MOST_CHANNELS = 8, 64, 8


def branching_graph(seed: int, most: int = 6) -> Graph:
    """Return an image network of one to three forks, with branches inside of branches."""
    rng = np.random.default_rng(seed)
    sizes = [int(size) for size in rng.integers(1, most + 1, 2)]
    shape = (*sizes, int(rng.integers(1, 5)))
    net = _Branching(rng, TensorType(TYPES[rng.integers(len(TYPES))], shape))
    for _ in range(int(rng.integers(1, 4))):
        net.fork(2)
        net.narrow()
    if rng.integers(2):
        net.append(Reshape((net.type.size,)))
        net.matvec(int(rng.integers(2, 8)))
    return net.graph


class _Branching(Chain):
    """A chain of images that goes back to earlier values to branch off there."""

    def fork(self, depth: int) -> None:
        """Append two or three branches from here, and what joins them."""
        start = self.last
        ends = []
        for _ in range(int(self.rng.choice([2, 2, 3]))):
            self.last = start
            for _ in range(int(self.rng.integers(0, 4))):
                self.step(depth - 1)
                self.narrow()
            ends.append(self.last)
        self.join(ends)

    def step(self, depth: int) -> None:
        """Append something of the same shape that begins and ends as an image."""
        steps: list[Callable[[], object]] = [
            self.threshold,
            self.convolution,
            self.convolution,
            lambda: self.matvec(self.type.channels),
            self.pool,
            self.smaller,
            self.shuffle,
            self.gate,
            self.pixels,
            self.rows,
            self.halves,
            self.attention,
        ]
        if depth > 0:
            steps += [lambda: self.fork_and_return(depth)] * 3
        steps[self.rng.integers(len(steps))]()

    def join(self, ends: list[str]) -> None:
        """Append a sum, a product, or all of ``ends`` beside one another."""
        rng, shape = self.rng, self.type.shape
        match int(rng.integers(3)):
            case 0:
                count = int(rng.choice([1, self.type.channels]))
                self.last = ends[0]
                self.append(Add(Const(rng.integers(-5, 6, size=(len(ends), count)))), *ends[1:])
            case 1:
                self.last = ends[0]
                for end in ends[1:]:
                    self.append(Multiply(), end)
                    self.narrow()
            case _:
                axes = [0, 1] if prod(shape[:-1]) * len(ends) <= _MOST_PIXELS else []
                axes += [2] * (shape[-1] * len(ends) <= _MOST_CHANNELS or not axes)
                self.last = ends[0]
                self.append(Concat(int(rng.choice(axes))), *ends[1:])

    def narrow(self) -> None:
        """Append a staircase where integers are wide."""
        if self.type.element.bits > _MOST_BITS:
            self.threshold(steps=int(self.rng.integers(1, 16)))

    def fork_and_return(self, depth: int) -> None:
        """Append a fork, and parts of its result, so that the shape is what it was."""
        shape = self.type.shape
        self.fork(depth)
        for axis, size in enumerate(shape):
            if self.type.shape[axis] > size:
                start = int(self.rng.integers(self.type.shape[axis] - size + 1))
                self.append(Slice(axis, start, start + size))

    def same(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Return kernel, dilation and pads of windows with as many results as pixels."""
        kernel = tuple(int(k) for k in self.rng.choice([1, 2, 3, 3], 2))
        dilation = tuple(int(d) for d in self.rng.choice([1, 1, 2], 2))
        # One tap is the pixel itself.
        before = [d * ((k - 1) // 2) for k, d in zip(kernel, dilation, strict=True)]
        behind = [d * (k // 2) for k, d in zip(kernel, dilation, strict=True)]
        return kernel, dilation, (*before, *behind)

    def convolution(self) -> None:
        channels = self.type.channels
        groups = channels if self.rng.integers(3) == 0 else 1
        kernel, dilation, pads = self.same()
        values = self.rng.choice([1, 2, 4])
        weights = self.rng.integers(-values, values, (*kernel, channels // groups, channels))
        self.append(Conv(Const(weights), (1, 1), dilation, pads, (1, 1), groups, 0))

    def pool(self) -> None:
        kernel, dilation, pads = self.same()
        kind = MaxPool if self.rng.integers(2) else SumPool
        self.append(kind(kernel, (1, 1), dilation, pads))

    def smaller(self) -> None:
        """Go down to half the pixels, and up again."""
        shape = self.type.shape
        kernel = tuple(min(2, size) for size in shape[:2])
        rest = [size % k for size, k in zip(shape, kernel, strict=False)]
        self.append(MaxPool(kernel, kernel, (1, 1), (0, 0, *rest)))
        self.step(0)
        self.narrow()
        self.append(Upsample((*kernel, 1)))
        for axis in range(2):
            if self.type.shape[axis] > shape[axis]:
                self.append(Slice(axis, 0, shape[axis]))

    def shuffle(self) -> None:
        """Channels in groups, one from each; or rows for columns and back."""
        *image, channels = self.type.shape
        groups = int(self.rng.choice([g for g in range(1, channels + 1) if channels % g == 0]))
        self.append(Reshape((*image, groups, channels // groups)))
        self.append(Permute((0, 1, 3, 2) if self.rng.integers(2) else (1, 0, 3, 2)))
        self.append(Reshape((*image, channels)))

    def gate(self) -> None:
        """Multiply all channels by what the whole image says: squeeze and excite."""
        start, image = self.last, self.type.shape[:-1]
        self.append(SumPool(image, (1, 1), (1, 1), (0, 0, 0, 0)))
        self.threshold()
        self.matvec(self.type.channels)
        self.threshold()
        self.append(Upsample((*image, 1)))
        self.append(Multiply(), start)

    def pixels(self) -> None:
        """Multiply all channels of a pixel by a number."""
        start, channels = self.last, self.type.channels
        self.matvec(1)
        self.threshold()
        self.append(Upsample((1, 1, channels)))
        self.append(Multiply(), start)

    def rows(self) -> None:
        """Look a row up for each pixel."""
        *image, channels = self.type.shape
        self.matvec(1)
        self.threshold()
        self.append(Reshape(tuple(image)))
        x = self.type.element
        table = self.rng.integers(-9, 10, size=(x.hi - x.lo + 1, channels))
        self.append(Lookup(Const(table), x.lo))

    def halves(self) -> None:
        """Cut in two, do something with each part, and put them together again, or swapped."""
        shape = self.type.shape
        axes = [axis for axis, size in enumerate(shape) if size > 1]
        if not axes:
            return
        axis, start = int(self.rng.choice(axes)), self.last
        middle = int(self.rng.integers(1, shape[axis]))
        ends = []
        for first, last in ((0, middle), (middle, shape[axis])):
            self.last = start
            self.append(Slice(axis, first, last))
            if self.rng.integers(3):
                self.step(0)
                self.narrow()
            ends.append(self.last)
        if self.rng.integers(2):
            ends.reverse()
        self.last = ends[0]
        self.append(Concat(axis), ends[1])

    def attention(self) -> None:
        """Multiply pixels by pixels, and what they give by the pixels."""
        shape = self.type.shape
        flat = self.append(Reshape((prod(shape[:-1]), shape[-1])))
        turned = self.append(Permute((1, 0)))
        self.last = flat
        if self.rng.integers(2):
            self.threshold()
        self.append(MatMul(), flat)
        self.threshold()
        self.append(MatMul(), turned)
        self.append(Reshape(shape))
