"""``steps(g(sum))``  =  integer thresholds on the sum, for any real function ``g`` of a sum.

It is for sums that the graph does not hold (``deferred_sum``): of any width. They are followed one
range at a time: from one sum that occurs to another. A range is decided when an exact enclosure of
``g`` over it lies between two neighbouring boundaries; one that is not is cut between the two sums
next to its middle, which Euclid's algorithm finds; and a single sum is decided by ever more bits.
So the level of every sum that occurs is proved.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING

from lutloom.streamline.enclosure import Program, program_of
from lutloom.streamline.errors import ModelError
from lutloom.streamline.exact_steps import PRECISIONS, taken_between
from lutloom.streamline.multipliers import sides

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lutloom.streamline.expression import Expression
    from lutloom.streamline.multipliers import Term
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.steps import Steps

# Enclosures of one quantizer, in all channels: each takes about a tenth of a millisecond.
_MOST_EFFORT = 1 << 17


@dataclass(eq=False)
class CurveSearch:
    """A function before the quantizer ``node``, and what it has taken so far."""

    node: SourceNode
    program: Program
    spent: int = 0
    effort: int = 1

    @staticmethod
    def of(node: SourceNode, expression: Expression) -> CurveSearch:
        """Return a search that has not begun."""
        return CurveSearch(node, program_of(expression))

    def changes(
        self, channel: int, steps: Steps, terms: Sequence[Term], unit: Fraction
    ) -> list[tuple[int, int]]:
        """Return the sums of ``terms`` from which on another number of steps is taken, ascending,
        with those numbers; the first is the least sum. A sum stands for ``sum * unit``.

        Raises ``ModelError`` where that can't be told.
        """
        own = [term.multiplier for term in terms]
        # Of more than two terms, every choice of the others' values is followed to cut a range.
        self.effort = prod(sorted(term.count for term in terms)[:-2])
        decided: list[tuple[int, int]] = []
        waiting = [(sum(term.least for term in terms), sum(term.most for term in terms))]
        while waiting:
            lo, hi = waiting.pop()
            count = self._count(channel, steps, lo * unit, hi * unit)
            if count is not None:
                decided.append((lo, count))
                continue
            above, below = sides(terms, own, (lo + hi) // 2 + 1)
            assert above is not None
            assert below is not None
            waiting += [(lo, below), (above, hi)]
        decided.sort()
        return [
            (first, count)
            for place, (first, count) in enumerate(decided)
            if place == 0 or decided[place - 1][1] != count
        ]

    def _count(self, channel: int, steps: Steps, lo: Fraction, hi: Fraction) -> int | None:
        """Return how many steps all from ``lo`` to ``hi`` take, None if that can't be told yet."""
        self.spent += self.effort
        precisions = PRECISIONS if lo == hi else PRECISIONS[:1]
        count = taken_between(self.program, channel, steps, (lo, hi), precisions)
        if count is None and (lo == hi or self.spent > _MOST_EFFORT):
            raise ModelError(
                f"{self.node}: the levels of the function of a sum before it can't be told from one"
                " another in reasonable time; change its scale a little, or put a quantizer on"
                " each branch of the sum"
            )
        return count
