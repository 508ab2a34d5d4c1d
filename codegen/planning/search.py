"""The best plan of a problem, exactly: bounds from prices, branches, and all plans below a bound.

    minimise z,  for each row:  what a plan takes of its resource  <=  scale * z + limit

Prices give a lower bound (``relaxation``), and the cheapest plans at these prices good plans. What
is better than the best of them lies between; it is looked for in a slice of that, just above the
bound, that becomes thicker until there is a plan in it (``labels``): all others of the slice were
seen, and what is above is worse. Where large processes that can only be one thing or another keep
the bound low, so that too many parts of plans lie between, the options of one are divided, and both
halves have better bounds. A part whose bound is no better than a plan that is known is done.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from fractions import Fraction
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from lutloom.codegen.planning.bounds import NEVER, Bounds
from lutloom.codegen.planning.labels import plans_within
from lutloom.codegen.planning.merging import merged
from lutloom.codegen.planning.moves import improved
from lutloom.codegen.planning.problem import Problem, largest_total, total_of
from lutloom.codegen.planning.relaxation import Relaxation, Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lutloom.codegen.planning.labels import Enumeration
    from lutloom.core.types import IntArray

_LARGEST_SUM = 1 << 50
_FIRST_ROUNDS, _MOST_ROUNDS = 4, 200
_MOST_LABELS = 2000
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
    search = _Search(tuple(rows), enough, largest_total(problem), most_work)
    if start is not None:
        search.offer(start.options, start.total)
    bound = search.run(_Part.whole(problem).where(problem.needed))
    found = search.found
    if found is None or (enough is not None and found.z > enough):
        return None
    return replace(found, bound=min(bound, found.z))


def is_ruled_out(problem: Problem, rows: Sequence[Row]) -> bool:
    """Return whether prices alone prove that no plan has a ``z`` of 1 or less.

    All ``rows`` have a scale.
    """
    search = _Search(tuple(rows), 1, largest_total(problem), MOST_WORK)
    whole = _Part.whole(problem).where(problem.needed)
    search.raise_bound(whole)
    return whole.bound > 1


@dataclass(eq=False)
class _Part:
    """Some of all plans: those of ``problem``, whose variables are ``members`` of the whole one.

    Their options have ``numbers`` there, and ``single`` are those of all other variables. No plan
    has a ``z`` below ``bound``. ``prices`` of rows say so, the best ones last.
    """

    problem: Problem
    members: tuple[int, ...]
    numbers: tuple[IntArray, ...]
    single: Mapping[int, int] = field(default_factory=dict)
    bound: Fraction = Fraction(0)
    prices: list[tuple[int, ...]] = field(default_factory=list)

    @staticmethod
    def whole(problem: Problem) -> _Part:
        import numpy as np

        numbers = tuple(np.arange(len(v.costs), dtype=np.int64) for v in problem.variables)
        return _Part(problem, tuple(range(len(numbers))), numbers)

    def where(self, kept: Sequence[NDArray[np.bool_]]) -> _Part:
        """Return the part with the options ``kept`` alone."""
        numbers = tuple(n[mask] for n, mask in zip(self.numbers, kept, strict=True))
        problem = self.problem.restricted(kept)
        return self._with(problem, self.members, numbers, self.single)

    def merged(self) -> _Part:
        """Return the part with those variables alone that are open still."""
        problem, left = merged(self.problem)
        gone = {*range(len(self.members))} - {*left}
        single = {**self.single, **{self.members[v]: int(self.numbers[v][0]) for v in gone}}
        members = tuple(self.members[v] for v in left)
        return self._with(problem, members, tuple(self.numbers[v] for v in left), single)

    def _with(
        self,
        problem: Problem,
        members: tuple[int, ...],
        numbers: tuple[IntArray, ...],
        single: Mapping[int, int],
    ) -> _Part:
        return _Part(problem, members, numbers, single, self.bound, self.prices[-1:])

    def divided(self, variable: int, kept: NDArray[np.bool_]) -> _Part:
        """Return the part with the options ``kept`` of one variable alone."""
        import numpy as np

        masks = [np.ones(len(n), np.bool_) for n in self.numbers]
        masks[variable] = kept
        return self.where(masks)

    def numbered(self, options: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``options`` as the whole problem numbers them."""
        chosen = zip(self.members, self.numbers, options, strict=True)
        found = {**self.single, **{v: int(numbers[o]) for v, numbers, o in chosen}}
        return tuple(found[variable] for variable in range(len(found)))


