"""Sums that are not in the graph: branches whose exact multipliers are too wide, or vary along
several axes. Only a quantizer can read one: it needs no more of the sum than on which side of its
boundaries it lies, and for that there are small multipliers (``multipliers``).

With ``y = clamp(slope * sum(f[i] * q[i]) + offset, lower, upper)`` and a common denominator ``d``,
``y >= b`` holds if and only if ``sum(slope * f[i] * d * q[i]) >= ceil((b - offset) * d)``: integers
on the left. They may have any width, for nothing is computed with them but the new multipliers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor, lcm
from typing import TYPE_CHECKING

from lutloom.core.ops import Add, Permute, Reshape, Upsample
from lutloom.core.types import Const, IntType, TensorType
from lutloom.streamline.align import by_channel, compact
from lutloom.streamline.errors import ModelError
from lutloom.streamline.multipliers import Term, narrowed
from lutloom.streamline.rows import packed
from lutloom.streamline.symbols import Scaled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lutloom.core.ops import Threshold
    from lutloom.core.rational import Rationals
    from lutloom.streamline.builder import GraphBuilder
    from lutloom.streamline.curve_sum import CurveSearch
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.steps import Steps
    from lutloom.streamline.symbols import Formula

MOST_MULTIPLIER_BITS = 48
# Of the largest magnitude of a sum: enough to tell which levels of a quantizer are near.
_TYPE_BITS = 40
# Of one quantizer, in all channels: each costs about a millisecond.
_MOST_THRESHOLDS = 1 << 16


@dataclass(frozen=True, eq=False)
class DeferredSum:
    """``sum(factors[name] * name)`` over values of the graph: a rational number.

    The factors broadcast to the shape of the values, in their order of axes. ``because`` says
    what is wrong with the exact sum of ``node``.
    """

    factors: Mapping[str, Rationals]
    node: SourceNode
    because: str

    def refusal(self, reader: str) -> ModelError:
        """Return the error for a ``reader`` that is no quantizer."""
        return ModelError(
            f"{self.node}: {self.because}, which only a quantizer could do without, and {reader}"
            " reads the sum itself; put a quantizer behind it, train with one quantizer shared by"
            " both branches, or with scales that are powers of two"
        )


def unit_and_type(
    factors: Mapping[str, Rationals], types: Mapping[str, TensorType]
) -> tuple[Fraction, TensorType]:
    """Return a power of two, and the type of the integers around the sum in units of it."""
    least = most = Fraction(0)
    for name, factor in factors.items():
        element = types[name].element
        ends = [f * end for f in factor.ravel() for end in (element.lo, element.hi)]
        least, most = least + min(ends), most + max(ends)
    largest = max(-least, most)
    exponent = 0
    if largest:
        exponent = largest.numerator.bit_length() - largest.denominator.bit_length() - _TYPE_BITS
    unit = Fraction(2) ** exponent
    shape = types[next(iter(factors))].shape
    return unit, TensorType(IntType(floor(least / unit), ceil(most / unit)), shape)


def moved(
    sum_: DeferredSum, op: Permute | Reshape | Upsample, shape: tuple[int, ...]
) -> list[Rationals]:
    """Return the factors behind ``op``, which is applied to values of the ``shape``."""
    import numpy as np

    if isinstance(op, Upsample):
        return [_repeated(factor, op.factors) for factor in sum_.factors.values()]
    if isinstance(op, Permute):
        return [factor.transpose(op.axes) for factor in sum_.factors.values()]
    whole = [np.broadcast_to(factor, shape) for factor in sum_.factors.values()]
    return [compact(factor.reshape(op.shape)) for factor in whole]


def _repeated(factor: Rationals, counts: tuple[int, ...]) -> Rationals:
    """Return ``factor`` with an entry for each place of a finer grid, along axes that have some."""
    for axis, count in enumerate(counts):
        if factor.shape[axis] > 1:
            factor = factor.repeat(count, axis=axis)
    return factor


def settled(
    node: SourceNode, y: Formula, steps: Rationals, build: GraphBuilder
) -> tuple[Threshold, str]:
    """Return the operator that computes ``steps(y)``, and the sum that it reads: now it exists.

    ``steps`` is an array of ``Steps``; it, the arrays of ``y`` and the factors of the sum vary
    along the last axis at most.

    Raises ``ModelError`` where no multipliers that fit are proved.
    """
    import numpy as np

    sum_ = build.deferred[y.value]
    factors = list(sum_.factors.values())
    arrays = (*y.arrays, steps, *factors)
    channels = max((array.shape[-1] for array in arrays if array.ndim), default=1)
    ranges = [_ranges(build, name, channels) for name in sum_.factors]
    quantizers = by_channel(steps, channels)
    if sum(len(of.boundaries) for of in quantizers) > _MOST_THRESHOLDS:
        raise ModelError(
            f"{node} needs more thresholds behind {sum_.node} than are proved in a reasonable time:"
            f" {sum_.because}; train with one quantizer shared by both branches"
        )
    own = [
        _Channel(of, tuple(at), tuple(slopes))
        for of, at, slopes in zip(
            quantizers,
            zip(*ranges, strict=True),
            zip(*(by_channel(factor, channels) for factor in factors), strict=True),
            strict=True,
        )
    ]
    if isinstance(y, Scaled):
        numbers = (by_channel(array, channels) for array in (y.slope, y.offset, y.lower, y.upper))
        stairs = [_of_ramp(*ramp) for ramp in zip(own, *numbers, strict=True)]
    else:
        # NumPy at module level there.
        from lutloom.streamline.curve_sum import CurveSearch

        search = CurveSearch.of(node, y.expression)
        stairs = [_of_curve(channel, number, search) for number, channel in enumerate(own)]
    rows = []
    for stair in stairs:
        row = _narrowed(stair)
        if row is None or max(m.bit_length() for m in row.multipliers) > MOST_MULTIPLIER_BITS:
            raise ModelError(
                f"{sum_.node}: {sum_.because}, and no smaller ones are proved to give what {node}"
                " gives; train with one quantizer shared by both branches, or with scales that are"
                " powers of two"
            )
        rows.append(row)
    multipliers = np.array([row.multipliers for row in rows], dtype=np.int64).T
    names = list(sum_.factors)
    if len(names) == 1:  # all branches are the same value
        names, multipliers = names * 2, np.concatenate([multipliers, multipliers * 0])
    if (multipliers == multipliers[:, :1]).all():
        multipliers = multipliers[:, :1]
    value = build.add(sum_.node, "", Add(Const(multipliers)), names)
    op = packed(
        np.array([row.base for row in rows], dtype=np.int64),
        np.array([len(row.thresholds) for row in rows]),
        np.array([t for row in rows for t, _ in row.thresholds], dtype=np.int64),
        np.array([height for row in rows for _, height in row.thresholds], dtype=np.int64),
        build.types[value].element.hi,
    )
    return op, value


def _ranges(build: GraphBuilder, name: str, channels: int) -> list[tuple[int, int, int]]:
    """Return least, greatest and step of a value's integers for each channel."""
    element = build.types[name].element
    lows, highs = build.bounds(name)
    if channels != len(lows):
        lows, highs = [element.lo] * channels, [element.hi] * channels
    return [(lo, hi, element.step) for lo, hi in zip(lows, highs, strict=True)]


