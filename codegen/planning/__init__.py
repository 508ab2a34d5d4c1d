"""Plans of least resources for a rate, or of the highest rate, and how near the best they are."""

from __future__ import annotations

from lutloom.codegen.planning.budget import LUT_SHARE, Budget, InfeasibleError, Planned
from lutloom.codegen.planning.frontier import frontier
from lutloom.codegen.planning.planner import fastest_plan, least_plan
from lutloom.codegen.planning.rates import AT_ONCE, Calls, cycles_for, rate_of

__all__ = [
    "AT_ONCE",
    "LUT_SHARE",
    "Budget",
    "Calls",
    "InfeasibleError",
    "Planned",
    "cycles_for",
    "fastest_plan",
    "frontier",
    "least_plan",
    "rate_of",
]
