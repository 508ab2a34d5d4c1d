"""Why there is no plan, and which one comes near."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from lutloom.codegen.costs.resources import Resources
from lutloom.codegen.planning.budget import InfeasibleError, share_of
from lutloom.core.counts import counted

if TYPE_CHECKING:
    from lutloom.codegen.planning.budget import Planned
    from lutloom.codegen.planning.planner import Planner

NAMES = {
    "lut": "look-up tables",
    "ff": "flip-flops",
    "bram18": "block RAMs of 18 Kbit",
    "uram": "UltraRAMs",
    "dsp": "DSP slices",
}
"""What the resources are called."""

_ENDLESS = Fraction(1 << 20)


def infeasible(planner: Planner, cycles: int) -> InfeasibleError:
    """Return the error for ``cycles``, which no plan within the planner's budget takes.

    Where none fits at all, it says what the slowest takes.
    """
    fastest = planner.fastest()
    nearest = None if fastest is None else fastest.cycles
    tried = planner.counts[-1] if nearest is None else cycles
    unlimited = _unlimited(planner, tried)
    if unlimited is None:
        name, fewest = planner.formulation.fewest_cycles
        return InfeasibleError(
            f"no plan takes {counted(cycles, 'clock cycle')} an image: {name} takes {fewest}"
            f" at least; {_nearest(nearest)}",
            wanted=cycles,
            nearest=nearest,
            resource=None,
            process=name,
            needed=None,
        )
    budget, needed = planner.budget, unlimited.cost.total.resources
    shares = {
        name: share_of(taken, getattr(budget.limits, name))
        for name, taken in (needed + budget.reserved).named().items()
    }
    resource = budget.exceeded(needed) or max(shares, key=lambda name: shares[name])
    of_each = {n: getattr(c.resources, resource) for n, c in unlimited.cost.processes.items()}
    process = max(of_each, key=lambda name: of_each[name])
    taken, limit = getattr(needed + budget.reserved, resource), getattr(budget.limits, resource)
    return InfeasibleError(
        f"a plan for {counted(tried, 'clock cycle')} an image takes {taken} {NAMES[resource]}, and"
        f" there are {limit} in the budget: most are those of {process}, {of_each[process]};"
        f" {_nearest(nearest)}",
        wanted=cycles,
        nearest=nearest,
        resource=resource,
        process=process,
        needed=needed,
    )


def _nearest(nearest: int | None) -> str:
    if nearest is None:
        return "no plan fits, whatever its cycles: take a larger budget, or a smaller model"
    return f"the fewest that fit are {nearest}"


def _unlimited(planner: Planner, cycles: int) -> Planned | None:
    """Return the least plan for ``cycles`` on a device of any size; None if none is as fast."""
    budget = replace(planner.budget, share=_ENDLESS, other_share=_ENDLESS, reserved=Resources())
    return replace(planner, budget=budget).least(cycles)