@dataclass(frozen=True, slots=True, eq=False)
class _Channel:
    """One channel: its quantizer, and the ranges and factors of what is added."""

    steps: Steps
    ranges: tuple[tuple[int, int, int], ...]
    factors: tuple[Fraction, ...]


@dataclass(frozen=True, slots=True)
class _Stair:
    """One channel's staircase on its sum: thresholds, ascending, each with a height."""

    terms: tuple[Term, ...]
    base: int
    thresholds: tuple[tuple[int, int], ...]

    @property
    def multipliers(self) -> tuple[int, ...]:
        """Those of the sum."""
        return tuple(term.multiplier for term in self.terms)


def _terms(channel: _Channel, slopes: tuple[Fraction, ...]) -> tuple[tuple[Term, ...], int]:
    """Return integer multiples of what is added, and the common denominator that makes them so."""
    d = lcm(*(slope.denominator for slope in slopes))
    multipliers = (slope.numerator * (d // slope.denominator) for slope in slopes)
    return tuple(Term(m, *at) for m, at in zip(multipliers, channel.ranges, strict=True)), d


def _of_ramp(
    channel: _Channel,
    slope: Fraction,
    offset: Fraction,
    lower: Fraction | None,
    upper: Fraction | None,
) -> _Stair:
    steps = channel.steps
    begin, end = steps.within(lower, upper)
    terms, d = _terms(channel, tuple(slope * factor for factor in channel.factors))
    thresholds = []
    for boundary, inclusive in zip(
        steps.boundaries[begin:end], steps.inclusive[begin:end], strict=True
    ):
        distance = (boundary - offset) * d
        thresholds.append(ceil(distance) if inclusive else floor(distance) + 1)
    base = steps.first + steps.height * begin
    return _Stair(terms, base, tuple((t, steps.height) for t in thresholds))


def _of_curve(channel: _Channel, number: int, search: CurveSearch) -> _Stair:
    steps = channel.steps
    terms, d = _terms(channel, channel.factors)
    (_, taken), *changes = search.changes(number, steps, terms, Fraction(1, d))
    base = steps.first + steps.height * taken
    thresholds = []
    for first, count in changes:
        thresholds.append((first, steps.height * (count - taken)))
        taken = count
    return _Stair(terms, base, tuple(thresholds))


def _narrowed(stair: _Stair) -> _Stair | None:
    """Return the same staircase on a sum with multipliers as small as can be proved."""
    narrow = narrowed(stair.terms, [threshold for threshold, _ in stair.thresholds])
    if narrow is None:
        return None
    terms = tuple(
        replace(term, multiplier=m) for term, m in zip(stair.terms, narrow.multipliers, strict=True)
    )
    least, most = sum(term.least for term in terms), sum(term.most for term in terms)
    heights = [height for _, height in stair.thresholds]
    moved = list(zip(narrow.thresholds, heights, strict=True))
    base = stair.base + sum(height for threshold, height in moved if threshold <= least)
    return _Stair(terms, base, tuple((t, h) for t, h in moved if least < t <= most))
