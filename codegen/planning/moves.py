"""Better plans near a plan: by changing one process or two, words staying as wide as they are.

What is found is a plan, and no more is claimed: how good one can be, bounds say.
"""

from __future__ import annotations

import math
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
        value, deciding = max((_value(total, row), place) for place, row in enumerate(rows))
        # One of two changes, at least, has to take less of what is most of ``z``.
        less = np.flatnonzero(deltas[:, rows[deciding].resource] < 0)
        if not len(less):
            break
        values = _values(total, deltas, less, rows)
        variables = problem.owners[changes]
        is_one_process = variables[less, np.newaxis] == variables
        is_one_process[np.arange(len(less)), less] = False
        values[is_one_process] = np.inf
        least = values.min()
        if least >= value:
            break
        places, others = np.nonzero(values == least)
        # Of as good ones, those that come first: whichever of the two takes less.
        pairs = zip(less[places].tolist(), others.tolist(), strict=True)
        for change in set(min(sorted(pair) for pair in pairs)):
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


def _values(
    total: IntArray, deltas: IntArray, first: IntArray, rows: Sequence[Row]
) -> NDArray[np.float64]:
    """Return ``z`` of ``total`` with one of ``first`` and any of ``deltas [changes, resources]``.

    A change twice is that change. ``[first, changes]``, infinite where a row is exceeded.
    """
    import numpy as np

    values = np.full((len(first), len(deltas)), -np.inf)
    for row in rows:
        more = np.ascontiguousarray(deltas[:, row.resource])
        alone = more + total[row.resource] - row.limit
        taken = more[first, np.newaxis] + alone
        taken[np.arange(len(first)), first] = alone[first]
        value = taken / row.scale if row.scale else np.where(taken > 0, np.inf, -np.inf)
        np.maximum(values, value, out=values)
    return values


def _value(total: IntArray, row: Row) -> float:
    """Return the least ``z`` with which ``total`` keeps ``row``, infinite if none does."""
    taken = int(total[row.resource]) - row.limit
    if row.scale:
        return taken / row.scale
    return math.inf if taken > 0 else -math.inf
