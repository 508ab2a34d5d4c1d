"""Some of all plans: those of which some options are open. A search divides all into such parts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from lutloom.codegen.planning.merging import merged

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.codegen.planning.problem import Problem
    from lutloom.core.types import IntArray


@dataclass(eq=False)
class Part:
    """Some of all plans: those of ``problem`` with the options that are ``open``, in a row.

    Its variables are ``members`` of the whole one, where their options have ``numbers``, and those
    that are no longer in it have the options ``fixed [variables of the whole]``. No plan has a
    ``z`` below ``bound``. ``prices`` of rows say so, the best ones last, and ``known`` are plans
    that were the cheapest at some, with what they take.
    """

    problem: Problem
    open: NDArray[np.bool_]
    members: IntArray
    numbers: IntArray
    fixed: IntArray
    bound: Fraction = Fraction(0)
    prices: tuple[tuple[int, ...], ...] = ()
    known: tuple[tuple[IntArray, IntArray], ...] = ()

    @staticmethod
    def whole(problem: Problem) -> Part:
        """Return the part that all plans of ``problem`` are in."""
        import numpy as np

        members, count = np.arange(len(problem.variables)), len(problem.costs)
        numbers = np.arange(count) - problem.first[problem.owners]
        return Part(problem, np.ones(count, np.bool_), members, numbers, 0 * members)

    @staticmethod
    def needed(problem: Problem) -> Part:
        """Return the part of the plans whose options are all needed."""
        import numpy as np

        whole, needed = Part.whole(problem), np.concatenate(problem.needed)
        return replace(
            whole, problem=problem.lean, open=needed[needed], numbers=whole.numbers[needed]
        )

    def is_possible(self, kept: NDArray[np.bool_]) -> bool:
        """Return whether each variable has an option that is ``kept``."""
        import numpy as np

        return bool(np.logical_or.reduceat(kept, self.problem.first[:-1]).all())

    def where(self, kept: NDArray[np.bool_]) -> Part:
        """Return the part with the options ``kept`` alone; if few are, of a smaller problem."""
        import numpy as np

        first = self.problem.first[:-1]
        known = tuple((o, total) for o, total in self.known if kept[first + o].all())
        part = replace(self, open=kept, known=known)
        return part.compact() if 2 * np.count_nonzero(kept) <= len(kept) else part

    def compact(self) -> Part:
        """Return the same part, of a problem of those options and variables that are open."""
        import numpy as np

        smaller = self.problem.restricted(np.split(self.open, self.problem.first[1:-1]))
        problem, left = merged(smaller)
        numbers, first = self.numbers[self.open], smaller.first[:-1]
        gone = np.setdiff1d(np.arange(len(first)), left)
        fixed = self.fixed.copy()
        fixed[self.members[gone]] = numbers[first[gone]]
        places = self.open.cumsum() - 1
        kept = [places[self.problem.first[:-1] + options] - first for options, _ in self.known]
        known = tuple((o[[*left]], total) for o, (_, total) in zip(kept, self.known, strict=True))
        return replace(
            self,
            problem=problem,
            open=np.ones(len(problem.costs), np.bool_),
            members=self.members[[*left]],
            numbers=numbers[np.isin(smaller.owners, left)],
            fixed=fixed,
            known=known,
        )

    def numbered(self, options: IntArray) -> tuple[int, ...]:
        """Return ``options`` as the whole problem numbers them."""
        found = self.fixed.copy()
        found[self.members] = self.numbers[self.problem.first[:-1] + options]
        return tuple(found.tolist())
