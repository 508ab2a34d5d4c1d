"""``lutloom::threshold``: ``pe`` channels at a time, all steps of a channel in parallel.

In codes ``x = x0 + s * code`` holds ``x >= t`` if and only if ``code >= ceil((t - x0) / s)``.
Thresholds that every input reaches are part of the base, those that none can reach are dropped,
and equal ones are one step; so every level that is left is one of the output's type, and the
codes of levels are integers. Channels with fewer steps than others end in thresholds one above
the largest code.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from lutloom.codegen.kernels.kernel import (
    Code,
    Kernel,
    Lanes,
    Legal,
    Site,
    divisors,
    no_weights,
    number_table,
)
from lutloom.core.plan import Folding
from lutloom.core.types import INT64_MAX, IntType

if TYPE_CHECKING:
    from lutloom.core.types import IntArray

# Of one channel in codes: the base, and (threshold, height) ascending.
_Staircase = tuple[int, list[tuple[int, int]]]


def _legal(site: Site) -> Legal:
    return Legal(divisors(site.inputs[0].channels))


def _lanes(_site: Site, folding: Folding) -> Lanes:
    return (folding.pe,), (folding.pe,)


def _cycles(site: Site, folding: Folding) -> int:
    return site.inputs[0].size // folding.pe


def _operators(site: Site, folding: Folding) -> int:
    return int(folding.pe * max(site.op.thresholds.shape[1], 1))


def staircases(site: Site) -> list[_Staircase]:
    """Return the staircase of each channel (or the one of all) in codes, as above."""
    import numpy as np

    x, y = site.inputs[0].element, site.outputs[0].element
    rows = site.op.thresholds.int64
    heights = np.broadcast_to(site.op.deltas.int64, rows.shape)
    table = zip(site.op.base.int64.tolist(), rows.tolist(), heights.tolist(), strict=True)
    return [_staircase(base, list(zip(t, d, strict=True)), x, y) for base, t, d in table]


def _staircase(base: int, steps: list[tuple[int, int]], x: IntType, y: IntType) -> _Staircase:
    x0, s = (x.lo, x.step) if x.is_offset_coded else (0, 1)
    y0, u = (y.lo, y.step) if y.is_offset_coded else (0, 1)
    first, final = (x.lo - x0) // s, (x.hi - x0) // s
    coded = [(-((x0 - t) // s), height) for t, height in steps]
    base += sum(height for t, height in coded if t <= first)
    inside = [(t, height) for t, height in coded if first < t <= final]
    merged = [
        (t, sum(h for _, h in group)) for t, group in groupby(inside, key=lambda step: step[0])
    ]
    return (base - y0) // u, [(t, height // u) for t, height in merged if height != 0]


def _code(site: Site, folding: Folding) -> Code:
    import numpy as np

    tensor = site.inputs[0]
    x = tensor.element
    channels, vectors = tensor.channels, tensor.size // tensor.channels
    stairs = staircases(site)
    count = max(1, *(len(steps) for _, steps in stairs))
    never = (x.hi - x.lo) // x.step + 1 if x.is_offset_coded else x.hi + 1
    lowest = stairs[0][0]
    counts_steps = never <= INT64_MAX and all(
        base == lowest and all(height == 1 for _, height in steps) for base, steps in stairs
    )
    # A step of height 0 may stand anywhere.
    filler = never if counts_steps else never - 1
    thresholds = _table([[t for t, _ in steps] for _, steps in stairs], count, filler)
    shape = (channels // folding.pe, folding.pe) if len(stairs) == channels else (1, 1)
    note = "Thresholds of each channel, in codes of the input."
    tables = [number_table("thresholds", thresholds.reshape(*shape, count), note, (2, 3))]
    if not counts_steps:
        bases = np.array([base for base, _ in stairs], np.int64).reshape(shape)
        heights = _table([[height for _, height in steps] for _, steps in stairs], count, 0)
        heights = heights.reshape(*shape, count)
        level = number_table("levels", np.concatenate([bases.ravel(), heights.ravel()]), "")
        for name, data, what, complete in (
            ("bases", bases, "Codes of the lowest levels.", (2,)),
            ("heights", heights, "What each step adds to the code.", (2, 3)),
        ):
            table = number_table(name, data, what, complete)
            # Both are of one type in C++.
            tables.append(type(table)(name, data, level.signed, level.bits, what, complete))
    limit = IntType(x.lo, filler) if x.is_signed else IntType(0, filler)
    return Code(
        headers=("bits", "lanes", "popcount", "threshold"),
        tables=tuple(tables),
        facts={
            "channels": channels,
            "vectors": vectors,
            "counts_steps": counts_steps,
            "base": lowest,
            "limit_type": f"ap_{'' if limit.is_signed else 'u'}int<{limit.bits}>",
        },
        widest=count,
    )


def _table(rows: list[list[int]], count: int, filler: int) -> IntArray:
    import numpy as np

    return np.array([row + [filler] * (count - len(row)) for row in rows], np.int64)


KERNEL = Kernel(_legal, _lanes, _cycles, _operators, no_weights, _code)
