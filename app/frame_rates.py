"""``throughput``: how many images a second a build takes, by a model of its processes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lutloom.build import Build, changes, check_planned, load_build
from lutloom.core.errors import LutloomError
from lutloom.simulation import cache_of

if TYPE_CHECKING:
    from lutloom.sim.cycles import Cycles


class ClockError(LutloomError, ValueError):
    """A clock that no hardware has."""


@dataclass(frozen=True)
class Throughput:
    """Clock cycles of a build whose input never runs dry, at ``clock_mhz``.

    ``ideal`` counts loops and FIFOs alone. ``pessimistic`` adds what synthesis decides, on the
    safe side: pipelines, restarts, the time through a FIFO. Where the plan makes FIFOs too short,
    ``ideal`` may be the slower one: a pipeline has room for words too.
    """

    clock_mhz: float
    ideal: Cycles
    pessimistic: Cycles

    def rate(self, cycles: Cycles) -> float:
        """Return the images a second with one of both."""
        return self.clock_mhz * 1e6 / cycles.interval

    def latency(self, cycles: Cycles) -> float:
        """Return the milliseconds from the first beat of an image to the last of its result."""
        return cycles.latency / self.clock_mhz / 1e3


def throughput(build: str | Path | Build, *, clock_mhz: float | None = None) -> Throughput:
    """Model ``build`` cycle by cycle: its loops and its FIFOs, of the depths in its plan.

    ``clock_mhz`` is the clock, by default that of the board it was compiled for. Nothing here
    comes from synthesis. It needs a C++ compiler.

    Raises a ``LutloomError`` for a directory that is no build or whose plan was edited, for a
    design that stops because its FIFOs are too short, and where there is no compiler.
    """
    if clock_mhz is not None and not 0 < clock_mhz < math.inf:
        raise ClockError(f"the clock should be some MHz, not {clock_mhz}")
    from lutloom.codegen.design import make_design
    from lutloom.codegen.timing import IDEAL, PESSIMISTIC
    from lutloom.sim.cycles import CycleModel

    loaded = build if isinstance(build, Build) else load_build(build)
    # Another plan is another design, which is nowhere.
    check_planned(loaded.directory, changes(loaded.directory))
    design = make_design(loaded.processes, loaded.plan, name=loaded.name)
    model, cache = CycleModel.of(design), cache_of(loaded)
    return Throughput(
        loaded.clock_mhz if clock_mhz is None else clock_mhz,
        model.run(IDEAL, cache=cache),
        model.run(PESSIMISTIC, cache=cache),
    )
