"""``y[i] = x[index[i]]`` as few steps that hardware does in passing.

Exact: the steps of a recipe, one after the other, take the elements ``index``. A part, repeated
elements, every n-th one and two axes that change places come first; then parts one behind the
other, and at last a matrix of 0 and 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import gcd
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

Index: TypeAlias = "tuple[int, ...]"

# Each part is a stream of its own.
_MOST_PARTS = 16
_FEW_PARTS = 2
# Of a grid that is made finer by p, to be made coarser by q.
_MOST_FINER = 16


@dataclass(frozen=True, slots=True)
class Part:
    """What lies from ``start`` up to ``stop``."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Finer:
    """Every element so many ``times``."""

    times: int


@dataclass(frozen=True, slots=True)
class Tiled:
    """All elements, and all again: so many ``times``."""

    times: int


@dataclass(frozen=True, slots=True)
class Strided:
    """From ``start`` on ``count`` elements, each ``step`` behind the last."""

    start: int
    step: int
    count: int


@dataclass(frozen=True, slots=True)
class Swapped:
    """Of so many ``rows`` the first elements, then the second ones, and so on."""

    rows: int


@dataclass(frozen=True, slots=True)
class Parts:
    """Several parts, one behind the other."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Elements in no order that the others know."""

    index: Index


Step: TypeAlias = Part | Finer | Tiled | Strided | Swapped | Parts | Chosen


def recipe(index: Index, size: int) -> tuple[Step, ...]:
    """Return steps that take the elements ``index`` (at least one) of ``size``, in this order."""
    if index == tuple(range(size)):
        return ()
    count, start = len(index), index[0]
    if index == tuple(range(start, start + count)):
        return (Part(start, start + count),)
    times = _largest_divisor(
        count, lambda f: all(index[i] == index[i - i % f] for i in range(count))
    )
    if times > 1:
        return (*recipe(index[::times], size), Finer(times))
    times = _largest_divisor(count, lambda f: index[: count // f] * f == index)
    if times > 1:
        return (*recipe(index[: count // times], size), Tiled(times))
    step = index[1] - start
    if step > 1 and index == tuple(range(start, start + count * step, step)):
        return (Strided(start, step, count),)
    parts = _parts(index)
    found = _resampled(index) if len(parts) > _FEW_PARTS else None
    if found is not None:
        finer, places = found
        return (Finer(finer), *recipe(tuple(places), size * finer))
    rows = _rows(index)
    if rows > 1:
        return (*recipe(tuple(range(min(index), max(index) + 1)), size), Swapped(rows))
    return (Parts(parts),) if len(parts) <= _MOST_PARTS else (Chosen(index),)


def _largest_divisor(count: int, fits: Callable[[int], bool]) -> int:
    return next(f for f in range(count, 0, -1) if count % f == 0 and fits(f))


def _parts(index: Index) -> tuple[Part, ...]:
    """Return the longest ranges that ``index`` is made of."""
    parts: list[Part] = []
    for place in index:
        if parts and parts[-1].stop == place:
            parts[-1] = Part(parts[-1].start, place + 1)
        else:
            parts.append(Part(place, place + 1))
    return tuple(parts)


def _resampled(index: Index) -> tuple[int, range] | None:
    """Return by what a grid is made finer, and which of its places are then those of ``index``.

    ``index[j] = floor((o + q j) / p)`` for the smallest ``p`` that does.
    """
    steps, rise = len(index) - 1, index[-1] - index[0]
    if rise <= 0 or any(b < a for a, b in pairwise(index)):
        return None
    for p in range(2, _MOST_FINER + 1):
        for q in range(max(1, (rise - 1) * p // steps), (rise + 1) * p // steps + 1):
            if gcd(p, q) > 1:
                continue
            least = max(place * p - q * j for j, place in enumerate(index))
            most = min(place * p + p - 1 - q * j for j, place in enumerate(index))
            if max(least, 0) <= most:
                first = max(least, 0)
                return p, range(first, first + q * len(index), q)
    return None


def _rows(index: Index) -> int:
    """Return how many rows were swapped with their columns, 0 if ``index`` is something else."""
    count, first = len(index), min(index)
    for rows in range(2, count // 2 + 1):
        columns = count // rows
        if count % rows == 0 and index == tuple(
            first + row * columns + column for column in range(columns) for row in range(rows)
        ):
            return rows
    return 0
