"""The best plan of a problem, exactly: bounds from prices, branches, and all plans below a bound.

    minimise z,  for each row:  what a plan takes of its resource  <=  scale * z + limit

Prices give a lower bound (``relaxation``), and the cheapest plans at these prices good plans. What
is better than the best of them lies between; it is looked for in a slice of that, just above the
bound, that becomes thicker until there is a plan in it: all others of the slice were seen, and what
is above is worse. First the dearest resource is counted there (``counting``), which often says that
there is nothing, then all that may be scarce (``labels``). Where large processes that can only be
one thing or another keep the bound low, so that too many parts of plans lie between, the options of
one are divided, and both halves have better bounds. A part whose bound is no better than a plan
that is known is done.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from lutloom.codegen.planning.bounds import NEVER, Bounds
from lutloom.codegen.planning.counting import Counted, Pricing, Rests
from lutloom.codegen.planning.labels import plans_within
from lutloom.codegen.planning.moves import improved
from lutloom.codegen.planning.part import Part
from lutloom.codegen.planning.problem import Problem, largest_total, total_of
from lutloom.codegen.planning.relaxation import Relaxation, Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lutloom.codegen.planning.labels import Enumeration
    from lutloom.core.types import IntArray

_LARGEST_SUM = 1 << 50
_MOST_ROUNDS = 200
_MOST_PRICES = 32
_MOST_LABELS, _FEW = 1000, 100
_MOST_PARTS = 1000
MOST_WORK = 800_000
"""Parts of plans that are looked at before the best plan so far has to do."""
_THINNEST = 1 << 2
_CLOSE = 1e-9
_TILTS = ((1, 2), (2, 1))
_BEYOND = Fraction(1 << 62)


@dataclass(frozen=True, eq=False)
class Found:
    """A plan: the option of each variable, what they take in all, and ``z``.

    No plan has a ``z`` below ``bound``, which is ``z`` itself but for large problems.
    """

    options: tuple[int, ...]
    total: IntArray
    z: Fraction
    bound: Fraction = Fraction(0)


def best(
    problem: Problem,
    rows: Sequence[Row],
    start: Found | None = None,
    *,
    enough: int | None = None,
    most_work: int = MOST_WORK,
) -> Found | None:
    """Return a plan of the least ``z``; None if there is none that is legal.

    ``start`` is a plan that keeps the rows, which is not needed if all have a scale. With
    ``enough`` any plan will do whose ``z`` is no more; then None says that there is none, or that
    ``most_work`` parts of plans did not show one.
    """
    import numpy as np

    search = _Search(tuple(rows), enough, largest_total(problem), most_work)
    if start is not None:
        search.offer(Part.whole(problem), np.array(start.options), start.total)
    whole = Part.needed(problem)
    bound = search.run(whole)
    found = search.found
    if found is None or (enough is not None and found.z > enough):
        return None
    # Where any plan will do, the rest was not looked at.
    return replace(found, bound=min(bound if enough is None else whole.bound, found.z))


def is_ruled_out(problem: Problem, rows: Sequence[Row]) -> bool:
    """Return whether prices alone prove that no plan has a ``z`` of 1 or less.

    All ``rows`` have a scale.
    """
    search = _Search(tuple(rows), 1, largest_total(problem), MOST_WORK)
    whole = Part.needed(problem)
    search.raise_bound(whole)
    return whole.bound > 1


@dataclass(eq=False)
class _Search:
    """The best plan so far, and the parts in which a better one may be."""

    rows: tuple[Row, ...]
    enough: int | None
    largest: IntArray
    most_work: int
    found: Found | None = None
    work: int = 0
    has_dived: bool = False

    def run(self, whole: Part) -> Fraction:
        """Search ``whole``, the part with the lowest bound first; return what is no better plan."""
        parts: list[tuple[Fraction, int, Part]] = [(whole.bound, 0, whole)]
        for count in range(0, 2 * _MOST_PARTS, 2):
            if not parts or self.is_over(parts[0][0]) or self.work > self.most_work:
                break
            _, _, part = heappop(parts)
            for place, half in enumerate(self._halves(part)):
                heappush(parts, (half.bound, count + place + 1, half))
        return parts[0][0] if parts else _BEYOND

    def is_over(self, bound: Fraction) -> bool:
        """Return whether nothing that is wanted has a ``z`` of ``bound`` or more."""
        if self.enough is not None:
            return bound > self.enough or (self.found is not None and self.found.z <= self.enough)
        return self.found is not None and bound >= self.found.z

    def offer(self, part: Part, options: IntArray, total: IntArray) -> None:
        """Take a plan of ``part``, if it is the best so far."""
        if any(row.scale == 0 and total[row.resource] > row.limit for row in self.rows):
            return
        found = Found((), total, _value(total, self.rows))
        if self.found is None or _rank(found) < _rank(self.found):
            self.found = replace(found, options=part.numbered(options))

    def _halves(self, part: Part) -> Iterator[Part]:
        """Yield the parts of ``part`` in which there still may be a better plan: two, or none."""
        shares = self.raise_bound(part)
        if self.found is None or self.is_over(part.bound):
            return
        rows = [*self._directions(part.prices[-1]), *part.prices[:-1][-_MOST_PRICES:]]
        bounds = Bounds(part.problem, self._of_resources(rows), part.open)
        if self._enumerate(part, bounds, rows):
            return
        kept = bounds.kept(self._limits(rows, self._top()))
        if not part.is_possible(kept):
            return
        variable, resource, limit = _division(part.problem, kept, shares)
        is_below = part.problem.costs[:, resource] <= limit
        is_other = part.problem.owners != variable
        for mask in (is_below, ~is_below):
            half = kept & (mask | is_other)
            if part.is_possible(half):
                yield part.where(half)

    def _top(self) -> Fraction:
        """Return up to where a plan is wanted."""
        assert self.found is not None
        return self.found.z if self.enough is None else min(self.found.z, Fraction(self.enough))

    def raise_bound(self, part: Part) -> list[tuple[IntArray, float]]:
        """Raise the bound of ``part`` as far as prices can; return plans with their shares in it.

        Plans are offered on the way, and those near the last ones. If there is none, the bound of
        ``part`` is beyond all.
        """
        relaxation, plans = self._program(part)
        prices = part.prices[-1] if part.prices else self._even()
        if len(part.known) > 1:
            prices = self._integers(relaxation.solve()[1].tolist())
        shares: list[tuple[IntArray, float]] = []
        reached = Fraction(0)
        for _ in range(_MOST_ROUNDS):
            cheapest = self._cheapest(part, prices)
            if cheapest is None or self.is_over(part.bound):
                break
            options, total, bound = cheapest
            reached = max(reached, bound)
            is_new = relaxation.add(total)
            if is_new:
                plans.append(options)
                part.known = (*part.known, (options, total))
            z, duals, solution = relaxation.solve()
            numbered = ((plans[number], share) for number, share in solution.items())
            shares = [(options, share) for options, share in numbered if options is not None]
            if not is_new or float(reached) >= z * (1 - _CLOSE):
                break
            prices = self._integers(duals.tolist())
        for near, _ in shares:
            better = improved(part.problem, part.open, near, self.rows)
            self.offer(part, better, total_of(part.problem, better))
        return shares

    def _program(self, part: Part) -> tuple[Relaxation, list[IntArray | None]]:
        """Return the program of the plans that are known of ``part``, and these in its order."""
        relaxation = Relaxation(self.rows)
        plans: list[IntArray | None] = []
        if any(row.scale == 0 for row in self.rows):
            # With one that takes all there is, the program has a solution.
            assert self.found is not None
            total = self.largest.copy()
            for row in self.rows:
                end = math.floor(row.scale * self.found.z + row.limit)
                total[row.resource] = min(total[row.resource], end)
            relaxation.add(total)
            plans.append(None)
        plans += [options for options, total in part.known if relaxation.add(total)]
        return relaxation, plans

    def _cheapest(
        self, part: Part, prices: tuple[int, ...]
    ) -> tuple[IntArray, IntArray, Fraction] | None:
        """Return the cheapest plan of ``part`` at ``prices``, what it takes, and what that proves.

        The bound of ``part`` is raised to that. None if there is no plan.
        """
        part.prices = (*part.prices, prices)
        bounds = Bounds(part.problem, self._of_resources([prices]), part.open)
        least = int(bounds.least[0])
        scales = sum(p * row.scale for p, row in zip(prices, self.rows, strict=True))
        limits = sum(p * row.limit for p, row in zip(prices, self.rows, strict=True))
        if least >= NEVER:
            part.bound = _BEYOND
            return None
        bound = Fraction(least - limits, scales) if scales else Fraction(0)
        part.bound = max(part.bound, bound)
        options = bounds.cheapest(0)
        total = total_of(part.problem, options)
        self.offer(part, options, total)
        if self.found is not None and least > self._most_of_better(prices):
            part.bound = max(part.bound, self.found.z)
        return options, total, bound

    def _most_of_better(self, prices: tuple[int, ...]) -> int:
        """Return what a better plan than the best so far costs at most, at ``prices`` of rows."""
        assert self.found is not None
        pairs = zip(prices, self._ends(self.found.z), strict=True)
        return sum(price * end for price, end in pairs)

    def _ends(self, top: Fraction) -> list[int]:
        """Return what wanted plans of ``top`` or less take at most, by row: whole numbers.

        Of the resource that makes ``z`` what it is, a better plan takes one less.
        """
        ends = [row.scale * top + row.limit for row in self.rows]
        if self.found is None or top < self.found.z:
            return [math.floor(end) for end in ends]
        pairs = zip(self.rows, ends, strict=True)
        return [math.ceil(end) - 1 if row.scale else math.floor(end) for row, end in pairs]

    def _enumerate(self, part: Part, bounds: Bounds, rows: list[tuple[int, ...]]) -> bool:
        """Look for wanted plans of ``part`` in slices; return whether all of them were seen.

        ``bounds`` of ``part`` are at prices ``rows``.
        """
        parts = _THINNEST
        while not self.is_over(part.bound):
            top = self._top()
            height = part.bound + (top - part.bound) / parts
            is_found, is_complete = self._look_below(part, bounds, rows, height)
            if not is_complete:
                return False
            if is_found or height == top:
                return True
            part.bound = height
            parts = max(parts // 4, 1)
        return True

    def _look_below(
        self, part: Part, bounds: Bounds, rows: list[tuple[int, ...]], top: Fraction
    ) -> tuple[bool, bool]:
        """Offer the best plan of ``part``, with its ``bounds`` at prices of rows, up to ``top``.

        Return whether there is one, and whether all that might be better ones were seen: where the
        dearest resource is counted, that may be known at once. Else, first, only those resources
        matter that prices put a price on, and those that there may be too little of. A plan that is
        best then, and no worse with all rows, is the best one; else what it takes too much of
        matters, too.
        """
        kept = bounds.kept(self._limits(rows, top))
        if not part.is_possible(kept):
            return False, True
        smaller, directions = part.where(kept), self._directions(part.prices[-1])
        limits = self._limits(directions, top)
        within = Bounds(smaller.problem, self._of_resources(directions), smaller.open)
        if (within.least > limits).any():
            return False, True
        wanted = None
        counted = self._counted(smaller, top)
        if counted is not None:
            if not len(counted.plans.totals):
                return False, True
            part.bound = max(part.bound, self._offer_near(smaller, counted))
            if self.is_over(part.bound):
                return True, True
            top = min(top, self._top())
            limits = self._limits(directions, top)
            wanted = Rests.of(counted, self._ends(top)).kept
        matters = set(bounds.prices[0].nonzero()[0].tolist()) | self._scarce(smaller, top)
        while True:
            # A few are gone on with once, for a plan; what there is no end of is divided.
            few = 0 if self.has_dived else _FEW
            resources = sorted(matters)
            plans = plans_within(within, limits, resources, _MOST_LABELS, few, wanted)
            self.work += plans.work
            self.has_dived |= not plans.is_complete
            found = _least(plans.totals, [r for r in self.rows if r.resource in matters], top)
            if found is None:
                return False, plans.is_complete
            over = self._offer_first(smaller, plans, *found)
            if not over:
                return True, plans.is_complete
            matters |= over

    def _counted(self, part: Part, top: Fraction) -> Counted | None:
        """Return the plans of ``part`` up to ``top`` with one resource counted, if there is one.

        None as well if they are too many.
        """
        pricing = Pricing.of(self.rows, part.prices[-1])
        if pricing is None:
            return None
        counted = Counted.of(part.problem, part.open, pricing, self._ends(top), _MOST_LABELS)
        self.work += counted.plans.work
        return counted if counted.plans.is_complete else None

    def _offer_near(self, part: Part, counted: Counted) -> Fraction:
        """Offer plans of ``part`` near those ``counted``; return what no plan has a lower ``z``."""
        values = counted.values
        for index in sorted(range(len(values)), key=lambda index: values[index]):
            if self.is_over(values[index]):
                break
            near = improved(part.problem, part.open, counted.plans.plan(index), self.rows)
            self.offer(part, near, total_of(part.problem, near))
        return min(values)

    def _scarce(self, part: Part, top: Fraction) -> set[int]:
        """Return of which resources a plan of ``part`` may take more than one of ``top`` does.

        What takes too much of them is left out, so what takes least of others only may be, too.
        """
        largest = largest_total(part.problem, part.open)
        pairs = zip(self.rows, self._ends(top), strict=True)
        return {row.resource for row, end in pairs if largest[row.resource] > end}

    def _offer_first(
        self, part: Part, plans: Enumeration, z: Fraction, indices: list[int]
    ) -> set[int]:
        """Offer those of ``plans`` that are best up to the first that keeps all rows with ``z``.

        If none does, return of what they take too much.
        """
        over: set[int] = set()
        for index in indices:
            total = plans.totals[index]
            self.offer(part, plans.plan(index), total)
            missed = {r.resource for r in self.rows if total[r.resource] > r.scale * z + r.limit}
            if not missed:
                return set()
            over |= missed
        return over

    def _directions(self, last: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Return ``last``, prices that put more or less weight on one row, and on one alone."""
        found = [last]
        for place, row in enumerate(self.rows):
            alone = [0] * len(last)
            alone[place] = _LARGEST_SUM // max(int(self.largest[row.resource]), 1)
            found.append(tuple(alone))
            for up, down in _TILTS if last[place] else ():
                tilted = [price // 2 for price in last]
                tilted[place] = last[place] * up // (2 * down)
                found.append(tuple(tilted))
        return found

    def _even(self) -> tuple[int, ...]:
        return self._integers([1 / row.scale if row.scale else 0 for row in self.rows])

    def _integers(self, prices: list[float]) -> tuple[int, ...]:
        """Return ``prices`` of the rows as integers with which no sum is too large."""
        pairs = zip(prices, self.rows, strict=True)
        factor = _LARGEST_SUM / sum(p * max(int(self.largest[r.resource]), 1) for p, r in pairs)
        return tuple(int(price * factor) for price in prices)

    def _of_resources(self, rows: list[tuple[int, ...]]) -> IntArray:
        """Return prices of resources, from those of rows."""
        import numpy as np

        made = np.zeros((len(rows), len(self.largest)), np.int64)
        for place, prices in enumerate(rows):
            for price, row in zip(prices, self.rows, strict=True):
                made[place, row.resource] += price
        return made

    def _limits(self, rows: list[tuple[int, ...]], top: Fraction) -> IntArray:
        """Return what a wanted plan of ``top`` or less costs at most, at each of the prices."""
        import numpy as np

        most = (1 << 62) - 1
        ends = self._ends(top)
        limits = [sum(p * end for p, end in zip(prices, ends, strict=True)) for prices in rows]
        return np.array([min(limit, most) for limit in limits], np.int64)


def _division(
    problem: Problem, kept: NDArray[np.bool_], shares: list[tuple[IntArray, float]]
) -> tuple[int, int, int]:
    """Return a variable, a resource and a number: options that take more of it are divided off.

    It is where the bound mixes what differs most: in shares of what all plans of it take. Where it
    mixes nothing, it is where options differ most that are ``kept``.
    """
    import numpy as np

    first, largest = problem.first[:-1], np.maximum(largest_total(problem), 1)
    if len(shares) > 1:
        costs = np.array([problem.costs[first + options] for options, _ in shares])
        weights = np.array([share for _, share in shares])
        mean = np.tensordot(weights / weights.sum(), costs, 1)
        spread = np.abs(costs - mean).max(axis=0) * (costs.min(axis=0) != costs.max(axis=0))
    else:
        there = kept[:, np.newaxis]
        most = np.maximum.reduceat(np.where(there, problem.costs, -NEVER), first)
        least = np.minimum.reduceat(np.where(there, problem.costs, NEVER), first)
        mean, spread = (most + least) / 2, most - least
    variable, resource = np.unravel_index(int((spread / largest).argmax()), spread.shape)
    return int(variable), int(resource), math.floor(mean[variable, resource])


def _least(
    totals: IntArray, rows: Sequence[Row], top: Fraction
) -> tuple[Fraction, list[int]] | None:
    """Return the least ``z`` that plans keep ``rows`` with, and which do; None if above ``top``.

    Those that take least of the first resource come first.
    """
    import numpy as np

    kept = np.ones(len(totals), np.bool_)
    values = np.zeros(len(totals))
    for row in rows:
        taken = totals[:, row.resource]
        if row.scale == 0:
            kept &= taken <= row.limit
        else:
            values = np.maximum(values, (taken - row.limit) / row.scale)
    if not kept.any():
        return None
    # Floats tell which could be the least; which are, integers say.
    close = np.flatnonzero(kept & (values <= values[kept].min() * (1 + _CLOSE) + _CLOSE))
    exact = {int(index): _value(totals[index], rows) for index in close}
    lowest = min(exact.values())
    if lowest > top:
        return None
    indices = [index for index, value in exact.items() if value == lowest]
    return lowest, sorted(indices, key=lambda index: tuple(totals[index].tolist()))


def _value(total: IntArray, rows: Sequence[Row]) -> Fraction:
    """Return the least ``z`` with which a plan that takes ``total`` keeps the rows with a scale."""
    return max(
        (Fraction(int(total[r.resource]) - r.limit, r.scale) for r in rows if r.scale),
        default=Fraction(0),
    )


def _rank(found: Found) -> tuple[Fraction | int, ...]:
    return (found.z, *found.total.tolist())
