"""``steps(clamp(slope * x + offset, lower, upper))``  =  integer thresholds on ``x``.

Exact: for an integer ``x`` and ``slope > 0``, ``slope * x + offset >= b`` holds if and only if
``x >= ceil((b - offset) / slope)``, and ``>`` if and only if ``x >= floor(...) + 1``; a negative
slope turns the comparison round, and its steps go down. A clamp does not decrease, so it leaves
every comparison as it is, or decides it for all ``x``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING

from lutloom.core.ops import Threshold
from lutloom.core.types import Const

if TYPE_CHECKING:
    from lutloom.streamline.steps import Steps


@dataclass(frozen=True, slots=True)
class Ramp:
    """``clamp(slope * x + offset, lower, upper)`` for the integers ``lo .. hi`` of one channel."""

    slope: Fraction
    offset: Fraction
    lower: Fraction | None
    upper: Fraction | None
    lo: int
    hi: int


@dataclass(frozen=True, slots=True)
class _Row:
    """One channel's staircase: from ``base``, a step of ``height`` at every threshold."""

    base: int
    height: int
    thresholds: tuple[int, ...]


def staircase(ramps: Sequence[Ramp], steps: Sequence[Steps]) -> Threshold:
    """Return the operator whose channel ``c`` computes ``steps[c](ramps[c](x))``.

    Only the steps that the channel can reach are kept. Rows with fewer of them than others are
    filled with thresholds that no input reaches; where all rows are equal, one is kept.
    """
    import numpy as np

    rows = [_row(ramp, of) for ramp, of in zip(ramps, steps, strict=True)]
    if all(row == rows[0] for row in rows):
        rows = rows[:1]
    width = max([1, *(len(row.thresholds) for row in rows)])
    never = max(ramp.hi for ramp in ramps) + 1
    filled = [(*row.thresholds, *[never] * (width - len(row.thresholds))) for row in rows]
    return Threshold(
        Const(np.array(filled, dtype=np.int64)),
        Const(np.array([row.base for row in rows], dtype=np.int64)),
        Const(np.array([[row.height] for row in rows], dtype=np.int64)),
    )


def _row(ramp: Ramp, steps: Steps) -> _Row:
    always = 0  # steps that every x takes
    undecided: list[tuple[Fraction, bool]] = []
    for boundary, inclusive in zip(steps.boundaries, steps.inclusive, strict=True):
        if ramp.lower is not None and _reaches(ramp.lower, boundary, inclusive=inclusive):
            always += 1
        elif ramp.upper is None or _reaches(ramp.upper, boundary, inclusive=inclusive):
            undecided.append((boundary, inclusive))
        # else: not even the clamp's upper end takes the step
    if ramp.slope == 0:
        always += sum(_reaches(ramp.offset, b, inclusive=inclusive) for b, inclusive in undecided)
        return _Row(steps.first + steps.height * always, steps.height, ())
    if ramp.slope > 0:
        at = [_first_taking(ramp, b, inclusive=inclusive) for b, inclusive in undecided]
        always += sum(threshold <= ramp.lo for threshold in at)
        live = tuple(threshold for threshold in at if ramp.lo < threshold <= ramp.hi)
        return _Row(steps.first + steps.height * always, steps.height, live)
    # A falling ramp takes a step up to some x, and no longer from `after` on.
    after = [_first_leaving(ramp, b, inclusive=inclusive) for b, inclusive in undecided]
    taken_at_lo = sum(threshold > ramp.lo for threshold in after)
    live = tuple(sorted(threshold for threshold in after if ramp.lo < threshold <= ramp.hi))
    return _Row(steps.first + steps.height * (always + taken_at_lo), -steps.height, live)


def _reaches(value: Fraction, boundary: Fraction, *, inclusive: bool) -> bool:
    return value >= boundary if inclusive else value > boundary


def _first_taking(ramp: Ramp, boundary: Fraction, *, inclusive: bool) -> int:
    """Return the smallest x with ``slope * x + offset`` at (or above) the boundary; slope > 0."""
    numerator, denominator = _quotient(ramp, boundary)
    return -(-numerator // denominator) if inclusive else numerator // denominator + 1


def _first_leaving(ramp: Ramp, boundary: Fraction, *, inclusive: bool) -> int:
    """Return the smallest x with ``slope * x + offset`` below the boundary; slope < 0."""
    numerator, denominator = _quotient(ramp, boundary)
    return numerator // denominator + 1 if inclusive else -(-numerator // denominator)


def _quotient(ramp: Ramp, boundary: Fraction) -> tuple[int, int]:
    """Return ``(boundary - offset) / slope`` as a numerator and a positive denominator."""
    together = lcm(boundary.denominator, ramp.offset.denominator, ramp.slope.denominator)
    numerator = boundary.numerator * (together // boundary.denominator) - ramp.offset.numerator * (
        together // ramp.offset.denominator
    )
    denominator = ramp.slope.numerator * (together // ramp.slope.denominator)
    return (numerator, denominator) if denominator > 0 else (-numerator, -denominator)
