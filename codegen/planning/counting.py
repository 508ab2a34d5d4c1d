"""Bounds where whole units matter: one resource is counted, all others have their prices.

Prices mix plans: half of one with two block RAMs more and half of one with none. What a mix is
better by can be more than good plans differ by. Here a part of a plan is two numbers: what it costs
at the prices of all other resources, and the units of the counted one. Of those that end alike, the
least cost for each number of units is kept (``labels``). From the other end, what all the rest
costs at least with so many units says which parts of plans, with all that they take, lead nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from lutloom.codegen.planning.bounds import NEVER, Bounds
from lutloom.codegen.planning.labels import (
    MOST_ROWS,
    Labels,
    Rows,
    keys_of,
    plans_within,
    undominated,
    within,
)
from lutloom.codegen.planning.problem import Problem, largest_total

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lutloom.codegen.planning.labels import Enumeration
    from lutloom.codegen.planning.relaxation import Row
    from lutloom.core.types import IntArray

_BOTH = (0, 1)
_NO_LIMIT = NEVER >> 2
"""More than any plan costs; three times that is still below what is not legal."""


@dataclass(frozen=True, eq=False)
class Pricing:
    """Rows with their ``prices``, and the ``resource`` that is counted instead."""

    rows: tuple[Row, ...]
    prices: tuple[int, ...]
    resource: int

    @staticmethod
    def of(rows: tuple[Row, ...], prices: tuple[int, ...]) -> Pricing | None:
        """Return the pricing that counts what a unit costs most of; None if nothing else costs."""
        pairs = zip(rows, prices, strict=True)
        costs: dict[int, int] = {}
        for row, price in pairs:
            costs[row.resource] = costs.get(row.resource, 0) + price
        priced = [resource for resource, cost in costs.items() if cost]
        if len(priced) < len(_BOTH):
            return None
        return Pricing(rows, prices, max(priced, key=lambda resource: costs[resource]))

    def weights(self, resources: int) -> tuple[IntArray, int]:
        """Return what makes two resources of all, ``[resources, 2]``, and the price of a unit."""
        import numpy as np

        weights = np.zeros((resources, 2), np.int64)
        for row, price in zip(self.rows, self.prices, strict=True):
            weights[row.resource, 0] += price
        price = int(weights[self.resource, 0])
        weights[self.resource] = _BOTH
        return weights, price

    def limits(self, ends: Sequence[int]) -> IntArray:
        """Return the most cost and units of a plan that takes ``ends`` of the rows, or less."""
        import numpy as np

        triples = [*zip(self.rows, self.prices, ends, strict=True)]
        cost = sum(price * end for row, price, end in triples if row.resource != self.resource)
        units = min(end for row, _, end in triples if row.resource == self.resource)
        return np.array([min(cost, _NO_LIMIT), units])

    def value(self, cost: int, units: int) -> Fraction:
        """Return the least ``z`` of a plan with this ``cost`` and these ``units``, or more."""
        pairs = [*zip(self.rows, self.prices, strict=True)]
        others = [(row, price) for row, price in pairs if row.resource != self.resource]
        scale = sum(price * row.scale for row, price in others)
        limit = sum(price * row.limit for row, price in others)
        counted = [row for row, _ in pairs if row.resource == self.resource and row.scale]
        values = [Fraction(units - row.limit, row.scale) for row in counted]
        return max([*values, Fraction(cost - limit, scale) if scale else Fraction(0)])


@dataclass(frozen=True, eq=False)
class Counted:
    """Plans by what they cost and the units that they take: of each number the least cost.

    They are those of a problem of these two resources, which ``weights [resources, 2]`` make of
    all; its ``bounds`` are at prices of the two.
    """

    pricing: Pricing
    weights: IntArray
    bounds: Bounds
    plans: Enumeration

    @staticmethod
    def of(
        problem: Problem,
        is_open: NDArray[np.bool_],
        pricing: Pricing,
        ends: Sequence[int],
        most: int,
    ) -> Counted:
        """Return the plans of options that are open which take ``ends`` of the rows, or less.

        They are complete unless more than ``most`` parts of plans end at some process.
        """
        import numpy as np

        weights, price = pricing.weights(problem.costs.shape[1])
        directions = np.array([(1, price), (1, price // 2), (1, 2 * price), (1, 0), (0, 1)])
        bounds = Bounds(problem.weighted(weights), directions, is_open)
        largest = largest_total(bounds.problem, is_open)
        limits = directions @ np.minimum(pricing.limits(ends), largest)
        return Counted(pricing, weights, bounds, plans_within(bounds, limits, _BOTH, most, few=0))

    @property
    def values(self) -> list[Fraction]:
        """What ``z`` is at least, of each of the plans and of all that take as much."""
        return [self.pricing.value(*total) for total in self.plans.totals.tolist()]


@dataclass(frozen=True, eq=False)
class Rests:
    """What all that is not in the labels of each step takes at least, as far as ``limits`` go.

    None where that is not known.
    """

    counted: Counted
    limits: IntArray
    steps: tuple[Rest | None, ...]

    @staticmethod
    def of(counted: Counted, ends: Sequence[int]) -> Rests:
        """Return what is beside parts of plans that take ``ends`` of the rows, or less.

        There is a plan that is ``counted``, and it was counted with no less than these.
        """
        import numpy as np

        problem, limits = counted.bounds.problem, counted.pricing.limits(ends)
        found: list[Labels | None] = [None] * len(problem.steps)
        nothing = np.zeros((1, 2), np.int64)
        found[-1] = Labels((), nothing[:, :0], nothing, nothing[:, 0], ())
        for place in reversed(range(len(problem.steps))):
            for child in problem.steps[place].children:
                behind = found[place]
                if behind is not None:
                    found[child] = _beside(counted, place, child, behind, limits)
        steps = (None if rest is None else Rest.of(rest, problem) for rest in found)
        return Rests(counted, limits, tuple(steps))

    def kept(self, labels: Labels, place: int) -> Labels:
        """Return those of ``labels`` of a step that may be part of a plan within the limits."""
        import numpy as np

        rest = self.steps[place]
        if rest is None:
            return labels
        costs, units = (labels.costs @ self.counted.weights).T
        keys = keys_of(labels, self.counted.bounds.problem)
        sums = costs + rest.least(keys, self.limits[1] - units)
        return labels.where(np.flatnonzero(sums <= self.limits[0]))


@dataclass(frozen=True, eq=False)
class Rest:
    """The least ``costs`` by ``keys`` of values and by ``units``, both ascending."""

    keys: IntArray
    units: IntArray
    costs: IntArray

    @staticmethod
    def of(labels: Labels, problem: Problem) -> Rest:
        """Return the least costs of ``labels`` of a ``problem`` of costs and units."""
        import numpy as np

        keys = keys_of(labels, problem)
        costs, units = labels.costs.T
        order = np.lexsort((costs, units, keys))
        keys, units, costs = keys[order], units[order], costs[order]
        # The least of those before of the same key: ranks start anew, below all before.
        ranks = costs.argsort(kind="stable").argsort(kind="stable") - keys * len(keys)
        least = np.minimum.accumulate(ranks) + keys * len(keys)
        return Rest(keys, units, np.sort(costs)[least])

    def least(self, keys: IntArray, units: IntArray) -> IntArray:
        """Return the least cost for each of ``keys`` with its ``units``; ``NEVER`` if none is."""
        import numpy as np

        if not len(self.keys) or not len(keys):
            return np.full(len(keys), NEVER)
        span = int(max(self.units.max(), units.max(), 0)) + 1
        places = keys * span + np.maximum(units, 0)
        found = np.searchsorted(self.keys * span + self.units, places, side="right") - 1
        is_there = (units >= 0) & (found >= 0) & (self.keys[found] == keys)
        return np.where(is_there, self.costs[found], NEVER)


def _beside(
    counted: Counted, place: int, child: int, behind: Labels, limits: IntArray
) -> Labels | None:
    """Return what is beside the labels of ``child``, of the step ``place`` that it is met at.

    ``behind`` is what is beside the labels of that step. None if it is too much.
    """
    bounds, steps = counted.bounds, counted.bounds.problem.steps
    made: Rows | None = Rows.of(bounds, steps[place])
    others = [counted.plans.labels[other] for other in steps[place].children if other != child]
    for labels in others:
        made = made and _joined(made, labels)
    made = made and _joined(made.linked(steps[place]), behind)
    if made is None:
        return None
    found = made.labels(steps[child].scope)
    found = within(found, bounds, bounds.tables[child], bounds.prices @ limits)
    return undominated(found, bounds, _BOTH)


def _joined(rows: Rows, labels: Labels) -> Rows | None:
    """Return ``rows`` with all ``labels`` that go with them; None if they are too many."""
    matches = rows.matches(labels)
    return None if matches.counts.sum() > MOST_ROWS else rows.joined(labels, matches)
