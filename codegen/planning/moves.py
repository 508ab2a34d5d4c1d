"""Better plans near a plan: by changing one process or two, words staying as wide as they are.

What is found is a plan, and no more is claimed: how good one can be, bounds say.
"""

from __future__ import annotations

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


def improved(
    problem: Problem, is_open: NDArray[np.bool_], options: IntArray, rows: Sequence[Row]
) -> IntArray:
    """Return a plan from which no one or two changes lead to a lower ``z`` of ``rows``.

    They lead to options that are open: ``is_open [options]``, in a row. A plan that exceeds a row
    without a scale stays as it is, unless two changes are enough.
    """
    import numpy as np

    made = problem.first[:-1] + options
    total = total_of(problem, options)
    for _ in range(_MOST_STEPS):
        changes, deltas = _changes(problem, is_open, made)
        if not len(changes):
            break
        values = _values(total, deltas, rows)
        variables = problem.owners[changes]
        is_one_process = variables[:, None] == variables
        np.fill_diagonal(is_one_process, val=False)
        values[is_one_process] = np.inf
        first, second = np.unravel_index(int(values.argmin()), values.shape)
        if values[first, second] >= _value(total, rows):
            break
        for change in {int(first), int(second)}:
            made[variables[change]] = changes[change]
            total = total + deltas[change]
    return made - problem.first[:-1]


def _changes(
    problem: Problem, is_open: NDArray[np.bool_], made: IntArray
) -> tuple[IntArray, IntArray]:
    """Return options for others with the same values in ``made``, and what they take more.

    ``[changes]``, numbered in a row, and ``[changes, resources]``.
    """
    import numpy as np

    there = made[problem.owners]
    is_other = is_open & (problem.sets == problem.sets[there])
    is_other[made] = False
    found = np.flatnonzero(is_other)
    return found, problem.costs[found] - problem.costs[there[found]]


def _values(total: IntArray, deltas: IntArray, rows: Sequence[Row]) -> NDArray[np.float64]:
    """Return ``z`` of ``total`` with any two of ``deltas [changes, resources]``, or one twice.

    A change twice is that change. ``[changes, changes]``, infinite where a row is exceeded.
    """
    import numpy as np

    values = np.full((len(deltas), len(deltas)), -np.inf)
    for row in rows:
        more = np.ascontiguousarray(deltas[:, row.resource])
        taken = more[:, None] + (more + total[row.resource] - row.limit)
        np.fill_diagonal(taken, more + total[row.resource] - row.limit)
        value = taken / row.scale if row.scale else np.where(taken > 0, np.inf, -np.inf)
        np.maximum(values, value, out=values)
    return values


def _value(total: IntArray, rows: Sequence[Row]) -> float:
    """Return ``z`` of ``total``, infinite where a row is exceeded."""
    import numpy as np

    nothing = np.zeros((1, len(total)), np.int64)
    return float(_values(total, nothing, rows)[0, 0])
