"""The least depths of a plan's FIFOs with which the design is as fast as with those it has.

Depths are tried in the cycle model, under three timings: without pipelines, with the longest that
synthesis may make, and with pipelines that stall. In each the interval between images stays what it
is with the depths of the start. One FIFO after the other is made as shallow as that allows; since a
design never gets faster when a FIFO gets shallower, each then is as shallow as it can be beside the
others, and every depth but the least that there is has been seen to fail by one word less.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lutloom.codegen.assembly import make_design
from lutloom.codegen.fifos import DEFAULT_DEPTH, fifo_depths
from lutloom.codegen.padding import laid_out
from lutloom.codegen.streams import Wiring
from lutloom.codegen.timing import IDEAL, PESSIMISTIC, STALLING
from lutloom.core.plan import Plan
from lutloom.sim.cycles import CycleModel, Running

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from lutloom.core.graph import Graph

# What stops soonest is tried first.
_TIMINGS = (STALLING, PESSIMISTIC, IDEAL)
_MANY_FRAMES = 8


@dataclass(frozen=True)
class LeastFifo:
    """A FIFO of the plan: ``planned`` words by the timetable, and ``depth``, the fewest.

    With one word less the design ``stops``, or it is slower; or there are no fewer than that.
    """

    value: str
    planned: int
    depth: int
    stops: bool


@dataclass(frozen=True)
class LeastFifos:
    """A plan with the least depths, what was found of each FIFO, and how many designs were run."""

    plan: Plan
    fifos: tuple[LeastFifo, ...]
    runs: int


def least_fifos(
    graph: Graph,
    plan: Plan,
    *,
    cache: Path | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> LeastFifos:
    """Return ``plan`` with the least depths of the FIFOs of the lowered ``graph``.

    The search begins with the depths that a timetable gives, whatever ``plan`` says of them.
    ``cache`` keeps the compiled model; ``on_progress`` is called with the FIFOs done and all.

    Raises ``DeadlockError`` if the timetable's own depths are not enough, ``PlanError`` where the
    plan does not fit the graph, and ``CSimError`` where there is no C++ compiler.
    """
    start = fifo_depths(Wiring(*laid_out(graph, plan)))
    model = _model(graph, replace(plan, fifos=start))
    found: dict[str, LeastFifo] = {}
    with ExitStack() as stack:
        runs = [stack.enter_context(model.running(timing, cache=cache)) for timing in _TIMINGS]
        intervals = [running.settle() for running in runs]
        search = _Search(model, list(zip(runs, intervals, strict=True)))
        # The largest memories first: what they lose others may still need.
        for value in sorted(start, key=search.bits_of, reverse=True):
            if on_progress is not None:
                on_progress(len(found), len(start))
            found[value] = search.shrink(value, start[value])
    fifos = tuple(found[value] for value in start)
    depths = {fifo.value: fifo.depth for fifo in fifos if fifo.depth > DEFAULT_DEPTH}
    least = replace(plan, fifos=depths)
    _check(_model(graph, least), intervals, cache)
    if on_progress is not None:
        on_progress(len(start), len(start))
    return LeastFifos(least, fifos, search.tried)


def _model(graph: Graph, plan: Plan) -> CycleModel:
    return CycleModel.of(make_design(graph, plan, name="least"))


def _check(model: CycleModel, intervals: list[int], cache: Path | None) -> None:
    """Check that the design itself keeps ``intervals``, over more images than the search saw."""
    for timing, interval in zip(_TIMINGS, intervals, strict=True):
        with model.running(timing, cache=cache) as running:
            if not running.settles(fewest=_MANY_FRAMES) or running.interval > interval:
                raise AssertionError(f"the least FIFOs lose throughput with {timing}")


@dataclass(eq=False)
class _Search:
    """The depths so far, and the model in each timing with the interval that it must keep."""

    model: CycleModel
    runs: list[tuple[Running, int]]
    tried: int = 0

    def __post_init__(self) -> None:
        self.depths = [fifo.depth for fifo in self.model.fifos]
        self.places: Mapping[str, int] = {
            fifo.planned.value: index
            for index, fifo in enumerate(self.model.fifos)
            if fifo.planned is not None
        }

    def bits_of(self, value: str) -> int:
        """Return the bits that the FIFO of ``value`` holds."""
        fifo = self.model.fifos[self.places[value]].planned
        return fifo.depth * fifo.bits if fifo is not None else 0

    def shrink(self, value: str, planned: int) -> LeastFifo:
        """Make the FIFO of ``value`` as shallow as it can be beside the others."""
        place = self.places[value]
        fifo = self.model.fifos[place].planned
        assert fifo is not None
        fails, holds, stops = DEFAULT_DEPTH - 1, self.depths[place], False
        trial = DEFAULT_DEPTH
        while holds - fails > 1:
            failure = self._failure(place, trial)
            if failure is None:
                holds = trial
            else:
                fails, stops = trial, failure
            # Timetables are seldom far off.
            trial = holds - max((holds - fails) // 4, 1)
        self.depths[place] = holds
        if holds == DEFAULT_DEPTH:
            return LeastFifo(value, planned, DEFAULT_DEPTH, stops=False)
        return LeastFifo(value, planned, fifo.planned(holds), stops)

    def _failure(self, place: int, depth: int) -> bool | None:
        """Return whether the design stops with that depth, or else is slower; None if neither."""
        depths = [*self.depths[:place], depth, *self.depths[place + 1 :]]
        for entry in self.runs:
            running, interval = entry
            self.tried += 1
            stops = not running.settles(depths)
            if stops or running.interval > interval:
                # What fails in one timing will soon fail in it again.
                self.runs = [entry, *(other for other in self.runs if other is not entry)]
                return stops
        return None
