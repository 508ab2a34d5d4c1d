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

    ``links`` are slices of the costs of links, and the shapes ``[sets, *scope]`` that they have.
    """

    step: Step
    options: slice
    sets: slice
    links: tuple[tuple[slice, tuple[int, ...]], ...]
    children: tuple[Met, ...]


@dataclass(frozen=True, eq=False)
class Layout:
    """The places of all steps, and what stands there, of which prices make sums.

    ``costs [options, resources]``, as in the problem, and nothing for the last step; ``starts`` of
    sets of options and how many ``counts`` they have; ``linked [entries, resources]`` and whether
    they are not legal, ``illegal [entries]``.
    """

    places: tuple[Place, ...]
    costs: IntArray
    starts: IntArray
    counts: IntArray
    linked: IntArray
    illegal: NDArray[np.bool_]

    @staticmethod
    def of(problem: Problem) -> Layout:
        """Return the layout of ``problem``."""
        import numpy as np

        nothing = np.zeros((1, problem.costs.shape[1]), np.int64)
        first, end = problem.first.tolist(), len(problem.costs)
        starts = [begin + v.starts for begin, v in zip(first, problem.variables, strict=False)]
        sets = np.cumsum([0, *map(len, starts)]).tolist()
        linked, illegal = [nothing[:0]], [np.zeros(0, np.bool_)]
        places = []
        entries = 0
        for step in problem.steps:
            if step.variable is None:
                places.append(Place(step, slice(end, end + 1), slice(sets[-1], None), (), ()))
                continue
            variable, links = problem.variables[step.variable], []
            for link in step.links:
                scope = link.first, link.second
                index = _index(variable, scope, problem.sizes, step.scope)
                linked.append(link.costs.reshape(-1, nothing.shape[1])[index.reshape(-1)])
                illegal.append(~link.legal.reshape(-1)[index.reshape(-1)])
                links.append((slice(entries, entries + index.size), index.shape))
                entries += index.size
            children = tuple(_met(problem, step, variable, child) for child in step.children)
            own, of_sets = (slice(*at[step.variable : step.variable + 2]) for at in (first, sets))
            places.append(Place(step, own, of_sets, tuple(links), children))
        begins = np.concatenate([*starts, [end]])
        return Layout(
            tuple(places),
            np.concatenate([problem.costs, nothing]),
            begins,
            np.diff(begins, append=end + 1),
            np.concatenate(linked),
            np.concatenate(illegal),
        )


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