@dataclass(eq=False)
class _Search:
    """The best plan so far, and the parts in which a better one may be."""

    rows: tuple[Row, ...]
    enough: int | None
    largest: IntArray
    most_work: int
    found: Found | None = None
    work: int = 0

    def run(self, whole: _Part) -> Fraction:
        """Search ``whole``, the part with the lowest bound first; return what is no better plan."""
        first = self._without_hopeless(whole)
        parts: list[tuple[Fraction, int, _Part]] = [(first.bound, 0, first)]
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

    def offer(self, options: tuple[int, ...], total: IntArray) -> None:
        """Take a plan, numbered as in the whole problem, if it is the best so far."""
        if any(row.scale == 0 and total[row.resource] > row.limit for row in self.rows):
            return
        found = Found(options, total, _value(total, self.rows))
        if self.found is None or _rank(found) < _rank(self.found):
            self.found = found

    def _halves(self, part: _Part) -> Iterator[_Part]:
        """Yield the parts of ``part`` in which there still may be a better plan: two, or none."""
        weights = self.raise_bound(part)
        if self.found is None or self.is_over(part.bound):
            return
        smaller = self._promising(part)
        if smaller is None or self._enumerate(smaller):
            return
        variable, resource, limit = _division(part.problem, weights)
        is_below = smaller.problem.variables[variable].costs[:, resource] <= limit
        for mask in (is_below, ~is_below):
            if mask.any():
                yield smaller.divided(variable, mask).merged()

    def _without_hopeless(self, whole: _Part) -> _Part:
        """Return ``whole`` without the options that a first plan and few prices rule out."""
        self.raise_bound(whole, _FIRST_ROUNDS)
        if self.found is None or self.is_over(whole.bound):
            return whole
        smaller = self._promising(whole)
        return whole if smaller is None else smaller.merged()

    def _top(self) -> Fraction:
        """Return up to where a plan is wanted."""
        assert self.found is not None
        return self.found.z if self.enough is None else min(self.found.z, Fraction(self.enough))

    def raise_bound(self, part: _Part, rounds: int = _MOST_ROUNDS) -> dict[tuple[int, ...], float]:
        """Raise the bound of ``part`` as far as prices can; return plans with their shares in it.

        Plans are offered on the way, and those near the last ones. If there is none, the bound of
        ``part`` is beyond all.
        """
        relaxation = Relaxation(self.rows)
        known: list[tuple[int, ...]] = []
        if any(row.scale == 0 for row in self.rows):
            # With it the program has a solution; what prices bound does not depend on it.
            assert self.found is not None
            relaxation.add(self.found.total)
            known.append(())
        prices = part.prices[-1] if part.prices else self._even()
        shares: dict[tuple[int, ...], float] = {}
        for _ in range(rounds):
            options = self._cheapest(part, prices)
            if options is None or self.is_over(part.bound):
                break
            is_new = relaxation.add(total_of(part.problem, options))
            if is_new:
                known.append(options)
            z, duals, solution = relaxation.solve()
            shares = {known[k]: share for k, share in solution.items() if known[k]}
            if not is_new or float(part.bound) >= z * (1 - _CLOSE):
                break
            prices = self._integers(duals.tolist())
        for near in shares:
            better = improved(part.problem, near, self.rows)
            self.offer(part.numbered(better), total_of(part.problem, better))
        return shares

    def _cheapest(self, part: _Part, prices: tuple[int, ...]) -> tuple[int, ...] | None:
        """Return the cheapest plan of ``part`` at ``prices``, and raise its bound; None if none."""
        part.prices.append(prices)
        bounds = Bounds(part.problem, self._of_resources([prices]))
        least = int(bounds.least[0])
        scales = sum(p * row.scale for p, row in zip(prices, self.rows, strict=True))
        limits = sum(p * row.limit for p, row in zip(prices, self.rows, strict=True))
        if least >= NEVER:
            part.bound = _BEYOND
            return None
        if scales:
            part.bound = max(part.bound, Fraction(least - limits, scales))
        options = bounds.cheapest(0)
        self.offer(part.numbered(options), total_of(part.problem, options))
        if self.found is not None and least > self._most_of_better(prices):
            part.bound = max(part.bound, self.found.z)
        return options

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

    def _promising(self, part: _Part) -> _Part | None:
        """Return ``part`` without the options that no wanted plan has; None if none is left."""
        rows = [part.prices[-1]]
        bounds = Bounds(part.problem, self._of_resources(rows))
        kept = bounds.kept(self._limits(rows, self._top()))
        return part.where(kept) if all(mask.any() for mask in kept) else None

    def _enumerate(self, part: _Part) -> bool:
        """Look for wanted plans of ``part`` in slices; return whether all of them were seen."""
        parts, open_ = _THINNEST, part.merged()
        rows = self._directions(part.prices[-1])
        bounds = Bounds(open_.problem, self._of_resources(rows))
        while not self.is_over(part.bound):
            top = self._top()
            height = part.bound + (top - part.bound) / parts
            is_found, is_complete = self._look_below(open_, bounds, rows, height)
            if not is_complete:
                return False
            if is_found or height == top:
                return True
            part.bound = height
            parts = max(parts // 4, 1)
        return True

    def _look_below(
        self, part: _Part, bounds: Bounds, rows: list[tuple[int, ...]], top: Fraction
    ) -> tuple[bool, bool]:
        """Offer the best plan of ``part``, with its ``bounds`` at prices of rows, up to ``top``.

        Return whether there is one, and whether all that might be better ones were seen. First,
        only those resources matter that prices put a price on. A plan that is best then, and no
        worse with all rows, is the best one; else what it takes too much of matters, too.
        """
        matters = set(bounds.prices[0].nonzero()[0].tolist())
        limits = self._limits(rows, top)
        kept = bounds.kept(limits)
        if not all(mask.any() for mask in kept):
            return False, True
        smaller = part.where(kept).merged()
        bounds = Bounds(smaller.problem, bounds.prices)
        if (bounds.least > limits).any():
            return False, True
        while True:
            plans = plans_within(bounds, limits, sorted(matters), _MOST_LABELS)
            self.work += plans.work
            found = _least(plans.totals, [r for r in self.rows if r.resource in matters], top)
            if found is None:
                return False, plans.is_complete
            over = self._offer_first(smaller, plans, *found)
            if not over:
                return True, plans.is_complete
            matters |= over

    def _offer_first(
        self, part: _Part, plans: Enumeration, z: Fraction, indices: list[int]
    ) -> set[int]:
        """Offer those of ``plans`` that are best up to the first that keeps all rows with ``z``.

        If none does, return of what they take too much.
        """
        over: set[int] = set()
        for index in indices:
            total = plans.totals[index]
            self.offer(part.numbered(plans.plan(index)), total)
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


def _division(problem: Problem, shares: Mapping[tuple[int, ...], float]) -> tuple[int, int, int]:
    """Return a variable, a resource and a number: options that take more of it are divided off.

    It is where the bound mixes what differs most: in shares of what all plans of it take.
    """
    import numpy as np

    plans = list(shares)
    weights = np.array([shares[plan] for plan in plans])
    largest = np.maximum(largest_total(problem), 1)
    most, division = -1.0, (0, 0, 0)
    for number, variable in enumerate(problem.variables):
        costs = variable.costs if not plans else variable.costs[[plan[number] for plan in plans]]
        mean = costs.mean(axis=0) if not plans else weights @ costs / weights.sum()
        spread = np.abs(costs - mean).max(axis=0) / largest
        spread[costs.min(axis=0) == costs.max(axis=0)] = -1
        resource = int(spread.argmax())
        if spread[resource] > most:
            most, division = float(spread[resource]), (number, resource, int(mean[resource]))
    return division


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
