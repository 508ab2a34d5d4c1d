"""``sum(m[i] * q[i]) >= T[k]``  =  ``sum(n[i] * q[i]) >= U[k]``, with multipliers ``n`` as small as
can be proved.

A sum that only thresholds look at need not be the sum itself: any other weights will do that
keep all points ``q`` of its domain that are at or above a threshold above all that are below
it. With two inputs this is a convex condition on the ratio of the weights: the ratios that
satisfy it are an interval around the true one, and the simplest fraction in it is the first that
one meets on the way to the true one in the Stern-Brocot tree. No smaller numerator and no
smaller denominator exists. With more inputs the true weights are rounded to ever more bits until
the condition holds.

The condition is checked for the whole domain: the least sum at or above a threshold and the
greatest below it are extremes of a linear function along a staircase (``weighted_floor``). Of a
small domain all points beside the staircases are looked at, at once (``sum_lines``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from math import gcd, prod
from typing import TYPE_CHECKING

from lutloom.streamline.sum_lines import Lines
from lutloom.streamline.weighted_floor import greatest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# Staircases to follow for one candidate, each in a twentieth of a millisecond: one for each
# threshold and each choice of values of all terms but two.
_MOST_STAIRCASES = 1 << 13
# Of three terms and more: up to here multipliers grow by an eighth, then by a bit.
_FINEST = 1 << 10


@dataclass(frozen=True, slots=True)
class Term:
    """``multiplier * q`` for ``q`` in ``lo, lo + step, ..., hi``."""

    multiplier: int
    lo: int
    hi: int
    step: int = 1

    @property
    def count(self) -> int:
        """How many values ``q`` has."""
        return (self.hi - self.lo) // self.step + 1

    @property
    def weight(self) -> int:
        """By how much the sum rises from one value to the next, in the rising direction."""
        return abs(self.multiplier) * self.step

    @property
    def least(self) -> int:
        """The least value of the term."""
        return self.multiplier * (self.lo if self.multiplier >= 0 else self.hi)

    @property
    def most(self) -> int:
        """The greatest value of the term."""
        return self.multiplier * (self.hi if self.multiplier >= 0 else self.lo)


@dataclass(frozen=True, slots=True)
class Narrow:
    """Multipliers, and the thresholds that go with them: one for each that was given."""

    multipliers: tuple[int, ...]
    thresholds: tuple[int, ...]


def narrowed(terms: Sequence[Term], thresholds: Sequence[int]) -> Narrow | None:
    """Return the smallest multipliers found for which all ``thresholds`` of the sum can be told.

    For every choice of the terms' values, the new sum is at or above ``thresholds[k]`` of the
    result if and only if the sum of ``terms`` is at or above ``thresholds[k]`` as given. New
    thresholds ascend where the given ones do. None where there are too many terms to follow.
    """
    active = [i for i, term in enumerate(terms) if term.multiplier and term.count > 1]
    # The two with the most values last: their staircases are followed as a whole.
    active.sort(key=lambda i: terms[i].count)
    base = sum(term.least for term in terms)
    live = _Live.of([terms[i] for i in active], [t - base for t in thresholds])
    if prod(live.points.counts[:-2]) * len(live.undecided) > _MOST_STAIRCASES:
        return None
    found = live.simplest()
    multipliers = [0] * len(terms)
    for i, multiplier in zip(active, found, strict=True):
        multipliers[i] = multiplier if terms[i].multiplier > 0 else -multiplier
    new = [replace(term, multiplier=m) for term, m in zip(terms, multipliers, strict=True)]
    shift, never = sum(term.least for term in new), sum(term.most for term in new) + 1
    starts = live.starts(found)

    def at(threshold: int) -> int:
        if threshold <= 0:
            return shift
        return shift + starts[threshold] if threshold in starts else never

    return Narrow(tuple(multipliers), tuple(at(t - base) for t in thresholds))


def sides(
    terms: Sequence[Term], multipliers: Sequence[int], threshold: int
) -> tuple[int | None, int | None]:
    """Return the least ``sum(multipliers[i] * q[i])`` where the sum of the two ``terms`` is at or
    above ``threshold``, and the greatest where it is below; None where there is no such point.

    A multiplier has the sign of its term's, or is 0; so is that of a term's that is 0.
    """
    rest = threshold - sum(term.least for term in terms)
    new = [replace(term, multiplier=m) for term, m in zip(terms, multipliers, strict=True)]
    shift = sum(term.least for term in new)
    live = [i for i, term in enumerate(terms) if term.weight and term.count > 1]
    points = _Points(tuple(terms[i].weight for i in live), tuple(terms[i].count for i in live))
    if rest <= 0:
        return shift, None
    if rest > points.most:
        return None, sum(term.most for term in new)
    least, most = points.split(tuple(new[i].weight for i in live), rest)
    return shift + least, shift + most


@dataclass(frozen=True, slots=True)
class _Points:
    """``sum(weights[i] * x[i])`` for ``x[i]`` from 0 to ``counts[i] - 1``; weights are positive."""

    weights: tuple[int, ...]
    counts: tuple[int, ...]

    @property
    def most(self) -> int:
        """The greatest sum."""
        return sum(w * (n - 1) for w, n in zip(self.weights, self.counts, strict=True))

    def split(self, others: tuple[int, ...], threshold: int) -> tuple[int, int]:
        """Return the least sum with the weights ``others`` (not negative) of a point at or above
        ``threshold``, and the greatest of one below it. Both exist: 0 < threshold <= ``most``.
        """
        least: int | None = None
        most: int | None = None
        for place in product(*map(range, self.counts[:-2])):
            rest = threshold - sum(w * x for w, x in zip(self.weights, place, strict=False))
            extra = sum(w * x for w, x in zip(others, place, strict=False))
            above, below = self._split_last(others, rest)
            if above is not None and (least is None or above + extra < least):
                least = above + extra
            if below is not None and (most is None or below + extra > most):
                most = below + extra
        assert least is not None
        assert most is not None
        return least, most

    def _split_last(self, others: tuple[int, ...], threshold: int) -> tuple[int | None, int | None]:
        """Return the same for the last two terms alone; None where there is no such point."""
        if len(self.weights) == 1:
            (w,), (n,), (v,) = self.weights, self.counts, others
            first = max(0, -(-threshold // w))
            return v * first if first < n else None, v * (first - 1) if first > 0 else None
        (w, u), (n, m), (v, z) = self.weights[-2:], self.counts[-2:], others[-2:]
        # The points at or above the threshold begin, at each x, with y = ceil((T - w x) / u):
        # above the last y for x < first, at 1 .. last for first <= x < after, and at 0 from there.
        first = min(n, max(0, -(-(threshold - u * (m - 1)) // w)))
        after = min(n, max(0, -(-threshold // w)))
        least = None if after == n else v * after
        most = None if first == 0 else v * (first - 1) + z * (m - 1)
        if first < after:
            # ceil((T - w x) / u) = -floor((w x - T) / u), for x = first + x'.
            start = w * first - threshold
            above = v * first - greatest(after - first, -v, z, w, start, u)
            below = v * first - z + greatest(after - first, v, -z, w, start, u)
            least = above if least is None else min(least, above)
            most = below if most is None else max(most, below)
        return least, most


@dataclass(frozen=True, slots=True)
class _Live:
    """The terms that have a say, from 0 up, and the thresholds that some of their sums reach.

    ``undecided`` begins with those that candidates are likely to fail at.
    """

    terms: Sequence[Term]
    points: _Points
    undecided: list[int]
    lines: Lines | None

    @staticmethod
    def of(terms: Sequence[Term], thresholds: Sequence[int]) -> _Live:
        """Leave out thresholds that all or none of the sums reach: they decide nothing."""
        points = _Points(tuple(term.weight for term in terms), tuple(term.count for term in terms))
        undecided = [t for t in sorted(set(thresholds)) if 0 < t <= points.most]
        lines = None
        if undecided and len(terms) > 1:
            lines = Lines.of(points.weights, points.counts, undecided)
        return _Live(terms, points, undecided, lines)

    def simplest(self) -> list[int]:
        """Return the smallest multipliers found that tell all thresholds."""
        if not self.undecided:
            return [0] * len(self.terms)
        if self.lines is not None and len(self.terms) == 2:
            pair = self.lines.simplest_pair([term.step for term in self.terms])
            if pair is not None:
                return pair
        return _simplest([abs(term.multiplier) for term in self.terms], self._tells)

    def starts(self, multipliers: Sequence[int]) -> dict[int, int]:
        """Return the least new sum at or above each threshold."""
        weights = self._weights(multipliers)
        both = None if self.lines is None else self.lines.sides(weights)
        if both is None:
            return {t: self.points.split(weights, t)[0] for t in self.undecided}
        return dict(zip(sorted(self.undecided), both[0].tolist(), strict=True))

    def _tells(self, multipliers: Sequence[int]) -> bool:
        weights = self._weights(multipliers)
        both = None if self.lines is None else self.lines.sides(weights)
        if both is not None:
            return bool((both[0] > both[1]).all())
        for place, threshold in enumerate(self.undecided):
            least, below = self.points.split(weights, threshold)
            if least <= below:
                # The next candidate is likely to fail here too.
                self.undecided.insert(0, self.undecided.pop(place))
                return False
        return True

    def _weights(self, multipliers: Sequence[int]) -> tuple[int, ...]:
        return tuple(m * term.step for m, term in zip(multipliers, self.terms, strict=True))


def _simplest(true: list[int], tells: Callable[[Sequence[int]], bool]) -> list[int]:
    match len(true):
        case 1:
            return [1]
        case 2:
            return _simplest_pair(true[0], true[1], tells)
        case _:
            return next(c for c in _roundings(true) if tells(c))


def _simplest_pair(p: int, q: int, tells: Callable[[Sequence[int]], bool]) -> list[int]:
    """Return the first pair on the way to ``p / q`` that tells the thresholds.

    The way begins at 0/1 and 1/0, which do without one of the terms. Then it is made of runs
    ``before + t * towards``, whose ratios approach the true one from one side: where one of a run
    tells the thresholds, those that follow it do.
    """
    before, towards = [0, 1], [1, 0]
    for alone in (before, towards):
        if tells(alone):
            return alone

    def at(t: int) -> list[int]:
        return [a + t * b for a, b in zip(before, towards, strict=True)]

    while True:
        low = 1
        high, rest = divmod(p, q)
        if rest == 0 or (high and tells(at(high))):
            while low < high:
                middle = (low + high) // 2
                low, high = (low, middle) if tells(at(middle)) else (middle + 1, high)
            return at(high)
        before, towards = towards, at(high)
        p, q = q, rest


def _roundings(true: list[int]) -> Iterator[list[int]]:
    """Yield the true multipliers rounded so that the largest is 1, 2, ..., and at last themselves.

    Beyond a few bits not every number is tried.
    """
    whole = gcd(*true)
    exact = [m // whole for m in true]
    largest = max(exact)
    most = 1
    while most < largest:
        yield [(2 * m * most + largest) // (2 * largest) for m in exact]
        most = most + max(1, most // 8) if most < _FINEST else 2 * most + 1
    yield exact
