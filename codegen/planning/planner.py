"""The plan of least resources for a number of cycles, and the fastest plan within a budget.

Least means: the largest share of a resource of the device is as small as it can be, then there are
as few look-up tables as can be: of processes, converters, FIFOs of the default depth and ports, as
``costs`` counts them. It is proved, or known how near it is (``search``). Deeper FIFOs and tokens
of TLAST come from the plan as a whole: where a plan exceeds the budget with them, it is made anew
with so much less.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

from lutloom.codegen.assembly import design_of
from lutloom.codegen.costs.design import design_cost
from lutloom.codegen.costs.resources import Resources
from lutloom.codegen.fifos import fifo_depths
from lutloom.codegen.folding import WORD_BITS
from lutloom.codegen.lower import check_lowered
from lutloom.codegen.padding import laid_out
from lutloom.codegen.planning.bounds import Bounds
from lutloom.codegen.planning.budget import Budget, Planned
from lutloom.codegen.planning.formulation import Formulation
from lutloom.codegen.planning.relaxation import Row
from lutloom.codegen.planning.search import MOST_WORK, best, is_ruled_out
from lutloom.codegen.streams import Wiring
from lutloom.codegen.ultra_rams import in_ultra_rams, with_memories, without_block_rams
from lutloom.core.plan import Plan
from lutloom.core.text import graph_digest

if TYPE_CHECKING:
    from lutloom.codegen.planning.formulation import Model
    from lutloom.codegen.planning.problem import Problem
    from lutloom.codegen.planning.search import Found
    from lutloom.core.graph import Graph

UP_TO_64 = tuple(bits for bits in WORD_BITS if bits <= 64)
"""Widths of ports that the memory ports of every board have room for."""

_MOST_ROUNDS = 20
_MOST_MODELS = 4


@dataclass(frozen=True)
class Chosen:
    """A plan, with FIFOs of the default depth, and what was counted for it.

    No plan takes less than ``bound`` as its largest share of the device.
    """

    plan: Plan
    counted: Resources
    bound: Fraction


@dataclass(frozen=True, eq=False)
class Planner:
    """A graph that is planned within a budget: for one number of cycles, or for many."""

    formulation: Formulation
    budget: Budget
    _models: dict[tuple[int, tuple[bool, ...]], Model | None] = field(default_factory=dict)

    @staticmethod
    def of(graph: Graph, budget: Budget, word_bits: tuple[int, ...]) -> Planner:
        """Return the planner of a lowered ``graph``."""
        check_lowered(graph)
        return Planner(Formulation(graph, budget.device, word_bits), budget)

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """The numbers of cycles that a plan may take, ascending: those of loops.

        None is below what some loop takes in every plan.
        """
        _, fewest = self.formulation.fewest_cycles
        return tuple(count for count in self.formulation.counts if count >= fewest)

    def least(self, cycles: int) -> Planned | None:
        """Return the least plan that takes ``cycles`` or fewer; None if none fits the budget."""
        return self._least(cycles)[0]

    def _least(self, cycles: int) -> tuple[Planned | None, Resources]:
        """Return what ``least`` does, and what was not foreseen at first."""
        first = unforeseen = Resources()
        bound: Fraction | None = None
        for turn in range(_MOST_ROUNDS):
            chosen = self.choose(cycles, unforeseen)
            if chosen is None:
                break
            # Of all plans: not only of those that leave room for what was unforeseen.
            bound = chosen.bound if bound is None else bound
            planned = self.planned(replace(chosen, bound=bound))
            needed = planned.cost.total.resources
            if self.budget.exceeded(needed) is None:
                return planned, first
            # The deeper FIFOs: next time they are foreseen.
            unforeseen = _at_least(unforeseen, needed, chosen.counted)
            first = unforeseen if turn == 0 else first
        return None, first

    def fastest(self) -> Planned | None:
        """Return the least plan of the fewest cycles within the budget; None if none fits it.

        No plan of fewer cycles fits, whatever its FIFOs; or, where deeper ones alone decide, it was
        planned for the next number of cycles below, and those FIFOs exceed the budget.
        """
        counts, nothing = self.counts, Resources()
        if not self.fits(counts[-1], nothing):
            return None
        place = bisect_left(counts, 1, key=lambda count: int(self.fits(count, nothing)))
        behind = place - 1
        planned, unforeseen = self._least(counts[place])
        while planned is None:
            if place == len(counts) - 1:
                return None
            behind, place = place, self._next(place, unforeseen)
            planned, unforeseen = self._least(counts[place])
        while place - behind > 1:
            middle = (behind + place) // 2
            found = self.least(counts[middle])
            if found is None:
                behind = middle
            else:
                planned, place = found, bisect_left(counts, found.cycles)
        return planned

    def _next(self, place: int, unforeseen: Resources) -> int:
        """Return the place of the number of cycles that is tried behind that at ``place``.

        The first with room for what is ``unforeseen``, or one of an eighth more cycles.
        """
        counts = self.counts
        fits = bisect_left(
            counts, 1, place + 1, key=lambda count: int(self.fits(count, unforeseen))
        )
        more = bisect_left(counts, counts[place] + counts[place] // 8, place + 1)
        return min(fits, more, len(counts) - 1)

    def fits(self, cycles: int, unforeseen: Resources) -> bool:
        """Return whether there is a plan for ``cycles`` that fits beside what is ``unforeseen``."""
        room = _Room.of(self.budget, unforeseen)
        if room is None:
            return False
        model = self._model(cycles, room.present)
        if model is None:
            return False
        work = MOST_WORK // 8
        return best(model.problem, room.limits_alone, enough=1, most_work=work) is not None

    def _model(self, cycles: int, present: tuple[bool, ...]) -> Model | None:
        """Return the model for ``cycles``; rounds and tries ask for the same ones again."""
        key = cycles, present
        if key not in self._models:
            while len(self._models) >= _MOST_MODELS:
                del self._models[next(iter(self._models))]
            self._models[key] = self.formulation.model(cycles, present)
        return self._models[key]

    def choose(self, cycles: int, unforeseen: Resources) -> Chosen | None:
        """Return the least plan for ``cycles`` beside what is ``unforeseen``, or None."""
        room = _Room.of(self.budget, unforeseen)
        if room is None:
            return None
        model = self._model(cycles, room.present)
        if model is None or is_ruled_out(model.problem, room.limits_alone):
            return None
        found = best(model.problem, room.shares)
        if found is not None and room.is_exceeded(found.total.tolist()):
            within = best(model.problem, room.limits_alone, enough=1)
            if within is None:
                return None
            found = best(model.problem, (*room.shares, *room.limits), within)
        if found is None:
            return None
        tables: Found | None = found
        if not room.is_of_tables(found, model.problem):
            # Where the share is not proved to be the least, no more than a little is done.
            work = MOST_WORK if found.bound == found.z else MOST_WORK // 8
            tables = best(model.problem, room.tables_within(found.z), found, most_work=work)
        assert tables is not None
        plan = Plan(
            graph_digest(self.formulation.graph),
            model.foldings_of(tables.options),
            {},
            model.word_bits_of(tables.options),
            channels=model.channels_of(tables.options),
        )
        return Chosen(plan, Resources(*tables.total.tolist()), found.bound)

    def planned(self, chosen: Chosen) -> Planned:
        """Return a plan with the FIFOs that it needs, and what all of it takes."""
        graph, device = self.formulation.graph, self.budget.device
        plan = replace(chosen.plan, fifos=fifo_depths(Wiring(*laid_out(graph, chosen.plan))))
        urams = self._urams_left(chosen)
        design = design_of(graph, plan, name="plan")
        plan = in_ultra_rams(design, plan, urams)
        design = with_memories(design, plan)
        cost = design_cost(design, device)
        if urams and self.budget.exceeded(cost.total.resources):
            plan = without_block_rams(design, plan, urams)
            cost = design_cost(with_memories(design, plan), device)
        share = self.budget.largest_share(chosen.counted)
        return Planned(plan, cost, cost.slowest.cycles, share, chosen.bound)

    def _urams_left(self, chosen: Chosen) -> int:
        """Return how many UltraRAMs there are for FIFOs, beside what was counted."""
        there = min(self.budget.limits.uram, self.budget.device.uram)
        return max(0, there - (chosen.counted + self.budget.reserved).uram)


def least_plan(
    graph: Graph, budget: Budget, *, cycles: int, word_bits: tuple[int, ...] = UP_TO_64
) -> Planned:
    """Return the least plan of the lowered ``graph`` that takes ``cycles`` an image, or fewer.

    ``word_bits`` are the widths that the design's ports may have. Raises ``InfeasibleError`` if
    there is none within ``budget``, which says how near one comes.
    """
    from lutloom.codegen.planning.infeasible import infeasible

    planner = Planner.of(graph, budget, word_bits)
    planned = planner.least(cycles)
    if planned is None:
        raise infeasible(planner, cycles)
    return planned


def fastest_plan(graph: Graph, budget: Budget, *, word_bits: tuple[int, ...] = UP_TO_64) -> Planned:
    """Return the plan of the lowered ``graph`` that takes fewest cycles an image within ``budget``.

    Of several, the least. Raises ``InfeasibleError`` if no plan fits.
    """
    from lutloom.codegen.planning.infeasible import infeasible

    planner = Planner.of(graph, budget, word_bits)
    planned = planner.fastest()
    if planned is None:
        raise infeasible(planner, planner.counts[-1])
    return planned


def _at_least(known: Resources, needed: Resources, counted: Resources) -> Resources:
    """Return what ``needed`` has more than ``counted``, and ``known`` where that is more."""
    triples = zip(known.figures, needed.figures, counted.figures, strict=True)
    return Resources(*(max(k, n - c) for k, n, c in triples))


@dataclass(frozen=True)
class _Room:
    """What a budget leaves: ``taken`` is spoken for, ``most`` is what a plan may add to it.

    All are in the order of ``Resources``.
    """

    there: tuple[int, ...]
    taken: tuple[int, ...]
    most: tuple[int, ...]

    @staticmethod
    def of(budget: Budget, unforeseen: Resources) -> _Room | None:
        """Return the room of ``budget`` beside what is ``unforeseen``; None if it has none."""
        taken = (budget.reserved + unforeseen).figures
        most = tuple(a - b for a, b in zip(budget.limits.figures, taken, strict=True))
        return None if min(most) < 0 else _Room(budget.there.figures, taken, most)

    @property
    def present(self) -> tuple[bool, ...]:
        """Whether a plan may take anything of each resource."""
        return tuple(limit > 0 for limit in self.most)

    @property
    def _numbers(self) -> list[int]:
        return [number for number, is_present in enumerate(self.present) if is_present]

    @property
    def shares(self) -> tuple[Row, ...]:
        """Rows by which ``z`` is the largest share of the device."""
        return tuple(Row(n, self.there[n], -self.taken[n]) for n in self._numbers)

    @property
    def limits(self) -> tuple[Row, ...]:
        """Rows that keep the budget."""
        return tuple(Row(n, 0, self.most[n]) for n in self._numbers)

    @property
    def limits_alone(self) -> tuple[Row, ...]:
        """Rows by which ``z`` is the largest share of the budget: up to 1, that is kept."""
        return tuple(Row(n, self.most[n], 0) for n in self._numbers)

    def is_exceeded(self, total: list[int]) -> bool:
        """Return whether ``total`` exceeds the budget."""
        return any(total[n] > self.most[n] for n in self._numbers)

    def is_of_tables(self, found: Found, problem: Problem) -> bool:
        """Return whether nothing but its look-up tables makes the share of ``found`` what it is.

        That is proved to be the least, and no plan takes as large a share of something else with
        fewer look-up tables: one with fewer would be better.
        """
        if self._numbers[:1] != [0] or found.bound < found.z:
            return False
        if found.z != Fraction(int(found.total[0]) + self.taken[0], self.there[0]):
            return False
        ends = {n: found.z * self.there[n] for n in self._numbers[1:]}
        return not any(self._outweighs(n, problem) for n in ends if ends[n].denominator == 1)

    def _outweighs(self, number: int, problem: Problem) -> bool:
        """Return whether a resource may have a larger share than look-up tables in some plan."""
        import numpy as np

        prices = np.zeros((1, len(self.there)), np.int64)
        prices[0, 0], prices[0, number] = self.there[number], -self.there[0]
        lead = self.taken[0] * self.there[number] - self.taken[number] * self.there[0]
        return int(Bounds(problem, prices).least[0]) + lead < 0

    def tables_within(self, share: Fraction) -> tuple[Row, ...]:
        """Return rows by which ``z`` is the look-up tables, within the budget and ``share``."""
        limits = (
            Row(n, 0, min(self.most[n], (share * self.there[n]).__floor__() - self.taken[n]))
            for n in self._numbers
        )
        return Row(0, 1, 0), *limits
