"""``a[c] * q[c] + b[c]``, in order of size  =  the integers ``m[c] * q[c] + k[c]``, in their order.

Exact multipliers and biases exist: the numbers divided by their greatest common divisor. They may
be wide, and of the order only the comparisons of two channels have to hold. So the reals are also
scaled and rounded, to ever more bits, until for every pair of channels and every two integers that
they can hold the rounded numbers are in the order of the exact ones; that is checked along the
staircase that divides the pairs of integers (``multipliers``). Rounding does away with ties, which
is right only where the right channel wins: the biases of earlier channels are raised by more than
rounding can do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import ceil, floor, lcm

from lutloom.core.rational import common_divisor
from lutloom.streamline.multipliers import Term, sides

_MOST_BITS = 62
# As wide as an accumulator may well be: exact numbers are taken at once.
_NARROW_BITS = 24
# Every pair of channels is checked, in a twentieth of a millisecond.
_MOST_PAIRS = 1 << 15


@dataclass(frozen=True, slots=True)
class Line:
    """``slope * q + offset`` for ``q`` in ``lo, lo + step, ..., hi``: one channel."""

    slope: Fraction
    offset: Fraction
    lo: int
    hi: int
    step: int


@dataclass(frozen=True, slots=True)
class Ranks:
    """``multipliers[c] * q + biases[c]``: integers that are compared instead of reals."""

    multipliers: tuple[int, ...]
    biases: tuple[int, ...]

    def bits(self, lines: Sequence[Line]) -> int:
        """Return how wide the integers become, and what they are made of."""
        ends = [
            abs(m * end) + abs(bias)
            for m, bias, line in zip(self.multipliers, self.biases, lines, strict=True)
            for end in (line.lo, line.hi)
        ]
        return max(ends).bit_length() + 1


def ranks(lines: Sequence[Line], *, last: bool = False) -> Ranks | None:
    """Return integers in the order of ``lines``: of equal reals, the first channel's is not below
    the others, or with ``last`` the last channel's is above the others.

    None where no such integers of 62 bits are found.
    """
    exact = _exact(lines, last=last)
    if exact.bits(lines) <= _NARROW_BITS:
        return exact
    for candidate in _candidates(lines, last=last):
        if candidate.bits(lines) > min(exact.bits(lines) - 1, _MOST_BITS):
            break
        if _agree(lines, candidate, last=last):
            return candidate
    return exact if exact.bits(lines) <= _MOST_BITS else None


def _exact(lines: Sequence[Line], *, last: bool) -> Ranks:
    start = lines[0].offset
    numbers = [number for line in lines for number in (line.slope, line.offset - start)]
    unit = common_divisor(numbers) or Fraction(1)
    multipliers = [int(line.slope / unit) for line in lines]
    biases = [int((line.offset - start) / unit) for line in lines]
    if last:
        # Room for the channels' numbers between the integers.
        multipliers = [m * len(lines) for m in multipliers]
        biases = [bias * len(lines) + c for c, bias in enumerate(biases)]
    return Ranks(tuple(multipliers), tuple(biases))


def _candidates(lines: Sequence[Line], *, last: bool) -> Iterator[Ranks]:
    """Yield slopes and offsets rounded to more and more bits, without and with help for ties."""
    count = len(lines)
    largest = max(abs(line.slope) for line in lines)
    if count * (count - 1) // 2 > _MOST_PAIRS or largest == 0:
        return
    # Half a unit a step of the integer, and half a unit of the bias.
    error = max(max(abs(line.lo), abs(line.hi)) for line in lines) + 2
    start = lines[0].offset
    for bits in range(2, _MOST_BITS):
        scale = (1 << bits) / largest
        multipliers = tuple(round(line.slope * scale) for line in lines)
        biases = [round((line.offset - start) * scale) for line in lines]
        for help_ in (0, error):
            lift = [help_ * (c if last else count - 1 - c) for c in range(count)]
            yield Ranks(multipliers, tuple(b + up for b, up in zip(biases, lift, strict=True)))


def _agree(lines: Sequence[Line], candidate: Ranks, *, last: bool) -> bool:
    """Whether TopK of the candidate's integers chooses what it should of the reals."""
    return all(
        _in_order(lines[c], lines[d], candidate, (c, d), last=last)
        for c, d in combinations(range(len(lines)), 2)
    )


def _in_order(
    first: Line, second: Line, candidate: Ranks, at: tuple[int, int], *, last: bool
) -> bool:
    c, d = at
    together = lcm(first.slope.denominator, second.slope.denominator)
    terms = [
        Term(int(first.slope * together), first.lo, first.hi, first.step),
        Term(int(-second.slope * together), second.lo, second.hi, second.step),
    ]
    # The first comes before the second from here on: with ``last``, not at a tie.
    distance = (second.offset - first.offset) * together
    threshold = floor(distance) + 1 if last else ceil(distance)
    multipliers = (candidate.multipliers[c], -candidate.multipliers[d])
    least, most = sides(terms, multipliers, threshold)
    apart = candidate.biases[d] - candidate.biases[c]
    return (least is None or least >= apart) and (most is None or most < apart)
