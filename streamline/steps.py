"""The steps of a quantizer: from which real numbers on it takes its next level."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import lcm
from typing import TYPE_CHECKING

from lutloom.streamline.rounding import step_up

if TYPE_CHECKING:
    from lutloom.core.rounding import Rounding


@dataclass(frozen=True, eq=False)
class Steps:
    """``first`` below the first boundary, and ``height`` more from every boundary on.

    ``inclusive[i]`` tells whether ``boundaries[i]`` itself takes step ``i``. Boundaries do not
    descend, and of equal ones those that are inclusive come first.
    """

    boundaries: tuple[Fraction, ...]
    inclusive: tuple[bool, ...]
    first: int
    height: int

    @property
    def ends(self) -> tuple[int, int]:
        """The lowest and the highest level."""
        last = self.first + self.height * len(self.boundaries)
        return min(self.first, last), max(self.first, last)

    @cached_property
    def denominator(self) -> int:
        """The smallest common denominator of the boundaries."""
        return lcm(*(boundary.denominator for boundary in self.boundaries))

    @cached_property
    def numerators(self) -> tuple[int, ...]:
        """The boundaries times their common denominator."""
        return tuple(
            boundary.numerator * (self.denominator // boundary.denominator)
            for boundary in self.boundaries
        )

    def taken_by(self, value: Fraction) -> int:
        """Return how many steps ``value`` takes: always the first so many."""
        at, rest = divmod(value.numerator * self.denominator, value.denominator)
        through = bisect_right(self.numerators, at)
        if rest:
            return through
        before = bisect_left(self.numerators, at, hi=through)
        return before + sum(self.inclusive[before:through])

    def within(self, lower: Fraction | None, upper: Fraction | None) -> tuple[int, int]:
        """Return which steps a clamp leaves open: the first, and the one behind the last."""
        begin = 0 if lower is None else self.taken_by(lower)
        end = len(self.boundaries) if upper is None else self.taken_by(upper)
        return begin, max(begin, end)


def sign_steps() -> Steps:
    """``-1`` below zero, ``+1`` from zero on."""
    return Steps((Fraction(0),), (True,), first=-1, height=2)


def rounding_steps(mode: Rounding, lo: int, hi: int, shift: int = 0) -> Steps:
    """Round by ``mode``, add ``shift``, and clamp to ``lo .. hi``."""
    step = step_up(mode)
    taken = [step(level) for level in range(lo - shift, hi - shift)]
    return Steps(tuple(b for b, _ in taken), tuple(i for _, i in taken), lo, 1)
