"""A transposition as two, where both of them move wider words than the one.

    [H, W, C, b, b] -> [H, b, W, b, C]  =  [H, W, C, b, b] -> [H, W, b, b, C] -> [H, b, W, b, C]

The first moves elements within a pixel, which are wires if a word holds all of it; the second moves
words of ``b * C`` elements, where the one process would move element by element.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.codegen.kernels.permute import move_of
from lutloom.core.ops import Permute

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lutloom.core.types import TensorType

# A word in bits and elements: pixels are as wide as that, rows of an image hardly ever.
_WIDEST, _MOST = 1024, 256


def steps_of(op: Permute, x: TensorType) -> tuple[Permute, ...]:
    """Return ``op``, or transpositions in its place whose words can all be wider."""
    most = max(min(_WIDEST // x.element.bits, _MOST), 1)

    def lanes(steps: tuple[Permute, ...]) -> int:
        shape, fewest = x.shape, most
        for step in steps:
            words = move_of(shape, step.axes).words
            fewest = min(fewest, max(pe for pe in words if pe <= most))
            shape = tuple(shape[axis] for axis in step.axes)
        return fewest

    best = max([(op,), *_in_two(op.axes)], key=lanes)
    if len(best) == 1:
        return best
    first, second = best
    return steps_of(first, x) + steps_of(second, *first.infer(x))


def _in_two(axes: tuple[int, ...]) -> Iterator[tuple[Permute, Permute]]:
    """Yield transpositions one behind the other that are ``axes``, one of inner axes only."""
    rank = len(axes)
    before = tuple(range(rank))
    for count in range(2, rank):
        # Inner axes of the input come as the result has them; or the result's as the input has.
        for source, target in ((before, axes), (axes, before)):
            inner = set(source[rank - count :])
            ready = _last(target, inner)
            others = tuple(axis for axis in source if axis not in ready)
            first = others + ready
            yield Permute(first), Permute(tuple(first.index(axis) for axis in axes))


def _last(axes: tuple[int, ...], among: set[int]) -> tuple[int, ...]:
    """Return the last of ``axes``, as many as are all ``among`` some."""
    first = len(axes)
    while first > 0 and axes[first - 1] in among:
        first -= 1
    return axes[first:]
