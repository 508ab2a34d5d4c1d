"""What a plan costs at least, at prices of the resources: the least sum by dynamic programming.

With a price ``p`` a unit of each resource, the cheapest plan is found variable by variable:

    table[scope]  =  least, over options, of  price of the option + tables and links that it meets

and from the other end, what all the rest costs at least beside each entry of each table. So an
option, or a part of a plan, is known to be in no plan below some sum. Prices are integers, and so
is everything here: what is a bound here is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from lutloom.codegen.planning.problem import Problem, Step, Variable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.types import IntArray

NEVER = 1 << 52
"""The price of what is not legal: more than any plan's, and still summed up within 64 bits."""


@dataclass(frozen=True, eq=False)
class Bounds:
    """The least sums of a problem at ``prices [rows, resources]``, each row for itself."""

    problem: Problem
    prices: IntArray

    @cached_property
    def tables(self) -> tuple[IntArray, ...]:
        """Of each step, what it and those before it cost at least: ``[rows, *scope]``."""
        import numpy as np

        tables: list[IntArray] = []
        for place in range(len(self.problem.steps)):
            table = self._sums(place, tables).min(axis=1)
            tables.append(np.minimum(table, NEVER))
        return tuple(tables)

    @property
    def least(self) -> IntArray:
        """The least sum of a whole plan, ``[rows]``."""
        return self.tables[-1]

    def cheapest(self, row: int) -> tuple[int, ...]:
        """Return the options of a plan of the least sum at the prices of ``row``."""
        chosen: dict[int, int] = {}
        values: dict[int, int] = {}
        for step in reversed(self.problem.steps):
            if step.variable is None:
                continue
            variable = self.problem.variables[step.variable]
            sums = self.prices[row] @ variable.costs.T
            for child in step.children:
                table = self.tables[child][row]
                scope = self.problem.steps[child].scope
                sums = sums + table[tuple(variable.handles.get(h, values.get(h)) for h in scope)]
            for handle, other, link in self._links(step):
                sums = sums + link[row][variable.handles[handle], values[other]]
            option = int(sums.argmin())
            chosen[step.variable] = option
            values.update({h: int(v[option]) for h, v in variable.handles.items()})
        return tuple(chosen[v] for v in range(len(self.problem.variables)))

    @cached_property
    def rest(self) -> tuple[IntArray, ...]:
        """Of each step, what all that is not in its table costs at least: ``[rows, *scope]``."""
        import numpy as np

        steps = self.problem.steps
        rest: list[IntArray] = [np.zeros(0, np.int64)] * len(steps)
        rest[-1] = np.zeros(len(self.prices), np.int64)
        for place in reversed(range(len(steps))):
            step = steps[place]
            for child in step.children:
                sums = self._sums(place, self.tables, without=child)
                sums = sums + rest[place][:, np.newaxis]
                rest[child] = self._over(sums, step, steps[child].scope)
        return tuple(rest)

    @cached_property
    def options(self) -> tuple[IntArray, ...]:
        """Of each step, what a plan with each option of its variable costs, ``[rows, options]``."""
        return tuple(self._options(place) for place in range(len(self.problem.steps) - 1))

    def _options(self, place: int) -> IntArray:
        import numpy as np

        local, least = self._local[place]
        sums = self._sums(place, self.tables) + self.rest[place][:, np.newaxis]
        sums = sums.reshape(*sums.shape[:2], -1).min(axis=2)
        found: IntArray = local + np.repeat(sums - least, self._counts(place), axis=1)
        return found

    def ahead(self, place: int) -> IntArray:
        """Return what comes behind the step ``place`` at least, ``[rows, values of its handles]``.

        Its links, and all that is not in its table; its own options and children are not in it.
        """
        import numpy as np

        _, least = self._local[place]
        sums = self._own[place] + self.rest[place][:, np.newaxis]
        found: IntArray = sums.reshape(*sums.shape[:2], -1).min(axis=2) - least
        return found

    @cached_property
    def _local(self) -> tuple[tuple[IntArray, IntArray], ...]:
        """Of each step, the prices of its options, and the least of those of the same values.

        ``[rows, options]`` and ``[rows, values of its handles]``.
        """
        import numpy as np

        found = []
        for step in self.problem.steps:
            if step.variable is None:
                nothing = np.zeros((len(self.prices), 1), np.int64)
                found.append((nothing, nothing))
                continue
            variable = self.problem.variables[step.variable]
            local = self.prices @ variable.costs.T
            found.append((local, np.minimum.reduceat(local, variable.starts, axis=1)))
        return tuple(found)

    @cached_property
    def _own(self) -> tuple[IntArray, ...]:
        """Of each step, sums without its children: ``[rows, values of its handles, *scope]``."""
        found = []
        for step, (_, least) in zip(self.problem.steps, self._local, strict=True):
            sums = least.reshape(*least.shape, *[1] * len(step.scope))
            if step.variable is not None:
                variable = self.problem.variables[step.variable]
                for handle, other, link in self._links(step):
                    sums = sums + _met(variable, link, (handle, other), step.scope)
            found.append(sums)
        return tuple(found)

    def _counts(self, place: int) -> IntArray:
        """Return how many options of a step's variable have each set of values."""
        import numpy as np

        number = self.problem.steps[place].variable
        assert number is not None
        variable = self.problem.variables[number]
        return np.diff(np.append(variable.starts, len(variable.costs)))

    def kept(self, limits: IntArray) -> tuple[NDArray[np.bool_], ...]:
        """Return which options are in a plan whose sums may be within ``limits [rows]``."""
        import numpy as np

        found: dict[int, NDArray[np.bool_]] = {}
        for place, step in enumerate(self.problem.steps):
            if step.variable is not None:
                within: NDArray[np.bool_] = self.options[place] <= limits[:, None]
                found[step.variable] = np.logical_and.reduce(within, axis=0)
        return tuple(found[v] for v in range(len(self.problem.variables)))

    def _links(self, step: Step) -> list[tuple[int, int, IntArray]]:
        """Return the links of ``step``: its handle, the other one, and ``[rows, mine, other]``."""
        import numpy as np

        assert step.variable is not None
        mine = self.problem.variables[step.variable].handles
        found = []
        for link in step.links:
            handle = link.first if link.first in mine else link.second
            other, costs, legal = link.seen_from(handle)
            known = self._priced.get(id(link))
            if known is None:
                sums = np.einsum("lr,abr->lab", self.prices, costs)
                known = self._priced[id(link)] = np.where(legal, sums, NEVER)
            found.append((handle, other, known))
        return found

    @cached_property
    def _priced(self) -> dict[int, IntArray]:
        return {}

    def _sums(
        self, place: int, tables: list[IntArray] | tuple[IntArray, ...], without: int = -1
    ) -> IntArray:
        """Return the sums of a step, ``[rows, values of its handles, *scope]``.

        ``without``: a child whose table is left out.
        """
        import numpy as np

        step, sums = self.problem.steps[place], self._own[place]
        for child in step.children:
            if child == without:
                continue
            if step.variable is None:
                sums = sums + tables[child][:, np.newaxis]
                continue
            variable = self.problem.variables[step.variable]
            scope = self.problem.steps[child].scope
            sums = sums + _met(variable, tables[child], scope, step.scope)
        return sums

    def _over(self, sums: IntArray, step: Step, scope: tuple[int, ...]) -> IntArray:
        """Return the least of ``sums`` of ``step`` over all but ``scope``."""
        import numpy as np

        if step.variable is None:
            return np.minimum(sums[:, 0], NEVER)
        variable, sizes = self.problem.variables[step.variable], self.problem.sizes
        others = [h for h in step.scope if h in scope]
        gone = tuple(2 + i for i, h in enumerate(step.scope) if h not in scope)
        sums = sums.min(axis=gone) if gone else sums
        mine = [h for h in scope if h in variable.handles]
        shape = [sizes[h] for h in mine]
        places = np.ravel_multi_index([variable.distinct[h] for h in mine], shape)
        order = np.argsort(places, kind="stable")
        found, starts = np.unique(places[order], return_index=True)
        full = np.full((sums.shape[0], int(np.prod(shape)), *sums.shape[2:]), NEVER, np.int64)
        full[:, found] = np.minimum.reduceat(sums[:, order], starts, axis=1)
        full = full.reshape(sums.shape[0], *shape, *sums.shape[2:])
        axes = [[*mine, *others].index(h) + 1 for h in scope]
        return np.minimum(full.transpose(0, *axes), NEVER)


def _met(
    variable: Variable, table: IntArray, scope: tuple[int, ...], wanted: tuple[int, ...]
) -> IntArray:
    """Return ``table [rows, *scope]`` by the values of ``variable``, and over ``wanted``."""
    mine = [h for h in scope if h in variable.handles]
    others = sorted((h for h in scope if h not in variable.handles), key=wanted.index)
    axes = [1 + scope.index(h) for h in (*mine, *others)]
    met = table.transpose(0, *axes)
    index: tuple[slice | IntArray, ...] = slice(None), *(variable.distinct[h] for h in mine)
    met = met[index]
    shape = [met.shape[2 + others.index(h)] if h in others else 1 for h in wanted]
    return met.reshape(*met.shape[:2], *shape)
