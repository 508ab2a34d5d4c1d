"""The integer points beside ``(rise * x + start) / run`` that a line meets first: quickly found.

The integer points at or below a line, and those above it, are what a product with a shift has to
keep apart (``core/multiply_shift``). There are as many of them as ``x`` has values, but which one
another line meets first is a question for Euclid's algorithm.
"""

from __future__ import annotations

from dataclasses import dataclass


def place_of_greatest(count: int, slope: int, height: int, rise: int, start: int, run: int) -> int:
    """Return an ``x`` with the greatest ``slope * x + height * floor((rise * x + start) / run)``.

    ``x`` goes from 0 to ``count - 1``; ``count`` and ``run`` are at least 1.

    Where ``slope`` and ``height`` have one sign, it is at an end. Else it is at an end of a run of
    equal floors: at the first ``x`` of each floor, or at the last. Over the floors, those ends are
    again such a function, with ``rise`` and ``run`` swapped.

    >>> place_of_greatest(5, -1, 3, 2, 0, 5)  # of 0, -1, -2, 0, -1
    0
    """
    slope += height * (rise // run)
    rise, start = rise % run, start % run
    last = count - 1
    floors = (rise * last + start) // run
    at_end = slope * last + height * floors
    end = last if at_end > 0 else 0
    if floors == 0 or slope == 0 or height == 0 or (slope > 0) == (height > 0):
        return end
    # The first x of floor y + 1, or one more than the last x of floor y: the same number.
    offset = run - start + rise - 1
    floor = place_of_greatest(floors, height, slope, run, offset, rise)
    x = (run * floor + offset) // rise
    y = floor + 1
    if height < 0:
        x, y = x - 1, floor
    return x if slope * x + height * y > max(at_end, 0) else end


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
