"""The greatest ``slope * x + height * floor((rise * x + start) / run)`` over a range of integers.

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
    total = 0
    best = None
    while True:
        whole, rise = divmod(rise, run)
        slope += height * whole
        whole, start = divmod(start, run)
        total += height * whole
        # From here on the floor begins with 0, and rises by 0 or 1 at each x.
        floors = (rise * (count - 1) + start) // run
        at_end = total + slope * (count - 1) + height * floors
        best = max(total, at_end) if best is None else max(best, total, at_end)
        if floors == 0 or (slope >= 0) == (height >= 0) or slope == 0 or height == 0:
            return best
        if height > 0:
            # Best at the first x of each floor y > 0: x = 1 + floor((run * (y - 1) + ...) / rise).
            total += slope + height
        # Else at the last x of each floor y but the last one, whose last x is the end.
        count, slope, height = floors, height, slope
        rise, start, run = run, run - start - 1, rise
