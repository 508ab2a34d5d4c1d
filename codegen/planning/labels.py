"""All plans below a bound: parts of plans with what they take, resource by resource.

The same elimination as in ``bounds``, with all sums that could matter in place of the least one.
Of two parts of plans that end alike, one that takes no more of anything that matters makes the
other needless; and a part goes where it and the least rest exceed a limit at some prices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lutloom.codegen.planning.bounds import Bounds
    from lutloom.codegen.planning.problem import Problem, Step
    from lutloom.core.types import IntArray

_PIVOTS, _COMPARISONS = 64, 1 << 19
"""Parts of plans that all others are compared with: those that cost least."""
MOST_ROWS = 1 << 20
"""Parts of plans that are made at once: of 1,000 each where two branches meet there were 10^8."""


@dataclass(frozen=True, eq=False)
class Labels:
    """Parts of plans: ``costs [labels, resources]`` and ``values [labels, handles in scope]``.

    ``options`` says what the step's own variable is, ``origins`` which label of each child a
    label is made from.
    """

    scope: tuple[int, ...]
    values: IntArray
    costs: IntArray
    options: IntArray
    origins: tuple[IntArray, ...]

    def where(self, kept: IntArray) -> Labels:
        """Return the labels ``kept``, in that order."""
        origins = tuple(origin[kept] for origin in self.origins)
        return Labels(self.scope, self.values[kept], self.costs[kept], self.options[kept], origins)


@dataclass(frozen=True, eq=False)
class Enumeration:
    """The labels of every step; those of the last one are whole plans.

    ``is_complete`` says that none was left out which may matter, ``work`` how many were made
    on the way.
    """

    problem: Problem
    labels: tuple[Labels, ...]
    is_complete: bool
    work: int

    @property
    def totals(self) -> IntArray:
        """What each plan takes, ``[plans, resources]``."""
        return self.labels[-1].costs

    def plan(self, index: int) -> IntArray:
        """Return the options of the plan ``index``."""
        import numpy as np

        steps, chosen = self.problem.steps, {}
        places = {len(steps) - 1: index}
        for place in reversed(range(len(steps))):
            step, labels, label = steps[place], self.labels[place], places[place]
            if step.variable is not None:
                chosen[step.variable] = int(labels.options[label])
            for child, origin in zip(step.children, labels.origins, strict=True):
                places[child] = int(origin[label])
        return np.array([chosen[v] for v in range(len(self.problem.variables))])


def plans_within(
    bounds: Bounds,
    limits: IntArray,
    resources: Sequence[int],
    most: int,
    few: int,
    wanted: Callable[[Labels, int], Labels] | None = None,
) -> Enumeration:
    """Return the plans whose sums at the prices of ``bounds`` are within ``limits [rows]``.

    All that matters is what they take of ``resources``, among them all that there may be too
    little of: for each of those plans there is one here that takes no more of them. But where more
    than ``most`` parts of plans end at some process, a ``few`` of them are gone on with, the most
    promising ones, and plans may be missing; and where ``MOST_ROWS`` would be made of those of
    branches that meet, so many as make fewer. ``wanted`` returns those labels of a step that may
    be part of a plan that is wanted, if more is known of that.
    """
    labels: list[Labels] = []
    is_complete, work = True, 0
    for place, step in enumerate(bounds.problem.steps):
        rows = Rows.of(bounds, step)
        for child in step.children:
            matches = rows.matches(labels[child])
            while (count := int(matches.counts.sum())) > MOST_ROWS:
                is_complete, most = False, min(most, few)
                left = len(labels[child].costs) * MOST_ROWS // count
                labels[child] = _most_promising(labels[child], bounds, child, limits, left)
                matches = rows.matches(labels[child])
            rows = rows.joined(labels[child], matches)
        work += len(rows.costs)
        rows = rows.within(bounds, place, limits).linked(step)
        work += len(rows.costs)
        found = within(rows.labels(step.scope), bounds, bounds.rest[place], limits)
        if wanted is not None:
            found = wanted(found, place)
        found = undominated(found, bounds, resources)
        if len(found.costs) > most:
            is_complete, most = False, min(most, few)
        labels.append(_most_promising(found, bounds, place, limits, most))
        if not len(labels[-1].costs):
            # What no plan gets past: no whole one is there either.
            break
    return Enumeration(bounds.problem, tuple(labels), is_complete, work)


@dataclass(frozen=True, eq=False)
class Matches:
    """Labels in an ``order`` in which those of a row are ``counts`` ones from ``first`` on."""

    order: IntArray
    first: IntArray
    counts: IntArray


@dataclass(frozen=True, eq=False)
class Rows:
    """Labels in the making: what is known of each, one entry a row."""

    problem: Problem
    columns: dict[int, IntArray]
    costs: IntArray
    options: IntArray
    origins: tuple[IntArray, ...]

    @staticmethod
    def of(bounds: Bounds, step: Step) -> Rows:
        """Return a row for each option of the step's variable that is open."""
        import numpy as np

        problem, number = bounds.problem, step.variable
        if number is None:
            nothing = np.zeros((1, problem.costs.shape[1]), np.int64)
            return Rows(problem, {}, nothing, np.zeros(1, np.int64), ())
        variable = problem.variables[number]
        options = np.arange(len(variable.costs))
        if bounds.open is not None:
            options = np.flatnonzero(bounds.open[slice(*problem.first[number : number + 2])])
        columns = {handle: values[options] for handle, values in variable.handles.items()}
        return Rows(problem, columns, variable.costs[options], options, ())

    def matches(self, child: Labels) -> Matches:
        """Return which labels of ``child`` go with each row."""
        import numpy as np

        shared = [h for h in child.scope if h in self.columns]
        sizes = [self.problem.sizes[h] for h in shared]
        theirs = [child.values[:, child.scope.index(h)] for h in shared]
        keys = _keys(theirs, sizes, len(child.costs))
        order = np.argsort(keys, kind="stable")
        mine = _keys([self.columns[h] for h in shared], sizes, len(self.costs))
        first = np.searchsorted(keys[order], mine, side="left")
        return Matches(order, first, np.searchsorted(keys[order], mine, side="right") - first)

    def joined(self, child: Labels, found: Matches) -> Rows:
        """Return every row with every label of ``child`` that goes with it, as they were found."""
        import numpy as np

        counts = found.counts
        rows = np.repeat(np.arange(len(counts)), counts)
        within = np.arange(len(rows)) - np.repeat(counts.cumsum() - counts, counts)
        labels = found.order[found.first[rows] + within]
        theirs = {h: child.values[:, i] for i, h in enumerate(child.scope)}
        columns = {h: values[rows] for h, values in self.columns.items()}
        columns |= {h: values[labels] for h, values in theirs.items() if h not in columns}
        costs = self.costs[rows] + child.costs[labels]
        origins = (*(origin[rows] for origin in self.origins), labels)
        return Rows(self.problem, columns, costs, self.options[rows], origins)

    def within(self, bounds: Bounds, place: int, limits: IntArray) -> Rows:
        """Return the rows that may be part of a plan within ``limits``, whatever is behind them."""
        import numpy as np

        step, ahead = self.problem.steps[place], bounds.ahead(place)
        sets = np.zeros(1, np.int64)
        if step.variable is not None:
            sets = self.problem.sets[slice(*self.problem.first[step.variable : step.variable + 2])]
            sets = sets - sets[0]

        def rest(row: slice, labels: IntArray) -> IntArray:
            found: IntArray = ahead[row][:, sets[self.options[labels]]]
            return found

        return self.taken(_kept(self.costs, rest, bounds, limits), {})

    def linked(self, step: Step) -> Rows:
        """Return every row with what the links of ``step`` take, and every value behind them."""
        import numpy as np

        made = self
        for link in step.links:
            handle = link.first if link.first in self.columns else link.second
            if step.variable is not None:
                mine = self.problem.variables[step.variable].handles
                handle = link.first if link.first in mine else link.second
            other, costs, legal = link.seen_from(handle)
            if other not in made.columns:
                there = np.arange(self.problem.sizes[other])
                rows = np.repeat(np.arange(len(made.costs)), len(there))
                values = np.tile(there, len(made.costs))
                made = made.taken(rows, {other: values})
            pair = made.columns[handle], made.columns[other]
            made = made.plus(costs[pair], np.flatnonzero(legal[pair]))
        return made

    def taken(self, rows: IntArray, more: dict[int, IntArray]) -> Rows:
        """Return the rows ``rows``, and ``more`` columns of them."""
        columns = {h: values[rows] for h, values in self.columns.items()} | more
        origins = tuple(origin[rows] for origin in self.origins)
        return Rows(self.problem, columns, self.costs[rows], self.options[rows], origins)

    def plus(self, costs: IntArray, rows: IntArray) -> Rows:
        """Return the rows ``rows`` with ``costs [all rows, resources]`` more."""
        made = self.taken(rows, {})
        return Rows(
            self.problem, made.columns, made.costs + costs[rows], made.options, made.origins
        )

    def labels(self, scope: tuple[int, ...]) -> Labels:
        """Return the rows as labels over ``scope``."""
        import numpy as np

        values = np.zeros((len(self.costs), len(scope)), np.int64)
        for place, handle in enumerate(scope):
            values[:, place] = self.columns[handle]
        return Labels(scope, values, self.costs, self.options, self.origins)


