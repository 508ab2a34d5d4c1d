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

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.codegen.planning.layout import Layout, Met
    from lutloom.codegen.planning.problem import Problem
    from lutloom.core.types import IntArray

NEVER = 1 << 52
"""The price of what is not legal: more than any plan's, and still summed up within 64 bits."""


@dataclass(frozen=True, eq=False)
class Bounds:
    """The least sums of a problem at ``prices [rows, resources]``, each row for itself.

    Plans are those of the options that are ``open``, by their place in a row; None: of all.
    """

    problem: Problem
    prices: IntArray
    open: NDArray[np.bool_] | None = None

    @property
    def _layout(self) -> Layout:
        return self.problem.layout

    @property
    def tables(self) -> tuple[IntArray, ...]:
        """Of each step, what it and those before it cost at least: ``[rows, *scope]``."""
        return self._made[1]

    @cached_property
    def _made(self) -> tuple[tuple[IntArray, ...], tuple[IntArray, ...]]:
        """Sums ``[rows, sets, *scope]`` of each step but the last one, and the ``tables``."""
        import numpy as np

        made: list[IntArray] = []
        tables: list[IntArray] = []
        for place, own in zip(self._layout.places[:-1], self._own, strict=False):
            sums = own
            for met in place.children:
                sums = sums + _seen(tables[met.place], met)
            made.append(sums)
            tables.append(np.minimum(np.minimum.reduce(sums, axis=1), NEVER))
        tables.append(_sum([tables[child] for child in self._layout.places[-1].step.children]))
        return tuple(made), tuple(tables)

    @property
    def least(self) -> IntArray:
        """The least sum of a whole plan, ``[rows]``."""
        return self.tables[-1]

    def cheapest(self, row: int) -> IntArray:
        """Return the options of a plan of the least sum at the prices of ``row``."""
        import numpy as np

        local, least = (sums[row] for sums in self._local)
        sets = np.zeros(len(self.problem.variables), np.int64)
        values: dict[int, int] = {}
        for number in reversed(range(len(self._layout.places) - 1)):
            place, sums = self._layout.places[number], self._made[0][number]
            assert place.step.variable is not None
            behind = tuple(values[h] for h in place.step.scope)
            best = int(sums[row][:, *behind].argmin())
            sets[place.step.variable] = place.sets.start + best
            for handle, mine in self.problem.variables[place.step.variable].distinct.items():
                values[handle] = int(mine[best])
        # Of each set, the first one of the least price.
        is_least = np.flatnonzero(local == np.repeat(least, self._layout.counts))
        chosen = is_least[np.searchsorted(is_least, self._layout.starts[sets])]
        options: IntArray = chosen - self.problem.first[:-1]
        return options

    @cached_property
    def rest(self) -> tuple[IntArray, ...]:
        """Of each step, what all that is not in its table costs at least: ``[rows, *scope]``."""
        import numpy as np

        places = self._layout.places
        rest: list[IntArray] = [np.zeros(0, np.int64)] * len(places)
        rest[-1] = np.zeros(len(self.prices), np.int64)
        last = places[-1].step.children
        for child in last:
            others = [self.tables[other] for other in last if other != child]
            rest[child] = _sum([rest[-1], *others])
        for number in reversed(range(len(places) - 1)):
            behind = self._own[number] + rest[number][:, np.newaxis]
            for met in places[number].children:
                sums = behind
                for other in places[number].children:
                    if other is not met:
                        sums = sums + _seen(self.tables[other.place], other)
                rest[met.place] = _over(sums, met)
        return tuple(rest)

    @cached_property
    def _options(self) -> IntArray:
        """What a plan with each option of all steps costs, ``[rows, options]``."""
        import numpy as np

        local, least = self._local
        more = np.zeros_like(least)
        for number, place in enumerate(self._layout.places[:-1]):
            sums = self._made[0][number] + self.rest[number][:, np.newaxis]
            more[:, place.sets] = sums.reshape(*sums.shape[:2], -1).min(axis=2)
        more -= least
        found: IntArray = local + np.repeat(more, self._layout.counts, axis=1)
        return found

    def ahead(self, place: int) -> IntArray:
        """Return what comes behind the step ``place`` at least, ``[rows, values of its handles]``.

        Its links, and all that is not in its table; its own options and children are not in it.
        """
        import numpy as np

        least = self._local[1][:, self._layout.places[place].sets]
        if place == len(self._layout.places) - 1:
            return np.zeros_like(least)
        sums = self._own[place] + self.rest[place][:, np.newaxis]
        found: IntArray = sums.reshape(*sums.shape[:2], -1).min(axis=2) - least
        return found

    @cached_property
    def _local(self) -> tuple[IntArray, IntArray]:
        """The prices of all options, and the least of those of the same values.

        ``[rows, options]`` and ``[rows, sets of values]``, as in the layout.
        """
        import numpy as np

        local = self.prices @ self._layout.costs.T
        if self.open is not None:
            local[:, :-1][:, ~self.open] = NEVER
        return local, np.minimum.reduceat(local, self._layout.starts, axis=1)

    @cached_property
    def _own(self) -> tuple[IntArray, ...]:
        """Of each step, sums without its children: ``[rows, values of its handles, *scope]``."""
        rows, layout = len(self.prices), self._layout
        sums = self.prices @ layout.linked.T
        sums[:, layout.illegal] = NEVER
        sums += self._local[1][:, layout.linked_sets]
        return tuple(sums[:, place.links].reshape(rows, *place.shape) for place in layout.places)

    def kept(self, limits: IntArray) -> NDArray[np.bool_]:
        """Return which options are in a plan whose sums may be within ``limits [rows]``."""
        import numpy as np

        is_within = self._options[:, :-1] <= limits[:, np.newaxis]
        kept: NDArray[np.bool_] = np.logical_and.reduce(is_within, axis=0)
        return kept if self.open is None else np.logical_and(kept, self.open)


def _sum(tables: list[IntArray]) -> IntArray:
    """Return the sum of tables of parts that nothing joins, ``[rows]``."""
    import numpy as np

    found: IntArray = np.minimum(np.sum(tables, axis=0), NEVER)
    return found


def _seen(table: IntArray, met: Met) -> IntArray:
    """Return ``table [rows, *its scope]`` as a step meets it, ``[rows, sets, *scope]``."""
    return table.reshape(len(table), -1).take(met.index, axis=1)


def _over(sums: IntArray, met: Met) -> IntArray:
    """Return the least of ``sums [rows, sets, *scope]`` of a step over all but a child's scope."""
    import numpy as np

    rows = len(sums)
    if met.gone:
        sums = sums.min(axis=met.gone)
    if met.order is not None:
        sums = sums[:, met.order]
    full = np.full((rows, met.size, *sums.shape[2:]), NEVER, np.int64)
    full[:, met.found] = np.minimum.reduceat(sums, met.starts, axis=1)
    return np.minimum(full.reshape(rows, *met.shape).transpose(met.axes), NEVER)
