"""A transposition that would move element by element as several that move wider words.

    [H, W, C, b, b] -> [H, b, W, b, C]  =  [H, W, C, b, b] -> [H, W, b, b, C] -> [H, b, W, b, C]

The first moves elements within a pixel, which are wires if a word holds all of it; the second moves
words of ``b * C`` elements.

    [M, N] -> [N, M]  =  [M/m, m, N/n, n] -> [M/m, N/n, m, n] -> [M/m, N/n, n, m] -> [N, M/m, m]

A matrix is cut into tiles of ``m * n`` elements, each of which is transposed within a word.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING

from lutloom.codegen.kernels.kernel import divisors
from lutloom.codegen.kernels.permute import Move, move_of
from lutloom.core.ops import Permute

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lutloom.core.types import TensorType

# A word in bits and elements: pixels are as wide as that, rows of an image hardly ever.
_WIDEST, _MOST = 1024, 256
# Words of a frame that are few enough: tiles need not be larger.
_FEW = 512


@dataclass(frozen=True)
class Step:
    """A transposition of what comes, seen as ``shape``."""

    shape: tuple[int, ...]
    axes: tuple[int, ...]

    @property
    def op(self) -> Permute:
        """The operator."""
        return Permute(self.axes)

    @property
    def result(self) -> tuple[int, ...]:
        """The shape of what leaves."""
        return tuple(self.shape[axis] for axis in self.axes)

    @property
    def move(self) -> Move:
        """The same, of as few axes as it can be."""
        return move_of(self.shape, self.axes)


def steps_of(op: Permute, x: TensorType) -> tuple[Step, ...]:
    """Return ``op``, or, where its words are single elements, others whose words are wider."""
    most = max(min(_WIDEST // x.element.bits, _MOST), 1)

    def lanes(steps: tuple[Step, ...]) -> int:
        return min(max(pe for pe in step.move.words if pe <= most) for step in steps)

    whole = (Step(x.shape, op.axes),)
    if lanes(whole) > 1:
        return whole
    others = [
        tuple(step for step in steps if len(step.move.axes) > 1)
        for steps in (*_in_two(*whole), *_in_tiles(*whole, most))
    ]
    return max([whole, *filter(None, others)], key=lanes)


def _in_two(step: Step) -> Iterator[tuple[Step, Step]]:
    """Yield two steps, one behind the other, of which one moves inner axes only."""
    axes, rank = step.axes, len(step.axes)
    before = tuple(range(rank))
    for count in range(2, rank):
        # Inner axes of the input come as the result has them; or the result's as the input has.
        for source, target in ((before, axes), (axes, before)):
            inner = set(source[rank - count :])
            ready = _last(target, inner)
            others = tuple(axis for axis in source if axis not in ready)
            first = Step(step.shape, others + ready)
            yield first, Step(first.result, tuple(first.axes.index(axis) for axis in axes))


def _last(axes: tuple[int, ...], among: set[int]) -> tuple[int, ...]:
    """Return the last of ``axes``, as many as are all ``among`` some."""
    first = len(axes)
    while first > 0 and axes[first - 1] in among:
        first -= 1
    return axes[first:]


def _in_tiles(step: Step, most: int) -> Iterator[tuple[Step, ...]]:
    """Yield steps that transpose matrices by tiles of ``most`` elements at most."""
    move = step.move
    outer = len(move.axes) - 2
    stay = tuple(range(outer))
    if outer < 0 or move.axes != (*stay, outer + 1, outer):
        return
    rows, columns = move.shape[outer:]
    m, n = _tile(rows, columns, most, -(-prod(move.shape) // _FEW))
    tiles = (*move.shape[:outer], rows // m, m, columns // n, n)
    moves = ((0, 2, 1, 3), (0, 1, 3, 2), (1, 2, 0, 3))
    steps: list[Step] = []
    for inner in moves:
        shape = steps[-1].result if steps else tiles
        steps.append(Step(shape, (*stay, *(outer + axis for axis in inner))))
    yield tuple(steps)


def _tile(rows: int, columns: int, most: int, wanted: int) -> tuple[int, int]:
    """Return the size of the smallest tile with ``wanted`` elements a side, or with most of them.

    It has ``most`` elements in all; best are whole rows or columns, which take a step less.
    """
    sizes = (s for s in product(divisors(rows), divisors(columns)) if prod(s) <= most)

    def merit(size: tuple[int, int]) -> tuple[int, ...]:
        whole = (size[0] == rows) + (size[1] == columns)
        return min(*size, wanted), whole, -prod(size)

    return max(sizes, key=merit)
