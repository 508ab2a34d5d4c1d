"""``round(clamp(slope * x + offset, lower, upper))``  =  ``clamp((m * x + b) >> s, lo, hi)``.

For quantizers with too many levels for a table of thresholds. A rounding mode of a rising line is
the floor of that line, moved by a half or a whole, up to what it does with the integers that lie
on it: the ties. So the levels between the clamps are the highest integer points below a line, and
``m``, ``b`` and ``s`` have to keep these below the new line, and the next ones above it: that is
proved, or there are none. Which of
them the new line meets first is found in closed form (``floor_corners``); ties are few corners
more, because those that go one way lie on one line: their first and their last stand for all. A
falling line is a rising one in ``-x``.

Ties to even go up and down in turn, which no line does. Where slope and offset are multiples of a
power of two, ``m * x + b`` meets the ties exactly, and the operator's ``ties_to_even`` treats them;
for the other channels the sums are made odd, so that they never are one. Likewise, towards zero
and away from it are two floors, one on each side of zero, or one shift that knows the sign.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor, gcd, lcm
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from lutloom.core.multiply_shift import WIDE_SUM, ShiftRounding, Slopes, clamps_once, fit
from lutloom.core.ops.requantize import Requantize, digits
from lutloom.core.rounding import Rounding
from lutloom.core.types import Const
from lutloom.streamline.floor_corners import Segment
from lutloom.streamline.rounding import step_up

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lutloom.core.multiply_shift import Corners, Integers
    from lutloom.core.types import IntArray
    from lutloom.streamline.staircase import Ramp

_ZERO, _HALF, _ONE = Fraction(0), Fraction(1, 2), Fraction(1)
_TOO_WIDE = (
    f"its (m * x + b) >> s needs sums of more than {WIDE_SUM} bits: use scales that are powers of"
    " two"
)
_Corner: TypeAlias = tuple[int, int, int]
_NONE, _EVEN, _ALL = "none", "even", "all"

_Half: TypeAlias = tuple[Fraction, str, int]
"""What is added to a number, for its floor; which integers then count as themselves instead of one
less; and the ``e`` of the corners (``core/multiply_shift``)."""

# For numbers below zero, and from zero on.
_MODES: dict[Rounding, tuple[_Half, _Half]] = {
    Rounding.HALF_EVEN: ((_HALF, _EVEN, 0), (_HALF, _EVEN, 0)),
    Rounding.HALF_UP: ((_HALF, _NONE, 0), (_HALF, _ALL, 0)),
    Rounding.HALF_DOWN: ((_HALF, _ALL, 0), (_HALF, _NONE, 0)),
    Rounding.FLOOR: ((_ZERO, _ALL, 0), (_ZERO, _ALL, 0)),
    Rounding.CEIL: ((_ONE, _NONE, 0), (_ONE, _NONE, 0)),
    Rounding.UP: ((_ZERO, _ALL, 0), (_ONE, _NONE, 0)),
    Rounding.DOWN: ((_ONE, _NONE, 0), (_ZERO, _ALL, 0)),
}

# Of a shift that rounds towards zero, or away from it: a level that is rounded up has all sums
# above the level below it.
_SIGNED: dict[Rounding, tuple[ShiftRounding, tuple[_Half, _Half]]] = {
    Rounding.DOWN: (ShiftRounding.TO_ZERO, ((_ZERO, _NONE, 1), (_ZERO, _ALL, 0))),
    Rounding.UP: (ShiftRounding.FROM_ZERO, ((_ZERO, _ALL, 0), (_ZERO, _NONE, 1))),
}


@dataclass(frozen=True, slots=True)
class WideSteps:
    """The steps of rounding by ``mode`` and clamping to ``lo .. hi``: too many to be listed."""

    height: ClassVar[int] = 1
    mode: Rounding
    lo: int
    hi: int

    @property
    def ends(self) -> tuple[int, int]:
        """The lowest and the highest level."""
        return self.lo, self.hi


@dataclass(frozen=True, slots=True)
class _Line:
    """A channel's rounded line, rising; ``first .. final`` are ``x``, or ``-x`` where it falls.

    It takes the levels ``lowest .. highest``. ``lower`` and ``upper`` are corners in the sense of
    ``core/multiply_shift``, beside those of the segments, which have an ``e`` each.
    """

    slope: Fraction
    offset: Fraction
    falls: bool
    first: int
    final: int
    lowest: int
    highest: int
    lower: tuple[_Corner, ...] = ()
    upper: tuple[_Corner, ...] = ()
    segments: tuple[tuple[Segment, int], ...] = ()


def requantize(ramps: Sequence[Ramp], steps: WideSteps) -> Requantize | str:
    """Return the operator whose channel ``c`` computes ``steps(ramps[c](x))``, or why none does.

    It is equal for every integer in each ramp's range. The reason is a clause.
    """
    lines = [_line(ramp, steps) for ramp in ramps]
    moving = [place for place, line in enumerate(lines) if line.lowest < line.highest]
    for place in moving:
        lines[place] = _with_corners(lines[place], steps.mode, _MODES[steps.mode])
    slopes: Slopes | int | None = _fitting(lines, moving)
    if slopes is None and steps.mode is Rounding.HALF_EVEN:
        slopes = _to_even(lines, moving)
    if slopes is None and steps.mode in _SIGNED:
        rounding, halves = _SIGNED[steps.mode]
        for place in moving:
            lines[place] = _with_corners(lines[place], steps.mode, halves)
        slopes = _fitting(lines, moving, rounding)
    if isinstance(slopes, int):
        channel = f" of channel {slopes}" if len(lines) > 1 else ""
        return (
            f"its ties{channel} go up and down in turn, to even levels, which no product does: use"
            " scales that are powers of two, or the rounding mode HALF_UP"
        )
    if slopes is None:
        return _TOO_WIDE
    return _operator(lines, slopes)


def _line(ramp: Ramp, steps: WideSteps) -> _Line:
    lo = steps.lo if ramp.lower is None else _limited(_rounded(ramp.lower, steps.mode), steps)
    hi = steps.hi if ramp.upper is None else _limited(_rounded(ramp.upper, steps.mode), steps)
    falls = ramp.slope < 0
    first, final = (-ramp.hi, -ramp.lo) if falls else (ramp.lo, ramp.hi)
    slope = abs(ramp.slope)
    ends = (_rounded(slope * x + ramp.offset, steps.mode) for x in (first, final))
    lowest, highest = (min(max(level, lo), hi) for level in ends)
    return _Line(slope, ramp.offset, falls, first, final, lowest, highest)


def _limited(level: int, steps: WideSteps) -> int:
    return min(max(level, steps.lo), steps.hi)


def _rounded(value: Fraction, mode: Rounding) -> int:
    level = floor(value)
    boundary, inclusive = step_up(mode)(level)
    return level + (value > boundary or (inclusive and value == boundary))


def _with_corners(line: _Line, mode: Rounding, halves: tuple[_Half, _Half]) -> _Line:
    """Return ``line`` with what keeps a product to its levels."""

    def first_at(level: int) -> int:
        boundary, inclusive = step_up(mode)(level - 1)
        x = (boundary - line.offset) / line.slope
        return ceil(x) if inclusive else floor(x) + 1

    def corner(x: int, level: int) -> _Corner:
        extra = halves[level > 0][2]
        return x, level - extra, extra

    # In front of `begin` and from `end` on, the clamp does what is left to do.
    begin, end = first_at(line.lowest + 1), first_at(line.highest)
    lower, upper = [corner(end, line.highest)], [corner(begin - 1, line.lowest + 1)]
    zero = ceil(-line.offset / line.slope)
    if mode is Rounding.UP and line.slope * zero + line.offset == 0 and begin <= zero < end:
        # The only number that is neither in the step above zero nor in that below.
        lower.append((zero, 0, 0))
    spans = ((begin, min(end, zero) - 1), (max(begin, zero), end - 1))
    segments = []
    for (first, final), (shift, rule, extra) in zip(spans, halves, strict=True):
        if first > final:
            continue
        offset = line.offset + shift
        run = lcm(line.slope.denominator, offset.denominator)
        segment = Segment(first, final, int(line.slope * run), int(offset * run), run)
        segments.append((segment, extra))
        for x, level in _ties(segment):
            taken = rule == _ALL or (rule == _EVEN and level % 2 == 0)
            (lower if taken else upper).append((x, level, extra))
    return replace(line, lower=tuple(lower), upper=tuple(upper), segments=tuple(segments))


def _ties(segment: Segment) -> list[tuple[int, int]]:
    """Return the first two and the last two integer points on the line: of both parities."""
    common = gcd(segment.rise, segment.run)
    if segment.start % common:
        return []
    period = segment.run // common
    rise = segment.rise // common
    x = -(segment.start // common) * pow(rise, -1, period) % period
    first = segment.first + (x - segment.first) % period
    count = (segment.final - first) // period + 1
    places = sorted({place for place in (0, 1, count - 2, count - 1) if 0 <= place < count})
    xs = [first + place * period for place in places]
    return [(x, (segment.rise * x + segment.start) // segment.run) for x in xs]


def _fitted(lines: Sequence[_Line]) -> Slopes | None:
    """Return slopes through the corners of all lines, each in its own direction of ``x``."""
    import numpy as np

    def touching(channels: Integers, m: Integers, shifts: Integers) -> Corners:
        lower, upper = np.empty((2, 3, len(channels)), dtype=object)
        asked = zip(channels.tolist(), m.tolist(), shifts.tolist(), strict=True)
        for place, (channel, slope, shift) in enumerate(asked):
            line, unit = lines[channel], 1 << shift

            def above(corner: _Corner, slope: int = slope, unit: int = unit) -> int:
                x, y, extra = corner
                return unit * y + extra - slope * x

            below = ((*segment.highest_below(unit, slope), e) for segment, e in line.segments)
            over = ((*segment.lowest_above(unit, slope), e) for segment, e in line.segments)
            lower[:, place] = max((*line.lower, *below), key=above)
            upper[:, place] = min((*line.upper, *over), key=above)
        return lower, upper

    reach = max(abs(x) for line in lines for x in (line.first - 1, line.final + 1))
    height = max(abs(y) for line in lines for y in (line.lowest, line.highest + 1))
    return fit(touching, len(lines), reach, height, WIDE_SUM)


def _fitting(
    lines: Sequence[_Line], moving: Sequence[int], rounding: ShiftRounding = ShiftRounding.DOWN
) -> Slopes | None:
    """Return slopes through the corners of all lines; only those in ``moving`` have any."""
    import numpy as np

    found = _fitted([lines[place] for place in moving]) if moving else None
    if moving and found is None:
        return None
    shift = 0 if found is None else found.shift
    multipliers = np.zeros(len(lines), dtype=object)
    biases = np.array([line.lowest << shift for line in lines], dtype=object)
    if found is not None:
        multipliers[moving], biases[moving] = found.multipliers, found.biases
    return _turned(lines, Slopes(multipliers, biases, shift, rounding))


def _to_even(lines: Sequence[_Line], moving: Sequence[int]) -> Slopes | int:
    """Return slopes for ``ties_to_even``, or the first channel that has none."""
    import numpy as np

    fitted: dict[int, tuple[int, int, int]] = {}
    exact: dict[int, tuple[int, int, int]] = {}
    for place in moving:
        line = lines[place]
        found = _fitted([line])
        if found is not None:
            fitted[place] = int(found.multipliers[0]), int(found.biases[0]), found.shift
            continue
        offset = line.offset + _HALF
        run = lcm(line.slope.denominator, offset.denominator)
        if run & (run - 1):
            return place
        exact[place] = int(line.slope * run), int(offset * run), run.bit_length() - 1
    shift = max(1, *(own for _, _, own in exact.values()))
    shift = max(shift, *(own + 1 for _, _, own in fitted.values()), 1)
    multipliers = np.zeros(len(lines), dtype=object)
    biases = np.array([line.lowest << shift for line in lines], dtype=object)
    for place, (m, b, own) in (*exact.items(), *fitted.items()):
        multipliers[place], biases[place] = m << (shift - own), b << (shift - own)
    # An odd sum is no multiple of 2^shift, and the place of the odd one was free.
    inexact = [place for place in range(len(lines)) if place not in exact]
    biases[inexact] += 1
    return _turned(lines, Slopes(multipliers, biases, shift, ShiftRounding.TIES_TO_EVEN))


def _turned(lines: Sequence[_Line], slopes: Slopes) -> Slopes:
    """Return ``slopes`` for ``x`` itself in every channel."""
    import numpy as np

    signs = np.array([-1 if line.falls else 1 for line in lines], dtype=object)
    return replace(slopes, multipliers=slopes.multipliers * signs)


def _operator(lines: Sequence[_Line], slopes: Slopes) -> Requantize | str:
    import numpy as np

    def column(values: list[int]) -> Integers:
        return np.array(values, dtype=object)

    lowest, highest = column([line.lowest for line in lines]), column([n.highest for n in lines])
    first = column([-line.final if line.falls else line.first for line in lines])
    final = column([-line.first if line.falls else line.final for line in lines])
    widest = max(
        abs(int(number))
        for end in (min(first.tolist()), max(final.tolist()), 0)
        for number in slopes.multipliers * end + slopes.biases
    )
    if widest.bit_length() > WIDE_SUM or slopes.shift > WIDE_SUM:
        return _TOO_WIDE
    if clamps_once(slopes, lowest, highest, first, final):
        lowest, highest = lowest.min(keepdims=True), highest.max(keepdims=True)
    multipliers, biases = digits(slopes.multipliers), digits(slopes.biases)
    least, most = (Const(_shared(bound.astype(np.int64))) for bound in (lowest, highest))
    ways = (ShiftRounding.TIES_TO_EVEN, ShiftRounding.TO_ZERO, ShiftRounding.FROM_ZERO)
    flags = (slopes.rounding is way for way in ways)
    return Requantize(multipliers, biases, slopes.shift, least, most, *flags)


def _shared(rows: IntArray) -> IntArray:
    return rows[:1] if (rows == rows[:1]).all() else rows
