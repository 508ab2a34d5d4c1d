"""How many steps of a quantizer a function takes, proved by exact enclosures.

Ever more bits are tried, which sooner or later tell two numbers that differ; equal ones can't be
told to be by any, unless they are rational.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from lutloom.streamline.enclosure import enclose_exactly
from lutloom.streamline.exact_intervals import TooWideError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from lutloom.streamline.enclosure import Program
    from lutloom.streamline.exact_intervals import End
    from lutloom.streamline.steps import Steps

PRECISIONS = (64, 256, 1024, 4096)
"""In bits."""


def taken_between(
    program: Program,
    channel: int,
    steps: Steps,
    ends: tuple[int | Fraction, int | Fraction],
    precisions: Sequence[int] = PRECISIONS,
) -> int | None:
    """Return how many steps ``program`` takes of everything between ``ends``; None if that varies
    or can't be told.

    Raises ``ModelError`` where it has no real result.
    """
    for bits in precisions:
        try:
            y = enclose_exactly(program, channel, *ends, bits)
        except TooWideError:
            continue
        least = _passed(steps, y.lo, 1 if y.lo_open else 0)
        if least == _passed(steps, y.hi, -1 if y.hi_open else 0):
            return least
    return None


def _passed(steps: Steps, end: End, side: int) -> int:
    """Return how many boundaries ``end`` has passed: it itself (side 0), or what is next to it."""
    if isinstance(end, float):
        return len(steps.boundaries) if end > 0 else 0
    if side == 0:
        return steps.taken_by(end)
    at, rest = divmod(end.numerator * steps.denominator, end.denominator)
    return (bisect_right if rest or side > 0 else bisect_left)(steps.numerators, at)
