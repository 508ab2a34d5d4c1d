"""Small problems of planning, and all plans of them one after the other."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from lutloom.codegen.planning.problem import Link, Problem, Variable
from lutloom.codegen.planning.relaxation import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lutloom.core.types import IntArray

RESOURCES = 3
THERE = (1000, 60, 40)
SHARES = tuple(Row(resource, there, 0) for resource, there in enumerate(THERE))
# Which variables are linked: chains, a fork that meets again, a circle, two that never meet.
SHAPES = (
    ((0, 1),),
    ((0, 1), (1, 2), (2, 3)),
    ((0, 1), (0, 2), (1, 3), (2, 3)),
    ((0, 1), (1, 2), (2, 3), (3, 0)),
    ((0, 1), (0, 1)),
    ((0, 2),),
)

seeds = st.integers(0, 2**32 - 1)
shapes = st.sampled_from(SHAPES)


def random_problem(seed: int, links: tuple[tuple[int, int], ...]) -> Problem:
    """Return a problem whose variables have up to five options and up to two handles."""
    rng = np.random.default_rng(seed)
    variables, ends = [], []
    sizes: dict[int, int] = {}
    for _ in range(max(max(pair) for pair in links) + 1):
        count, handles = int(rng.integers(1, 6)), {}
        for _ in range(int(rng.integers(1, 3))):
            handle, size = len(sizes), int(rng.integers(1, 4))
            sizes[handle] = size
            handles[handle] = rng.integers(0, size, count)
        order = np.lexsort([*reversed(list(handles.values()))])
        handles = {handle: values[order] for handle, values in handles.items()}
        costs = rng.integers(0, (200, 20, 12), (count, RESOURCES))
        variables.append(Variable(costs, handles))
        ends.append(list(handles))
    made = []
    for first, second in links:
        pair = int(rng.choice(ends[first])), int(rng.choice(ends[second]))
        shape = sizes[pair[0]], sizes[pair[1]]
        costs = rng.integers(0, (60, 6, 4), (*shape, RESOURCES))
        made.append(Link(*pair, costs, rng.random(shape) < 0.8))
    return Problem(tuple(variables), tuple(made), sizes)


def legal_plans(problem: Problem) -> Iterator[tuple[tuple[int, ...], IntArray]]:
    """Yield all plans without an illegal link, and what they take: one after the other."""
    for options in product(*(range(len(v.costs)) for v in problem.variables)):
        values = {
            handle: int(column[option])
            for variable, option in zip(problem.variables, options, strict=True)
            for handle, column in variable.handles.items()
        }
        ends = [(values[link.first], values[link.second]) for link in problem.links]
        if all(link.legal[pair] for link, pair in zip(problem.links, ends, strict=True)):
            own = [v.costs[option] for v, option in zip(problem.variables, options, strict=True)]
            linked = [link.costs[pair] for link, pair in zip(problem.links, ends, strict=True)]
            yield options, np.sum([*own, *linked], axis=0)
