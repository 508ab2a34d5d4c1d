"""``steps(clamp(slope * sum(f[i] * q[i]) + offset))``  =  thresholds on ``sum(n[i] * q[i])``.

For sums that are not in the graph (``deferred_sum``). A quantizer needs no more of a sum than on
which side of its boundaries it lies. With a common denominator ``d`` of the factors and ``slope >
0``, ``y >= b`` holds if and only if ``sum(f[i] * d * q[i]) >= ceil((b - offset) / slope * d)``:
integers on the left. They may have any width, for nothing is computed with them but the small
multipliers ``n`` that tell the same (``multipliers``). Along the border of an image boundaries
differ: one choice of multipliers tells those of all classes of places.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor, lcm
from typing import TYPE_CHECKING

from lutloom.core.ops import Add
from lutloom.core.types import INT64_MAX, Const
from lutloom.streamline.align import by_channel
from lutloom.streamline.errors import ModelError
from lutloom.streamline.multipliers import Narrow, Term, narrowed
from lutloom.streamline.rows import packed
from lutloom.streamline.symbols import Scaled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lutloom.core.ops import Threshold
    from lutloom.core.rational import Rationals
    from lutloom.streamline.builder import GraphBuilder
    from lutloom.streamline.curve_sum import CurveSearch
    from lutloom.streamline.deferred_sum import DeferredSum
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.steps import Steps
    from lutloom.streamline.symbols import Formula

MOST_MULTIPLIER_BITS = 48
# Of one quantizer, in all channels: each costs about a millisecond.
_MOST_THRESHOLDS = 1 << 16


def settled(
    node: SourceNode, y: Formula, steps: Rationals, build: GraphBuilder, classes: int = 1
) -> tuple[Threshold, str]:
    """Return the operator that computes ``steps(y)``, and the sum that it reads: now it exists.

    ``steps`` is an array of ``Steps``; it, the arrays of ``y`` and the factors of the sum vary
    along the last axis at most. Of ``classes`` of places the first two have an entry for each, and
    for each of its channels; so has the operator.

    Raises ``ModelError`` where no multipliers that fit are proved.
    """
    import numpy as np

    sum_ = build.deferred[y.value]
    entries = max((array.shape[-1] for array in (*y.arrays, steps) if array.ndim), default=1)
    channels = max(entries // classes, *(f.shape[-1] for f in sum_.factors.values() if f.ndim), 1)
    sums = [_Sum.of(terms) for terms in _terms(build, sum_, channels)]
    stairs = _stairs(node, y, by_channel(steps, classes * channels), sums, sum_)
    narrow = [_narrowed(sums[c], stairs[c::channels], node, sum_) for c in range(channels)]
    multipliers = np.array([of.multipliers for of, _ in narrow], dtype=np.int64).T
    names = list(sum_.factors)
    if len(names) == 1:  # all branches are the same value
        names, multipliers = names * 2, np.concatenate([multipliers, multipliers * 0])
    if (multipliers == multipliers[:, :1]).all():
        multipliers = multipliers[:, :1]
    value = build.add(sum_.node, "", Add(Const(multipliers)), names)
    rows = [narrow[c][1][k] for k in range(classes) for c in range(channels)]
    op = packed(
        np.array([row.base for row in rows], dtype=np.int64),
        np.array([len(row.thresholds) for row in rows]),
        np.array([t for row in rows for t, _ in row.thresholds], dtype=np.int64),
        np.array([height for row in rows for _, height in row.thresholds], dtype=np.int64),
        build.types[value].element.hi,
    )
    return op, value


@dataclass(frozen=True, slots=True)
class _Sum:
    """What is added in one channel, as integers: ``terms`` are the sum times ``denominator``."""

    terms: tuple[Term, ...]
    denominator: int

    @staticmethod
    def of(factors: list[tuple[Fraction, tuple[int, int, int]]]) -> _Sum:
        """Return the sum of integers with these ranges (least, greatest, step), times factors."""
        d = lcm(*(factor.denominator for factor, _ in factors))
        return _Sum(tuple(Term(int(factor * d), *at) for factor, at in factors), d)


@dataclass(frozen=True, slots=True)
class _Stair:
    """A staircase on a sum: thresholds, ascending, each with a height."""

    base: int
    thresholds: tuple[tuple[int, int], ...]


def _terms(
    build: GraphBuilder, sum_: DeferredSum, channels: int
) -> list[list[tuple[Fraction, tuple[int, int, int]]]]:
    """Return factors and ranges of what is added in each of ``channels``."""
    columns = [
        list(zip(by_channel(factor, channels), _ranges(build, name, channels), strict=True))
        for name, factor in sum_.factors.items()
    ]
    return [list(terms) for terms in zip(*columns, strict=True)]


def _ranges(build: GraphBuilder, name: str, channels: int) -> list[tuple[int, int, int]]:
    """Return least, greatest and step of a value's integers for each channel."""
    element = build.types[name].element
    lows, highs = build.bounds(name)
    if channels != len(lows):
        lows, highs = [element.lo] * channels, [element.hi] * channels
    return [(lo, hi, element.step) for lo, hi in zip(lows, highs, strict=True)]


