"""``lutloom::permute``: words of ``pe`` elements in another order, and other elements in a lane.

Axes that stay side by side are one. Those that are innermost before and behind, in whatever order,
lie within a word; of the next one, if it stays in its place, a part may. What is left is an order
of words: they are kept from when they come to when it is their turn, in a circular memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING

from lutloom.codegen.kernels.kernel import (
    Code,
    Kernel,
    Lanes,
    Legal,
    Site,
    Table,
    divisors,
    no_weights,
    number_table,
    storage,
)
from lutloom.core.plan import Folding, Memory

if TYPE_CHECKING:
    from lutloom.core.types import IntArray

# A word is read two beats after it was written, or later.
_SETTLING = 2


@dataclass(frozen=True)
class Move:
    """A transposition of ``shape``, as few axes as it can be: axis ``j`` was ``axes[j]``."""

    shape: tuple[int, ...]
    axes: tuple[int, ...]

    @property
    def order(self) -> IntArray:
        """For each element of the result, its place in the input, ``[elements]``."""
        import numpy as np

        places = np.arange(prod(self.shape), dtype=np.int64)
        return places.reshape(self.shape).transpose(self.axes).reshape(-1)

    @property
    def words(self) -> dict[int, tuple[int, int]]:
        """By the elements in a word: how many inner axes lie within one, and how much of the next.

        Ascending.
        """
        rank = len(self.axes)
        found: dict[int, tuple[int, int]] = {}
        for inner in range(rank + 1):
            first = rank - inner
            if set(self.axes[first:]) != set(range(first, rank)):
                continue
            stays = first > 0 and self.axes[first - 1] == first - 1
            for part in divisors(self.shape[first - 1]) if stays else (1,):
                found[prod(self.shape[first:]) * part] = (inner, part)
        return dict(sorted(found.items()))


def move_of(shape: tuple[int, ...], axes: tuple[int, ...]) -> Move:
    """Return a transposition without axes of size 1, those that stay side by side as one."""
    moving = [axis for axis in axes if shape[axis] > 1]
    starts = [axis for before, axis in pairwise([-2, *moving]) if not _goes_on(before, axis, shape)]
    ranks = {axis: rank for rank, axis in enumerate(sorted(starts))}
    sizes = tuple(prod(shape[a:b]) for a, b in pairwise([*ranks, len(shape)]))
    return Move(sizes, tuple(ranks[axis] for axis in starts))


def _goes_on(before: int, axis: int, shape: tuple[int, ...]) -> bool:
    """Whether nothing but axes of size 1 lies between ``before`` and ``axis``."""
    return 0 <= before < axis and set(shape[before + 1 : axis]) <= {1}


@dataclass(frozen=True, eq=False)
class Walk:
    """The words of the result: ``sizes`` of its axes, and ``strides`` of the input along them.

    Word ``t`` leaves ``lag`` beats behind the beat in which word ``t`` came, at the earliest; the
    memory holds ``depth`` words, and is none where that is 0. ``lanes`` says from where in a word
    each lane comes.
    """

    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    lag: int
    depth: int
    lanes: IntArray

    @property
    def beats(self) -> int:
        """Beats of a frame."""
        return prod(self.sizes) + self.lag

    @property
    def steps(self) -> tuple[int, ...]:
        """What the slot grows by when an index of the result does and inner ones start again."""
        spans = [s * (n - 1) for s, n in zip(self.strides, self.sizes, strict=True)]
        steps = (stride - sum(spans[d + 1 :]) for d, stride in enumerate(self.strides))
        return tuple(step % self.depth for step in steps)


@lru_cache(maxsize=1024)
def walk_of(move: Move, pe: int) -> Walk:
    """Return how a frame of ``move`` is walked through in words of ``pe`` elements."""
    import numpy as np

    inner, part = move.words[pe]
    outer = len(move.axes) - inner
    within = Move((part, *move.shape[outer:]), (0, *(a - outer + 1 for a in move.axes[outer:])))
    sizes, axes = list(move.shape[:outer]), move.axes[:outer]
    if sizes:
        sizes[-1] //= part
    shape = tuple(sizes)
    order = Move(shape, axes).order
    ahead = order - np.arange(len(order))
    if not ahead.any():
        return Walk(shape, (), 0, 0, within.order)
    lag = int(ahead.max()) + _SETTLING
    # A slot may not be written in the beat in which it is read.
    depth = min(lag - int(ahead.min()) + 1, len(order))
    strides = tuple(prod(shape[axis + 1 :]) for axis in axes)
    return Walk(tuple(shape[axis] for axis in axes), strides, lag, depth, within.order)


def move(site: Site) -> Move:
    """Return the transposition of ``site``."""
    return move_of(site.inputs[0].shape, site.op.axes)


def _legal(site: Site, _folding: Folding) -> Legal:
    return Legal(tuple(move(site).words), memory=tuple(Memory))


def _lanes(_site: Site, folding: Folding) -> Lanes:
    return (folding.pe,), (folding.pe,)


def _cycles(site: Site, folding: Folding) -> int:
    return walk_of(move(site), folding.pe).beats


def _operators(_site: Site, _folding: Folding) -> int:
    return 1


def _code(site: Site, folding: Folding) -> Code:
    import numpy as np

    walk = walk_of(move(site), folding.pe)
    tables: list[Table] = []
    # All lanes stay: one entry says so.
    stay = bool((walk.lanes == np.arange(folding.pe)).all())
    lanes = walk.lanes[:1] if stay else walk.lanes
    tables.append(number_table("lanes", lanes, "Where in a word each lane comes from.", (1,)))
    if walk.depth:
        for name, column, note in (
            ("sizes", walk.sizes, "Dimensions of the result in words, outermost first."),
            ("steps", walk.steps, "What the slot grows by when an index does."),
        ):
            tables.append(number_table(name, np.array(column, np.int64), note, (1,)))
    facts = {
        "words": prod(walk.sizes),
        "lag": walk.lag,
        "depth": walk.depth,
        "storage": storage(folding.memory),
    }
    return Code(tables=tuple(tables), facts=facts)


KERNEL = Kernel(_legal, _lanes, _cycles, _operators, no_weights, _code)
