"""Our plans beside FINN's foldings, both as our model counts them; and the highest rates."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from benchmarks.finn.compare import table
from lutloom.codegen.assembly import make_design
from lutloom.codegen.costs.resources import Resources
from lutloom.codegen.planning.budget import Budget, InfeasibleError, Planned
from lutloom.codegen.planning.options import options
from lutloom.codegen.planning.planner import fastest_plan, least_plan
from lutloom.codegen.streams import processes_of, site_of
from lutloom.codegen.timing import IDEAL, PESSIMISTIC
from lutloom.sim.cycles import CycleModel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from benchmarks.finn.compare import Comparison
    from lutloom.core.graph import Graph
    from lutloom.core.plan import Plan

_SHOWN = ("lut", "ff", "bram18", "uram", "dsp")


@dataclass(frozen=True)
class Against:
    """A published folding, the same in the least forms, and our plan with no more than those.

    ``planned`` is None where none was found.
    """

    published: Comparison
    folding: Comparison
    planned: Planned | None
    seconds: float

    @property
    def is_no_more(self) -> bool:
        """Whether our plan is as fast and takes no more look-up tables, block RAMs and slices."""
        if self.planned is None:
            return False
        ours = self.planned.cost.total.resources
        is_small = all(
            getattr(ours, key) <= getattr(folding.cost.total.resources, key)
            for key in ("lut", "bram18", "dsp")
            for folding in (self.published, self.folding)
        )
        return is_small and self.planned.cycles <= self.published.cost.slowest.cycles


def in_least_forms(comparison: Comparison) -> Comparison:
    """Return the same folding with each process in the form of fewest look-up tables.

    Among those that take no more of anything else: PE and SIMD are as published, and so are depths
    of FIFOs.
    """
    mapped, plan = comparison.mapped, comparison.mapped.plan
    for name, node in processes_of(mapped.graph).items():
        site, folding = site_of(mapped.graph, node), plan.foldings[name]
        taken = comparison.cost.processes[name].resources
        fits = [
            option
            for option in options(site, comparison.device, comparison.cycles[name])
            if (option.folding.pe, option.folding.simd) == (folding.pe, folding.simd)
            and _is_within(Resources(*option.costs), taken)
        ]
        if fits:
            best = min(fits, key=lambda option: Resources(*option.costs).lut)
            plan = plan.with_folding(name, best.folding)
    return replace(comparison, mapped=replace(mapped, plan=plan))


def _is_within(resources: Resources, taken: Resources) -> bool:
    there = taken.named()
    return all(needed <= there[key] for key, needed in resources.named().items() if key != "ff")


def plan_against(published: Comparison) -> Against:
    """Return the plan whose largest share of what the folding takes in its least forms is least.

    That folding is the device: so much there is of each resource.
    """
    folding = in_least_forms(published)
    taken = folding.cost.total.resources
    device = replace(
        published.device,
        lut=taken.lut,
        ff=taken.ff,
        bram18=taken.bram18,
        uram=taken.uram,
        dsp=taken.dsp,
    )
    graph, cycles = published.mapped.graph, published.cost.slowest.cycles
    started, planned = time.perf_counter(), None
    with suppress(InfeasibleError):
        planned = least_plan(graph, Budget(device, share=Fraction(1)), cycles=cycles)
    return Against(published, folding, planned, time.perf_counter() - started)


def against_table(found: Iterable[Against]) -> str:
    """Return the foldings and our plans, a row each."""
    head = ("design", "plan", "cycles", "LUT", "FF", "BRAM18", "URAM", "DSP", "s", "no more")
    return table(head, (row for one in found for row in _against_rows(one)))


def _against_rows(found: Against) -> Iterator[tuple[object, ...]]:
    for what, side in (("published", found.published), ("in least forms", found.folding)):
        taken = side.cost.total.resources
        yield (found.published.name, what, side.cost.slowest.cycles, *_shown(taken), "", "")
    planned = found.planned
    figures: tuple[int, ...] = ()
    if planned is not None:
        figures = (planned.cycles, *_shown(planned.cost.total.resources))
    blanks = (None,) * (1 + len(_SHOWN) - len(figures))
    verdict = "yes" if found.is_no_more else "NO"
    yield (found.published.name, "ours", *figures, *blanks, found.seconds, verdict)


def _shown(resources: Resources) -> tuple[int, ...]:
    named = resources.named()
    return tuple(named[key] for key in _SHOWN)


def rate_table(comparisons: Iterable[Comparison], cache: Path) -> str:
    """Return the highest rates that we estimate to fit, with the clocks of FINN's builds.

    Nothing stands for a design that fits at no rate.
    """
    head = (
        *("design", "MHz", "cycles: folding", "ours", "images/s: folding", "ours, ideal"),
        *("pessimistic", "LUT %", "FF %", "BRAM18 %", "URAM %", "DSP %", "s"),
    )
    return table(head, (_rate_row(comparison, cache) for comparison in comparisons))


def _rate_row(comparison: Comparison, cache: Path) -> tuple[object, ...]:
    graph, device = comparison.mapped.graph, comparison.device
    hertz, theirs = comparison.published.clock_mhz * 1e6, comparison.cost.slowest.cycles
    known = (comparison.name, round(comparison.published.clock_mhz), theirs)
    started, planned = time.perf_counter(), None
    with suppress(InfeasibleError):
        planned = fastest_plan(graph, Budget(device))
    seconds = time.perf_counter() - started
    if planned is None:
        return (*known, None, round(hertz / theirs), *(None,) * 7, seconds)
    rates = (round(hertz / cycles) for cycles in intervals(graph, planned.plan, cache))
    there = (device.lut, device.ff, device.bram18, device.uram, device.dsp)
    taken = _shown(planned.cost.total.resources)
    return (
        *known,
        planned.cycles,
        *(round(hertz / theirs), *rates),
        *(100 * n / of if of else None for n, of in zip(taken, there, strict=True)),
        seconds,
    )


def intervals(graph: Graph, plan: Plan, cache: Path) -> tuple[int, int]:
    """Return the cycles between two images by the cycle model, ideal and pessimistic."""
    model = CycleModel.of(make_design(graph, plan, name="d"))
    ideal, pessimistic = (model.run(timing, cache=cache) for timing in (IDEAL, PESSIMISTIC))
    return ideal.interval, pessimistic.interval
