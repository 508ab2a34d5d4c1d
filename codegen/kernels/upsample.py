"""``lutloom::upsample``: ``pe`` elements of the result at a time.

Axes are taken together where nothing repeats between them, or nothing lies between two
repetitions: ``[1, 1, C] -> [H, W, C]`` is a vector that is repeated ``H * W`` times. A word of the
result is a few elements, each ``copies`` times, so that what comes in are narrower words.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd, prod

from lutloom.codegen.kernels.kernel import (
    Code,
    Kernel,
    Lanes,
    Legal,
    Site,
    divisors,
    no_weights,
    number_table,
    storage,
)
from lutloom.core.plan import Folding, Memory


@dataclass(frozen=True)
class Level:
    """``size`` blocks, each of which comes ``repeats`` times: the blocks of all inner levels."""

    size: int
    repeats: int


def levels_of(shape: tuple[int, ...], factors: tuple[int, ...]) -> tuple[Level, ...]:
    """Return the axes as few levels, outermost first: only the last may repeat nothing."""
    levels = [Level(1, 1)]
    for size, factor in zip(shape, factors, strict=True):
        outer = levels[-1]
        if outer.repeats == 1:
            levels[-1] = Level(outer.size * size, factor)
        elif size == 1:
            levels[-1] = Level(outer.size, outer.repeats * factor)
        else:
            levels.append(Level(size, factor))
    return tuple(levels)


def _elements(site: Site) -> tuple[Level, ...]:
    return levels_of(site.inputs[0].shape, site.op.factors)


def _copies(site: Site, folding: Folding) -> int:
    """Return how many lanes of a word are one element."""
    return gcd(folding.pe, _elements(site)[-1].repeats)


def words_of(site: Site, folding: Folding) -> tuple[Level, ...]:
    """Return the levels in words of the input."""
    levels, copies = _elements(site), _copies(site, folding)
    sizes = [level.size for level in levels]
    factors = [level.repeats for level in levels]
    sizes[-1] //= folding.pe // copies
    factors[-1] //= copies
    return levels_of(tuple(sizes), tuple(factors))


def depth_of(levels: tuple[Level, ...]) -> int:
    """Return the words of the memory: those of a block of the outermost level, if it repeats."""
    return prod(level.size for level in levels[1:]) if levels[0].repeats > 1 else 1


def _legal(site: Site, _folding: Folding) -> Legal:
    inner = _elements(site)[-1]
    whole = {inner.repeats * count for count in divisors(inner.size)}
    return Legal(tuple(sorted({*divisors(inner.repeats), *whole})), memory=tuple(Memory))


def _lanes(site: Site, folding: Folding) -> Lanes:
    return (folding.pe // _copies(site, folding),), (folding.pe,)


def _cycles(site: Site, folding: Folding) -> int:
    return site.outputs[0].size // folding.pe


def _operators(_site: Site, _folding: Folding) -> int:
    return 1


def _code(site: Site, folding: Folding) -> Code:
    import numpy as np

    levels = words_of(site, folding)
    blocks = [prod(inner.size for inner in levels[place + 1 :]) for place in range(len(levels))]
    columns = (
        ("sizes", [level.size for level in levels], "Blocks of each level, outermost first."),
        ("repeats", [level.repeats for level in levels], "How often each of them comes."),
        ("blocks", blocks, "Words of the input in each of them."),
    )
    return Code(
        tables=tuple(
            number_table(name, np.array(column, np.int64), note, (1,))
            for name, column, note in columns
        ),
        facts={
            "words": _cycles(site, folding),
            "copies": _copies(site, folding),
            "depth": depth_of(levels),
            "storage": storage(folding.memory),
        },
    )


KERNEL = Kernel(_legal, _lanes, _cycles, _operators, no_weights, _code)
