"""Better plans near a plan: by changing one process or two, words staying as wide as they are.

What is found is a plan, and no more is claimed: how good one can be, bounds say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lutloom.codegen.planning.problem import total_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lutloom.codegen.planning.problem import Problem
    from lutloom.codegen.planning.relaxation import Row
    from lutloom.core.types import IntArray

_MOST_STEPS = 100


def improved(problem: Problem, options: Sequence[int], rows: Sequence[Row]) -> tuple[int, ...]:
    """Return a plan from which no one or two changes lead to a lower ``z`` of ``rows``.

    A plan that exceeds a row without a scale stays as it is, unless two changes are enough.
    """
    import numpy as np

    made = np.array(options)
    total = total_of(problem, options)
    all_options = _Options.of(problem)
    for _ in range(_MOST_STEPS):
        variables, choices, deltas = all_options.changes(made)
        if not len(variables):
            break
        pairs = total + deltas[:, None] + deltas
        # A change twice is that change.
        same = np.arange(len(variables))
        pairs[same, same] = total + deltas
        values = _values(pairs, rows)
        is_one_process = variables[:, None] == variables
        is_one_process[same, same] = False
        values[is_one_process] = np.inf
        first, second = np.unravel_index(int(values.argmin()), values.shape)
        if values[first, second] >= _values(total, rows):
            break
        for change in (first, second):
            made[variables[change]] = choices[change]
        total = pairs[first, second]
    return tuple(made.tolist())


@dataclass(frozen=True, eq=False)
class _Options:
    """The options of all variables: of which each is, its number there, and what it takes.

    Options with the same number in ``sets`` have the same values; ``first`` is where the options
    of each variable begin.
    """

    variables: IntArray
    numbers: IntArray
    costs: IntArray
    sets: IntArray
    first: IntArray

    @staticmethod
    def of(problem: Problem) -> _Options:
        import numpy as np

        counts = np.array([len(variable.costs) for variable in problem.variables])
        first = counts.cumsum() - counts
        variables = np.repeat(np.arange(len(counts)), counts)
        begins = np.zeros(len(variables), np.int64)
        pairs = zip(first.tolist(), problem.variables, strict=True)
        begins[np.concatenate([start + variable.starts for start, variable in pairs])] = 1
        costs = np.concatenate([variable.costs for variable in problem.variables])
        numbers = np.arange(len(variables)) - first[variables]
        return _Options(variables, numbers, costs, begins.cumsum(), first)

    def changes(self, made: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        """Return variables ``[changes]``, other options than those ``made``, what they take more.

        ``[changes, resources]``.
        """
        import numpy as np

        places = (self.first + made)[self.variables]
        is_other = np.flatnonzero(
            (self.sets == self.sets[places]) & (self.numbers != made[self.variables])
        )
        more = self.costs[is_other] - self.costs[places[is_other]]
        return self.variables[is_other], self.numbers[is_other], more


def _values(totals: IntArray, rows: Sequence[Row]) -> NDArray[np.float64]:
    """Return ``z`` of each of ``totals [..., resources]``, infinite where a row is exceeded."""
    import numpy as np

    values = np.full(totals.shape[:-1], -np.inf)
    for row in rows:
        taken = totals[..., row.resource] - row.limit
        value = taken / row.scale if row.scale else np.where(taken > 0, np.inf, -np.inf)
        values = np.maximum(values, value)
    return values
