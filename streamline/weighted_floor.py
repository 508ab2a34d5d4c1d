"""Where ``slope * x + height * floor((rise * x + start) / run)`` is greatest, over a range of x.

Euclid's algorithm: where ``slope`` and ``height`` have different signs, the greatest lies at the
end of a run of equal floors; those ends form the same problem with ``rise`` and ``run`` swapped,
over as many values as the floor takes. So it takes logarithmic time, in integers of any width.
"""

from __future__ import annotations


def greatest(count: int, slope: int, height: int, rise: int, start: int, run: int) -> int:
    """Return the greatest ``slope * x + height * floor((rise * x + start) / run)``.

    ``x`` goes from 0 to ``count - 1``; ``count`` and ``run`` are at least 1.

    >>> greatest(5, -1, 3, 2, 0, 5)  # of 0, -1, -2, 0, -1
    0
    """
    x = place_of_greatest(count, slope, height, rise, start, run)
    return slope * x + height * ((rise * x + start) // run)


def place_of_greatest(count: int, slope: int, height: int, rise: int, start: int, run: int) -> int:
    """Return an ``x`` at which ``greatest`` has its value."""
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
