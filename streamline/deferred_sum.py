"""Sums that are not in the graph: branches whose exact multipliers are too wide, or vary along
several axes. Only a quantizer can read one: it needs no more of the sum than on which side of its
boundaries it lies, and for that there are small multipliers (``multipliers``).

With ``y = clamp(slope * sum(f[i] * q[i]) + offset, lower, upper)`` and a common denominator ``d``,
``y >= b`` holds if and only if ``sum(slope * f[i] * d * q[i]) >= ceil((b - offset) * d)``: integers
on the left. They may have any width, for nothing is computed with them but the new multipliers.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, lcm
from typing import TYPE_CHECKING, Any

from lutloom.core.ops import Add, Permute, Reshape
from lutloom.core.types import Const, IntType, TensorType
from lutloom.streamline.align import compact
from lutloom.streamline.errors import ModelError
from lutloom.streamline.multipliers import Term, narrowed
from lutloom.streamline.rows import packed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lutloom.core.ops import Threshold
    from lutloom.core.rational import Rationals
    from lutloom.streamline.builder import GraphBuilder
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.steps import Steps
    from lutloom.streamline.symbols import Scaled

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


def moved(sum_: DeferredSum, op: Permute | Reshape, shape: tuple[int, ...]) -> list[Rationals]:
    """Return the factors behind ``op``, which is applied to values of the ``shape``."""
    import numpy as np

    if isinstance(op, Permute):
        return [factor.transpose(op.axes) for factor in sum_.factors.values()]
    whole = [np.broadcast_to(factor, shape) for factor in sum_.factors.values()]
    return [compact(factor.reshape(op.shape)) for factor in whole]


def settled(
    node: SourceNode, y: Scaled, steps: Rationals, build: GraphBuilder
) -> tuple[Threshold, str]:
    """Return the operator that computes ``steps(y)``, and the sum that it reads: now it exists.

    ``steps`` is an array of ``Steps``; it, the arrays of ``y`` and the factors of the sum vary
    along the last axis at most.

    Raises ``ModelError`` where no multipliers that fit are proved.
    """
    import numpy as np

    sum_ = build.deferred[y.value]
    factors = list(sum_.factors.values())
    arrays = (y.slope, y.offset, y.lower, y.upper, steps, *factors)
    channels = max((a.shape[-1] for a in arrays if a is not None and a.ndim), default=1)
    ranges = [_ranges(build, name, channels) for name in sum_.factors]

    def column(array: Rationals | None) -> list[Any]:
        if array is None:
            return [None] * channels
        return list(np.broadcast_to(array.reshape(-1), (channels,)).tolist())

    columns = zip(*map(column, arrays), strict=True)
    if sum(len(of.boundaries) for of in column(steps)) > _MOST_THRESHOLDS:
        raise ModelError(
            f"{node} needs more thresholds behind {sum_.node} than are proved in a reasonable time:"
            f" {sum_.because}; train with one quantizer shared by both branches"
        )
    rows = []
    for channel, (slope, offset, lower, upper, of, *own) in enumerate(columns):
        at = [entries[channel] for entries in ranges]
        row = _row([slope * factor for factor in own], at, (offset, lower, upper), of)
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
        np.array([t for row in rows for t in row.thresholds], dtype=np.int64),
        np.array([row.height for row in rows for _ in row.thresholds], dtype=np.int64),
        build.types[value].element.hi,
    )
    return op, value


@dataclass(frozen=True, slots=True)
class _Row:
    """One channel: its multipliers, and its staircase on the sum with them."""

    multipliers: tuple[int, ...]
    base: int
    height: int
    thresholds: list[int]


def _ranges(build: GraphBuilder, name: str, channels: int) -> list[tuple[int, int, int]]:
    """Return least, greatest and step of a value's integers for each channel."""
    element = build.types[name].element
    lows, highs = build.bounds(name)
    if channels != len(lows):
        lows, highs = [element.lo] * channels, [element.hi] * channels
    return [(lo, hi, element.step) for lo, hi in zip(lows, highs, strict=True)]


def _row(
    slopes: list[Fraction],
    ranges: list[tuple[int, int, int]],
    shift: tuple[Fraction, Fraction | None, Fraction | None],
    steps: Steps,
) -> _Row | None:
    offset, lower, upper = shift
    begin = 0 if lower is None else steps.taken_by(lower)
    end = len(steps.boundaries) if upper is None else max(begin, steps.taken_by(upper))
    d = lcm(*(slope.denominator for slope in slopes))
    terms = [
        Term(slope.numerator * (d // slope.denominator), *of)
        for slope, of in zip(slopes, ranges, strict=True)
    ]
    asked = [
        ceil(distance) if inclusive else floor(distance) + 1
        for distance, inclusive in (
            ((boundary - offset) * d, inclusive)
            for boundary, inclusive in zip(
                steps.boundaries[begin:end], steps.inclusive[begin:end], strict=True
            )
        )
    ]
    narrow = narrowed(terms, asked)
    if narrow is None:
        return None
    new = [Term(m, *of) for m, of in zip(narrow.multipliers, ranges, strict=True)]
    least, most = sum(term.least for term in new), sum(term.most for term in new)
    always = sum(threshold <= least for threshold in narrow.thresholds)
    live = [threshold for threshold in narrow.thresholds if least < threshold <= most]
    return _Row(
        narrow.multipliers, steps.first + steps.height * (begin + always), steps.height, live
    )
