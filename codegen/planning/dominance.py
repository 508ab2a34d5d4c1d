"""Options that no plan needs: another one of the same process does as well beside any neighbours.

An option ``b`` is needless if some ``a`` takes no more of any resource, whatever stands next to it:

    costs[a] - costs[b]  +  sum over links, most over values m, of (link[a, m] - link[b, m])  <=  0

where ``a`` is legal beside all that ``b`` is legal beside. (Goldstein 1994 prunes side chains of
proteins so, each beside all others; here it is for several resources at once.) An option that goes
leaves fewer values to its neighbours, so that more of theirs may go. A plan that is best by any
prices, shares or limits is among those that are left, or one that takes no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.codegen.planning.problem import Link, Problem
    from lutloom.core.types import IntArray

_PAIRS = 1 << 12
"""Pairs of options that are compared at a time, about; all, where a process has few."""

_NO_PLAN = 1 << 40
"""What a pair that is not legal takes: more than any plan, and still summed up within 64 bits."""


def needed(problem: Problem) -> tuple[NDArray[np.bool_], ...]:
    """Return which options of each variable are needed, as far as that is easily found."""
    import numpy as np

    kept = [np.ones(len(variable.costs), np.bool_) for variable in problem.variables]
    links = _links(problem)
    changed = set(links)
    while changed:
        found: set[int] = set()
        for variable in sorted(changed):
            if _drop(problem, variable, links[variable], kept):
                neighbours = (problem.owner[other] for _, other, _ in links[variable])
                found.update((variable, *neighbours))
        changed = found
    return tuple(kept)


def _links(problem: Problem) -> dict[int, list[tuple[int, int, Link]]]:
    """Return the links of each variable: its handle, the other one, and the link.

    A variable that is linked with itself is not among them.
    """
    found: dict[int, list[tuple[int, int, Link]]] = {v: [] for v in range(len(problem.variables))}
    for link in problem.links:
        first, second = problem.owner[link.first], problem.owner[link.second]
        if first == second:
            found.pop(first, None)
            continue
        for variable, handle in ((first, link.first), (second, link.second)):
            if variable in found:
                found[variable].append((handle, link.seen_from(handle)[0], link))
    return found


def _drop(
    problem: Problem,
    number: int,
    links: list[tuple[int, int, Link]],
    kept: list[NDArray[np.bool_]],
) -> bool:
    """Take needless options of a variable from ``kept``; return whether there were any."""
    import numpy as np

    variable, there = problem.variables[number], np.flatnonzero(kept[number])
    if len(there) < 2:
        return False
    costs = variable.costs[there]
    by_size = np.argsort((costs / np.maximum(costs.max(axis=0), 1)).sum(axis=1), kind="stable")
    pivots = by_size[: max(_PAIRS // len(there), 2)]
    more = costs - costs[pivots][:, np.newaxis]
    for handle, other, link in links:
        owner = problem.owner[other]
        values = np.unique(problem.variables[owner].handles[other][kept[owner]])
        more += _least_more(link, handle, variable.handles[handle][there], pivots, values)
    is_needless = np.zeros(len(there), np.bool_)
    is_worse: NDArray[np.bool_] = np.logical_and.reduce(more >= 0, axis=2)
    for place, pivot in enumerate(pivots.tolist()):
        if not is_needless[pivot]:
            is_worse[place, pivot] = False
            is_needless |= is_worse[place]
    kept[number][there[is_needless]] = False
    return bool(is_needless.any())


def _least_more(
    link: Link, handle: int, mine: IntArray, pivots: IntArray, values: IntArray
) -> IntArray:
    """Return what ``link`` takes more, at least, with an option than with one of ``pivots``.

    ``mine [options]`` are the values of ``handle``, ``values`` those of the other handle that are
    left. ``[pivots, options, resources]``.
    """
    import numpy as np

    _, costs, legal = link.seen_from(handle)
    distinct, places = np.unique(mine, return_inverse=True)
    costs, legal = costs[distinct][:, values], legal[distinct][:, values]
    wanted, pivot_places = np.unique(places[pivots], return_inverse=True)
    more = costs - costs[wanted][:, np.newaxis]
    more[:, ~legal] = _NO_PLAN
    least = more.min(axis=2)
    # Something that an option is legal beside, and a pivot is not.
    least[(legal & ~legal[wanted][:, np.newaxis]).any(axis=2)] = -_NO_PLAN
    found: IntArray = least[pivot_places][:, places]
    return found