def _stairs(
    node: SourceNode, y: Formula, quantizers: list[Steps], sums: list[_Sum], sum_: DeferredSum
) -> list[_Stair]:
    """Return the staircase of each class and channel on the exact sum."""
    if sum(len(of.boundaries) for of in quantizers) > _MOST_THRESHOLDS:
        raise ModelError(
            f"{node} needs more thresholds behind {sum_.node} than are proved in a reasonable time:"
            f" {sum_.because}; train with one quantizer shared by both branches"
        )
    count = len(quantizers)
    of_channels = [sums[index % len(sums)] for index in range(count)]
    if isinstance(y, Scaled):
        numbers = (by_channel(array, count) for array in (y.slope, y.offset, y.lower, y.upper))
        lines = zip(*numbers, strict=True)
        return [
            _of_ramp(of, steps, *line)
            for of, steps, line in zip(of_channels, quantizers, lines, strict=True)
        ]
    # NumPy at module level there.
    from lutloom.streamline.curve_sum import CurveSearch

    search = CurveSearch.of(node, y.expression)
    return [
        _of_curve(of, steps, number, search)
        for number, (of, steps) in enumerate(zip(of_channels, quantizers, strict=True))
    ]


def _of_ramp(
    sum_: _Sum,
    steps: Steps,
    slope: Fraction,
    offset: Fraction,
    lower: Fraction | None,
    upper: Fraction | None,
) -> _Stair:
    begin, end = steps.within(lower, upper)
    if slope == 0:
        begin = end = min(max(steps.taken_by(offset), begin), end)
    base, thresholds = steps.first + steps.height * begin, []
    for boundary, inclusive in zip(
        steps.boundaries[begin:end], steps.inclusive[begin:end], strict=True
    ):
        at = (boundary - offset) / slope * sum_.denominator
        # A rising line takes the step from there on, a falling one leaves it behind there.
        first = ceil(at) if inclusive == (slope > 0) else floor(at) + 1
        thresholds.append((first, steps.height if slope > 0 else -steps.height))
    if slope < 0:
        base += steps.height * len(thresholds)
    return _Stair(base, tuple(thresholds if slope > 0 else thresholds[::-1]))


def _of_curve(sum_: _Sum, steps: Steps, number: int, search: CurveSearch) -> _Stair:
    unit = Fraction(1, sum_.denominator)
    (_, taken), *changes = search.changes(number, steps, sum_.terms, unit)
    base = steps.first + steps.height * taken
    thresholds = []
    for first, count in changes:
        thresholds.append((first, steps.height * (count - taken)))
        taken = count
    return _Stair(base, tuple(thresholds))


def _narrowed(
    sum_: _Sum, stairs: list[_Stair], reader: SourceNode, deferred: DeferredSum
) -> tuple[Narrow, list[_Stair]]:
    """Return multipliers as small as can be proved, and the same staircases on their sum."""
    asked = sorted({threshold for stair in stairs for threshold, _ in stair.thresholds})
    narrow = narrowed(sum_.terms, asked)
    if narrow is None or not _is_narrow(sum_, narrow):
        raise ModelError(
            f"{deferred.node}: {deferred.because}, and no smaller ones are proved to give what"
            f" {reader} gives; train with one quantizer shared by both branches, or with scales"
            " that are powers of two"
        )
    new = dict(zip(asked, narrow.thresholds, strict=True))
    return narrow, [_moved(stair, new, sum_, narrow) for stair in stairs]


def _is_narrow(sum_: _Sum, narrow: Narrow) -> bool:
    """Whether multipliers, and all sums, are such as are computed."""
    terms = [
        replace(term, multiplier=m) for term, m in zip(sum_.terms, narrow.multipliers, strict=True)
    ]
    reach = max(-sum(term.least for term in terms), sum(term.most for term in terms))
    widest = max(m.bit_length() for m in narrow.multipliers)
    return widest <= MOST_MULTIPLIER_BITS and reach <= INT64_MAX


def _moved(stair: _Stair, new: Mapping[int, int], sum_: _Sum, narrow: Narrow) -> _Stair:
    terms = [
        replace(term, multiplier=m) for term, m in zip(sum_.terms, narrow.multipliers, strict=True)
    ]
    least, most = sum(term.least for term in terms), sum(term.most for term in terms)
    moved = [(new[threshold], height) for threshold, height in stair.thresholds]
    base = stair.base + sum(height for threshold, height in moved if threshold <= least)
    return _Stair(base, tuple((t, h) for t, h in moved if least < t <= most))
