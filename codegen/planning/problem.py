"""The planner's problem in numbers: choices with costs, and costs of pairs of choices.

    cost of a plan  =  sum of costs[v, option of v]  +  sum of costs[link, value, value]

A variable is a process and its options are its foldings. What a neighbour has to know of an option
is the value of a handle: how wide the words at some ports are. Ports whose words go together, such
as both of a threshold, are one handle. A link is a stream: what it takes for each pair of values.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lutloom.codegen.planning.layout import Layout
    from lutloom.core.types import IntArray


_APART = 64
"""How much larger a table may be that goes on from one than one that begins apart from all.

Where two tables meet, all parts of plans of one are put together with all of the other.
"""


@dataclass(frozen=True, eq=False)
class Variable:
    """Options with their ``costs [options, resources]``, and the values of ``handles`` [options].

    Handles are numbered throughout a problem. Options of the same values stand side by side.
    """

    costs: IntArray
    handles: Mapping[int, IntArray]

    @cached_property
    def starts(self) -> IntArray:
        """Where options with other values begin."""
        import numpy as np

        changed = np.zeros(len(self.costs), np.bool_)
        changed[:1] = True
        for values in self.handles.values():
            changed[1:] |= values[1:] != values[:-1]
        return np.flatnonzero(changed)

    @cached_property
    def distinct(self) -> Mapping[int, IntArray]:
        """The values of handles, of each set of options that have the same."""
        return {handle: values[self.starts] for handle, values in self.handles.items()}

    def where(self, kept: NDArray[np.bool_], present: Mapping[int, IntArray]) -> Variable:
        """Return the variable with those options alone that are ``kept``.

        ``present`` are the values that handles still have, which are numbered anew.
        """
        import numpy as np

        handles = {
            handle: np.searchsorted(present[handle], values[kept])
            for handle, values in self.handles.items()
        }
        return Variable(self.costs[kept], handles)


@dataclass(frozen=True, eq=False)
class Link:
    """What values of the handles ``first`` and ``second`` take together.

    ``costs [values, values, resources]``, where they are ``legal [values, values]``.
    """

    first: int
    second: int
    costs: IntArray
    legal: NDArray[np.bool_]

    def where(self, present: Mapping[int, IntArray]) -> Link:
        """Return the link between those values alone that are ``present``."""
        first, second = present[self.first], present[self.second]
        costs, legal = self.costs[first][:, second], self.legal[first][:, second]
        return Link(self.first, self.second, costs, legal)

    def seen_from(self, handle: int) -> tuple[int, IntArray, NDArray[np.bool_]]:
        """Return the other handle, and costs and legality with ``handle`` first."""
        if handle == self.first:
            return self.second, self.costs, self.legal
        return self.first, self.costs.swapaxes(0, 1), self.legal.T


@dataclass(frozen=True, eq=False)
class Step:
    """A variable is eliminated: the best that it takes becomes a table over handles, its ``scope``.

    ``children`` are the steps before whose tables are over its handles, among others; ``links``
    lead to variables that are still there. The last step has no variable.
    """

    variable: int | None
    children: tuple[int, ...]
    links: tuple[Link, ...]
    scope: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Ends:
    """The links of a problem in a row: the entries of all their tables, ``costs [entries, ...]``.

    Where a plan's entry is, both ends of a link say: with option ``o`` of its variable, one of
    ``owners [links, 2]``, the end adds entry ``first [links, 2] + o`` of ``places``. All links
    together take ``most [resources]`` or less.
    """

    costs: IntArray
    most: IntArray
    owners: IntArray
    first: IntArray
    places: IntArray

    @staticmethod
    def of(problem: Problem) -> Ends:
        """Return the links of ``problem``."""
        import numpy as np

        costs, most = [problem.costs[:0]], 0 * problem.costs[0]
        owners, first = [], []
        places = [np.zeros(0, np.int64)]
        entries = count = 0
        for link in problem.links:
            pair = problem.owner[link.first], problem.owner[link.second]
            rows = problem.variables[pair[0]].handles[link.first] * link.legal.shape[1] + entries
            columns = problem.variables[pair[1]].handles[link.second]
            owners.append(pair)
            first.append((count, count + len(rows)))
            places += [rows, columns]
            costs.append(link.costs.reshape(-1, problem.costs.shape[1]))
            most = most + costs[-1].max(axis=0)
            entries, count = entries + len(costs[-1]), count + len(rows) + len(columns)
        shape = len(problem.links), 2
        return Ends(
            np.concatenate(costs),
            most,
            np.array(owners, np.int64).reshape(shape),
            np.array(first, np.int64).reshape(shape),
            np.concatenate(places),
        )


@dataclass(frozen=True, eq=False)
class Problem:
    """Variables, links between them, and how many values each handle has."""

    variables: tuple[Variable, ...]
    links: tuple[Link, ...]
    sizes: Mapping[int, int]

    @cached_property
    def owner(self) -> Mapping[int, int]:
        """The variable of each handle."""
        return {h: v for v, variable in enumerate(self.variables) for h in variable.handles}

    @cached_property
    def first(self) -> IntArray:
        """Where options of each variable begin if all stand in a row; the last entry is the end."""
        import numpy as np

        return np.cumsum([0, *(len(variable.costs) for variable in self.variables)])

    @cached_property
    def costs(self) -> IntArray:
        """What all options take, in a row, ``[options, resources]``."""
        import numpy as np

        return np.concatenate([variable.costs for variable in self.variables])

    @cached_property
    def owners(self) -> IntArray:
        """The variable of each option, ``[options]``."""
        import numpy as np

        return np.repeat(np.arange(len(self.variables)), np.diff(self.first))

    @cached_property
    def sets(self) -> IntArray:
        """A number for each option that all of its variable with the same values share."""
        import numpy as np

        starts = np.zeros(len(self.costs), np.int64)
        pairs = zip(self.first.tolist(), self.variables, strict=False)
        starts[np.concatenate([begin + variable.starts for begin, variable in pairs])] = 1
        return starts.cumsum()

    @cached_property
    def ends(self) -> Ends:
        """What links take, in a row."""
        return Ends.of(self)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """An order in which variables are eliminated, one with small tables."""
        return steps_of(self, _order(self))

    @cached_property
    def layout(self) -> Layout:
        """Where sums of prices stand (``layout``)."""
        from lutloom.codegen.planning.layout import Layout

        return Layout.of(self)

    @cached_property
    def needed(self) -> tuple[NDArray[np.bool_], ...]:
        """Which options a best plan may need, whatever is best (``dominance``)."""
        from lutloom.codegen.planning.dominance import needed

        return needed(self)

    @cached_property
    def lean(self) -> Problem:
        """The problem with needed options alone, in the same order."""
        return self.restricted(self.needed)

    def restricted(self, kept: Sequence[NDArray[np.bool_]]) -> Problem:
        """Return the problem with those options alone that are ``kept``, in the same order.

        Values that handles have no longer are gone as well.
        """
        import numpy as np

        present = {
            handle: np.unique(values[mask])
            for variable, mask in zip(self.variables, kept, strict=True)
            for handle, values in variable.handles.items()
        }
        variables = tuple(v.where(k, present) for v, k in zip(self.variables, kept, strict=True))
        links = {id(link): link.where(present) for link in self.links}
        sizes = {handle: len(values) for handle, values in present.items()}
        return self._in_order(variables, links, sizes)

    def weighted(self, weights: IntArray) -> Problem:
        """Return the problem of the resources that ``weights [resources, others]`` make of all."""
        variables = tuple(Variable(v.costs @ weights, v.handles) for v in self.variables)
        links = {
            id(link): Link(link.first, link.second, link.costs @ weights, link.legal)
            for link in self.links
        }
        return self._in_order(variables, links, self.sizes)

    def _in_order(
        self, variables: tuple[Variable, ...], links: Mapping[int, Link], sizes: Mapping[int, int]
    ) -> Problem:
        """Return a problem of ``links`` for the own ones, by ``id``, with steps in the same order.

        One is made for the whole problem only.
        """
        problem = Problem(variables, tuple(links.values()), sizes)
        problem.__dict__["steps"] = tuple(
            replace(step, links=tuple(links[id(link)] for link in step.links))
            for step in self.steps
        )
        return problem


def _order(problem: Problem) -> list[int]:
    """Return the variables in an order in which tables stay small."""
    owner = problem.owner
    links = list(problem.links)
    tables: list[tuple[int, ...]] = []
    left = list(range(len(problem.variables)))
    order: list[int] = []

    def scope_of(variable: int) -> tuple[int, ...]:
        mine = problem.variables[variable].handles
        scopes = [*((link.first, link.second) for link in links), *tables]
        touching = [scope for scope in scopes if any(h in mine for h in scope)]
        return tuple({h for scope in touching for h in scope if owner[h] != variable})

    def size(scope: tuple[int, ...]) -> int:
        product = 1
        for handle in scope:
            product *= problem.sizes[handle]
        return product

    def meets(variable: int) -> bool:
        mine = problem.variables[variable].handles
        return any(handle in mine for scope in tables for handle in scope)

    # Only of neighbours of the last one the scopes have changed.
    scopes = {variable: scope_of(variable) for variable in left}
    while left:
        variable = min(left, key=lambda v: (size(scopes[v]) * (1 if meets(v) else _APART), v))
        scope = scopes.pop(variable)
        left.remove(variable)
        order.append(variable)
        mine = problem.variables[variable].handles
        links = [link for link in links if link.first not in mine and link.second not in mine]
        tables = [table for table in tables if not any(h in mine for h in table)]
        tables.append(scope)
        for neighbour in {owner[h] for h in scope}:
            scopes[neighbour] = scope_of(neighbour)
    return order


def steps_of(problem: Problem, order: Sequence[int]) -> tuple[Step, ...]:
    """Return the steps in which the variables are eliminated in this ``order``."""
    owner = problem.owner
    links: dict[int, dict[int, Link]] = {variable: {} for variable in order}
    for number, link in enumerate(problem.links):
        for handle in (link.first, link.second):
            links[owner[handle]][number] = link
    # The tables that are not yet part of another one, and by variable those over its handles.
    tables: dict[int, tuple[int, ...]] = {}
    met: dict[int, set[int]] = {variable: set() for variable in order}
    steps: list[Step] = []
    for variable in order:
        touching, children = links[variable], sorted(met[variable])
        scopes = [
            *((link.first, link.second) for link in touching.values()),
            *(tables.pop(child) for child in children),
        ]
        ahead = {handle for scope in scopes for handle in scope if owner[handle] != variable}
        scope = tables[len(steps)] = tuple(sorted(ahead))
        for neighbour in {owner[handle] for handle in scope}:
            met[neighbour] = (met[neighbour] - {*children}) | {len(steps)}
            links[neighbour] = {n: k for n, k in links[neighbour].items() if n not in touching}
        steps.append(Step(variable, tuple(children), tuple(touching.values()), scope))
    return (*steps, Step(None, tuple(tables), (), ()))


def total_of(problem: Problem, options: IntArray) -> IntArray:
    """Return what a plan takes in all, ``[resources]``."""
    ends = problem.ends
    entries = ends.places[ends.first + options[ends.owners]].sum(axis=1)
    own = problem.costs[problem.first[:-1] + options].sum(axis=0)
    total: IntArray = own + ends.costs[entries].sum(axis=0)
    return total


def largest_total(problem: Problem, is_open: NDArray[np.bool_] | None = None) -> IntArray:
    """Return more than any plan of the options that are open takes, ``[resources]``."""
    import numpy as np

    costs = problem.costs if is_open is None else problem.costs * is_open[:, np.newaxis]
    largest: IntArray = np.maximum.reduceat(costs, problem.first[:-1]).sum(axis=0)
    return largest + problem.ends.most