def _keys(columns: list[IntArray], sizes: list[int], count: int) -> IntArray:
    """Return one number for each row of ``columns``."""
    import numpy as np

    keys = np.zeros(count, np.int64)
    for column, size in zip(columns, sizes, strict=True):
        keys = keys * size + column
    return keys


def keys_of(labels: Labels, problem: Problem) -> IntArray:
    """Return a number for the values of each of ``labels``: those of the same have the same."""
    sizes = [problem.sizes[handle] for handle in labels.scope]
    return _keys(list(labels.values.T), sizes, len(labels.costs))


def within(labels: Labels, bounds: Bounds, table: IntArray, limits: IntArray) -> Labels:
    """Return the ``labels`` that may be part of a plan within ``limits [rows]``.

    All that is not in them costs at least what a ``table [rows, *scope]`` of ``bounds`` says.
    """

    def rest(row: slice, numbers: IntArray) -> IntArray:
        found: IntArray = table[(row, *labels.values[numbers].T)]
        return found.reshape(found.shape[0], -1)

    return labels.where(_kept(labels.costs, rest, bounds, limits))


def _kept(
    costs: IntArray,
    rest: Callable[[slice, IntArray], IntArray],
    bounds: Bounds,
    limits: IntArray,
) -> IntArray:
    """Return which ``costs`` are within ``limits [rows]``, beside the ``rest [rows, labels]``."""
    import numpy as np

    kept = np.arange(len(costs))
    # Most go with the first prices. Sums are exact as floats: below 2^53, and those of what is
    # not legal above all limits.
    for row in (slice(0, 1), slice(1, None)):
        prices = bounds.prices[row].astype(np.float64)
        sums = prices @ costs[kept].astype(np.float64).T + rest(row, kept)
        kept = kept[(sums <= limits[row, np.newaxis]).all(axis=0)]
    return kept


