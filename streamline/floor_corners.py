"""The integer points beside ``(rise * x + start) / run`` that a line meets first: quickly found.

The integer points at or below a line, and those above it, are what a product with a shift has to
keep apart (``core/multiply_shift``). There are as many of them as ``x`` has values, but which one
another line meets first is a question for Euclid's algorithm.
"""

from __future__ import annotations

from dataclasses import dataclass

from lutloom.streamline.weighted_floor import place_of_greatest


@dataclass(frozen=True, slots=True)
class Segment:
    """The line ``(rise * x + start) / run`` over ``first <= x <= final``; ``rise`` and ``run``
    are positive.
    """

    first: int
    final: int
    rise: int
    start: int
    run: int

    def highest_below(self, unit: int, slope: int) -> tuple[int, int]:
        """Return the integer point strictly below with the greatest ``unit * y - slope * x``."""
        start = self.rise * self.first + self.start - 1
        count = self.final - self.first + 1
        x = self.first + place_of_greatest(count, -slope, unit, self.rise, start, self.run)
        return x, (self.rise * x + self.start - 1) // self.run

    def lowest_above(self, unit: int, slope: int) -> tuple[int, int]:
        """Return the integer point strictly above with the least ``unit * y - slope * x``."""
        start = self.rise * self.first + self.start
        count = self.final - self.first + 1
        x = self.first + place_of_greatest(count, slope, -unit, self.rise, start, self.run)
        return x, (self.rise * x + self.start) // self.run + 1
