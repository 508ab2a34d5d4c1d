"""Where the sums of a problem stand: what does not depend on prices, found once for all of them.

Costs of all options stand in one array, and so do those of all links; a step finds its own in
slices of them, and what tables of other steps say by numbers of their entries.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from lutloom.codegen.planning.problem import Problem, Step, Variable
    from lutloom.core.types import IntArray


@dataclass(frozen=True, eq=False)
class Met:
    """The table of the step ``place``, as a step meets it: entry ``index [sets, *scope]`` of it.

    Axes of one entry are those of handles that the table is not over. The other way round, sums
    ``[rows, sets, *scope]`` are least over ``gone`` axes, then over the sets that begin at
    ``starts`` in ``order`` (None: as they are), which are entries ``found`` of ``size`` of the
    table's handles that are the step's own; ``shape`` and ``axes`` make a table of that.
    """

    place: int
    index: IntArray
    gone: tuple[int, ...]
    order: IntArray | None
    starts: IntArray
    found: IntArray
    size: int
    shape: tuple[int, ...]
    axes: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Place:
    """A step: where its options, its sets of options of the same values, and its links stand.

    What all of its links take together has the shape ``[sets, *scope]``, with one entry along axes
    of handles that no link is over.
    """

    step: Step
    options: slice
    sets: slice
    links: slice
    shape: tuple[int, ...]
    children: tuple[Met, ...]


@dataclass(frozen=True, eq=False)
class Layout:
    """The places of all steps, and what stands there, of which prices make sums.

    ``costs [options, resources]``, as in the problem, and nothing for the last step; ``starts`` of
    sets of options and how many ``counts`` they have; ``linked [entries, resources]`` of links, of
    which set each entry is, ``linked_sets [entries]``, and which are not legal, by number.
    """

    places: tuple[Place, ...]
    costs: IntArray
    starts: IntArray
    counts: IntArray
    linked: IntArray
    linked_sets: IntArray
    illegal: IntArray

    @staticmethod
    def of(problem: Problem) -> Layout:
        """Return the layout of ``problem``."""
        import numpy as np

        nothing = np.zeros((1, problem.costs.shape[1]), np.int64)
        first, end = problem.first.tolist(), len(problem.costs)
        starts = [begin + v.starts for begin, v in zip(first, problem.variables, strict=False)]
        sets = np.cumsum([0, *map(len, starts)]).tolist()
        linked, linked_sets, illegal = [], [], []
        places = []
        entries = 0
        for step in problem.steps:
            own, of_sets = slice(end, end + 1), slice(sets[-1], sets[-1] + 1)
            if step.variable is not None:
                at = slice(step.variable, step.variable + 2)
                own, of_sets = slice(*first[at]), slice(*sets[at])
            costs, is_illegal = _linked(problem, step, of_sets.stop - of_sets.start)
            shape = is_illegal.shape
            there = np.arange(of_sets.start, of_sets.stop)
            linked.append(costs.reshape(-1, nothing.shape[1]))
            linked_sets.append(np.repeat(there, is_illegal.size // len(there)))
            illegal.append(is_illegal.reshape(-1))
            links = slice(entries, entries + is_illegal.size)
            entries = links.stop
            children: tuple[Met, ...] = ()
            if step.variable is not None:
                variable = problem.variables[step.variable]
                children = tuple(_met(problem, step, variable, child) for child in step.children)
            places.append(Place(step, own, of_sets, links, shape, children))
        begins = np.concatenate([*starts, [end]])
        return Layout(
            tuple(places),
            np.concatenate([problem.costs, nothing]),
            begins,
            np.diff(begins, append=end + 1),
            np.concatenate(linked),
            np.concatenate(linked_sets),
            np.flatnonzero(np.concatenate(illegal)),
        )


def _linked(problem: Problem, step: Step, count: int) -> tuple[IntArray, NDArray[np.bool_]]:
    """Return what all links of a step with ``count`` sets take, and which entries are not legal.

    ``[sets, *scope, resources]`` and ``[sets, *scope]``.
    """
    import numpy as np

    shape = count, *[1] * len(step.scope)
    costs = np.zeros((*shape, problem.costs.shape[1]), np.int64)
    illegal = np.zeros(shape, np.bool_)
    if step.variable is None:
        return costs, illegal
    variable = problem.variables[step.variable]
    for link in step.links:
        index = _index(variable, (link.first, link.second), problem.sizes, step.scope)
        costs = costs + link.costs.reshape(-1, costs.shape[-1])[index]
        illegal = illegal | ~link.legal.reshape(-1)[index]
    return costs, illegal


def _index(
    variable: Variable,
    scope: tuple[int, ...],
    sizes: Mapping[int, int],
    wanted: tuple[int, ...],
) -> IntArray:
    """Return which entries of a table over ``scope`` are met, ``[sets, *wanted]``."""
    import numpy as np

    index = np.zeros((len(variable.starts), *[1] * len(wanted)), np.int64)
    stride = 1
    for handle in reversed(scope):
        if handle in variable.handles:
            values = variable.distinct[handle].reshape(-1, *[1] * len(wanted))
        else:
            values = np.arange(sizes[handle]).reshape([-1 if h == handle else 1 for h in wanted])
        index = index + values * stride
        stride *= sizes[handle]
    return index


def _met(problem: Problem, step: Step, variable: Variable, child: int) -> Met:
    """Return how ``step`` meets the table of ``child``."""
    import numpy as np

    scope, sizes = problem.steps[child].scope, problem.sizes
    mine = [h for h in scope if h in variable.handles]
    others = [h for h in step.scope if h in scope]
    places, size = np.zeros(len(variable.starts), np.int64), 1
    for handle in mine:
        places = places * sizes[handle] + variable.distinct[handle]
        size *= sizes[handle]
    order = None
    if (places[1:] < places[:-1]).any():
        order = np.argsort(places, kind="stable")
        places = places[order]
    starts = np.flatnonzero(np.concatenate([[True], places[1:] != places[:-1]]))
    return Met(
        child,
        _index(variable, scope, sizes, step.scope),
        tuple(2 + i for i, h in enumerate(step.scope) if h not in scope),
        order,
        starts,
        places[starts],
        size,
        (*(sizes[h] for h in mine), *(sizes[h] for h in others)),
        (0, *([*mine, *others].index(h) + 1 for h in scope)),
    )