def undominated(labels: Labels, bounds: Bounds, resources: Sequence[int]) -> Labels:
    """Return the ``labels`` of a step but for needless ones, as far as they are easily found."""
    import numpy as np

    keys = keys_of(labels, bounds.problem)
    # Side by side those that differ in the first resource alone, the least in front.
    rest = [r for r in range(labels.costs.shape[1]) if r not in resources]
    first, *others = resources
    order = np.lexsort(
        (*labels.costs.T[rest], labels.costs[:, first], *labels.costs.T[others], keys)
    )
    keys, costs = keys[order], labels.costs[order][:, [*resources]]
    new = np.ones(len(order), np.bool_)
    new[1:] = (keys[1:] != keys[:-1]) | (costs[1:, 1:] != costs[:-1, 1:]).any(axis=1)
    keys, costs, kept = keys[new], costs[new], order[new]
    sums = labels.costs[kept] @ bounds.prices[0]
    pivots = np.argsort(sums, kind="stable")[: min(_PIVOTS, _COMPARISONS // max(len(kept), 1))]
    is_worse = keys[pivots, np.newaxis] == keys
    for column in costs.T:
        is_worse &= column[pivots, np.newaxis] <= column
    # No two are alike, and what is worse than one is worse than what makes that needless.
    is_worse[np.arange(len(pivots)), pivots] = False
    return labels.where(kept[~is_worse.any(axis=0)])


def _most_promising(
    labels: Labels, bounds: Bounds, place: int, limits: IntArray, most: int
) -> Labels:
    """Return ``most`` labels, or fewer: those that stay furthest below their tightest limit."""
    import numpy as np

    if len(labels.costs) <= most:
        return labels
    rest = bounds.rest[place][(slice(None), *labels.values.T)].reshape(len(bounds.prices), -1)
    sums = bounds.prices @ labels.costs.T + rest
    # As shares of the limits: where these are, in the order of plans.
    nearness = (sums / np.maximum(limits, 1)[:, np.newaxis]).max(axis=0)
    return labels.where(np.sort(np.argsort(nearness, kind="stable")[:most]))
