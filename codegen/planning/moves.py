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


def improved(problem: Problem, options: Sequence[int], rows: Sequence[Row]) -> tuple[int, ...]:
    """Return a plan from which no one or two changes lead to a lower ``z`` of ``rows``.

    A plan that exceeds a row without a scale stays as it is, unless two changes are enough.
    """
    import numpy as np

    made = list(options)
    total = total_of(problem, made)
    for _ in range(_MOST_STEPS):
        variables, choices, deltas = _changes(problem, made)
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
            made[int(variables[change])] = int(choices[change])
        total = pairs[first, second]
    return tuple(made)


def _changes(problem: Problem, options: Sequence[int]) -> tuple[IntArray, IntArray, IntArray]:
    """Return variables ``[changes]``, their other options, and what these take more."""
    import numpy as np

    variables, choices, deltas = [], [], []
    for number, (variable, option) in enumerate(zip(problem.variables, options, strict=True)):
        place = int(np.searchsorted(variable.starts, option, "right"))
        ends = np.append(variable.starts, len(variable.costs))
        others = [o for o in range(int(ends[place - 1]), int(ends[place])) if o != option]
        variables += [number] * len(others)
        choices += others
        deltas += [variable.costs[o] - variable.costs[option] for o in others]
    shape = len(deltas), problem.variables[0].costs.shape[1]
    return (
        np.array(variables, np.int64),
        np.array(choices, np.int64),
        np.array(deltas, np.int64).reshape(shape),
    )


def _values(totals: IntArray, rows: Sequence[Row]) -> NDArray[np.float64]:
    """Return ``z`` of each of ``totals [..., resources]``, infinite where a row is exceeded."""
    import numpy as np

    values = np.full(totals.shape[:-1], -np.inf)
    for row in rows:
        taken = totals[..., row.resource] - row.limit
        value = taken / row.scale if row.scale else np.where(taken > 0, np.inf, -np.inf)
        values = np.maximum(values, value)
    return values
