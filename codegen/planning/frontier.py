"""The frontier of cycles and resources: plans that none beats in both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.codegen.planning.infeasible import infeasible
from lutloom.codegen.planning.planner import UP_TO_64, Planner

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from lutloom.codegen.planning.budget import Budget, Planned
    from lutloom.core.graph import Graph

POINTS = 16
"""Plans of a frontier, at most, unless more are asked for."""


def frontier(
    graph: Graph, budget: Budget, *, points: int = POINTS, word_bits: tuple[int, ...] = UP_TO_64
) -> tuple[Planned, ...]:
    """Return plans of the lowered ``graph`` within ``budget``, from the slowest to the fastest.

    Each takes fewer cycles than the one before, and a larger share of the device. If there are
    more than ``points`` numbers of cycles that a plan can take, that many are tried, from the
    fewest that fit to the most that there can be, about evenly by the logarithm of the rate.
    Raises ``InfeasibleError`` if no plan fits.
    """
    planner = Planner.of(graph, budget, word_bits)
    fastest = planner.fastest()
    if fastest is None:
        raise infeasible(planner, planner.counts[-1])
    slower = [count for count in planner.counts if count > fastest.cycles]
    plans = [fastest]
    for count in _spread([fastest.cycles, *slower], points)[1:]:
        planned = planner.least(count)
        # A slower plan that takes as much is of no use.
        if planned is not None and _cost(planned, budget) < _cost(plans[-1], budget):
            plans.append(planned)
    return tuple(reversed(plans))


def _cost(planned: Planned, budget: Budget) -> tuple[Fraction, int]:
    """Return the largest share of a resource that a plan takes, and its look-up tables."""
    needed = planned.cost.total.resources
    return budget.largest_share(needed), needed.lut


def _spread(counts: Sequence[int], points: int) -> list[int]:
    """Return ``points`` of the ascending ``counts``, the ends among them, evenly by logarithm."""
    if len(counts) <= points:
        return list(counts)
    ratio = (counts[-1] / counts[0]) ** (1 / (points - 1))
    wanted = [counts[0] * ratio**place for place in range(points)]
    return sorted({min(counts, key=lambda count: abs(count - aim)) for aim in wanted})
