"""``throughput``: how many images a second a build takes, by a model of its processes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lutloom.build import Build, changes, check_output, check_planned, load_build
from lutloom.core.files import OutputError, check_replaceable, check_writable, write_file
from lutloom.engines import cache_of
from lutloom.fifo_table import fifo_rows
from lutloom.targets import check_clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from lutloom.fifo_table import FifoRow
    from lutloom.sim.cycles import Cycles
    from lutloom.sim.least_fifos import LeastFifos


@dataclass(frozen=True)
class Throughput:
    """Clock cycles of a build whose input never runs dry, at ``clock_mhz``.

    ``ideal`` counts loops and FIFOs alone. ``pessimistic`` adds what synthesis decides, on the
    safe side: pipelines, restarts, the time through a FIFO. Where the plan makes FIFOs too short,
    ``ideal`` may be the slower one: a pipeline has room for words too. With least FIFOs all of it
    is said of ``least.plan``, which the file ``plan`` holds.
    """

    clock_mhz: float
    ideal: Cycles
    pessimistic: Cycles
    fifos: tuple[FifoRow, ...]
    least: LeastFifos | None = None
    plan: Path | None = None

    def rate(self, cycles: Cycles) -> float:
        """Return the images a second with one of both."""
        return self.clock_mhz * 1e6 / cycles.interval

    def latency(self, cycles: Cycles) -> float:
        """Return the milliseconds from the first beat of an image to the last of its result."""
        return cycles.latency / self.clock_mhz / 1e3


def throughput(
    build: str | Path | Build,
    *,
    clock_mhz: float | None = None,
    minimize_fifos: str | Path | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Throughput:
    """Model ``build`` cycle by cycle: its loops and its FIFOs, of the depths in its plan.

    ``clock_mhz`` is the clock, by default that of the board it was compiled for. Nothing here
    comes from synthesis. It needs a C++ compiler. ``minimize_fifos`` is a file for the plan with
    the least depths of FIFOs that keep the rate, one word less of each stopping the design or
    slowing it down; that takes minutes for a large one. ``on_progress`` is called with the FIFOs
    done and all of them.

    Raises a ``LutloomError`` for a directory that is no build or whose plan was edited, for a
    design that stops because its FIFOs are too short, and where there is no compiler.
    """
    from lutloom.codegen.assembly import make_design
    from lutloom.codegen.timing import IDEAL, PESSIMISTIC
    from lutloom.core.plan import print_plan
    from lutloom.sim.cycles import CycleModel
    from lutloom.sim.least_fifos import least_fifos

    loaded = build if isinstance(build, Build) else load_build(build)
    clock = check_clock(loaded.clock_mhz if clock_mhz is None else clock_mhz)
    # Another plan is another design, which is nowhere.
    check_planned(loaded.directory, changes(loaded.directory))
    plan, cache, least = loaded.plan, cache_of(loaded), None
    if minimize_fifos is not None:
        path = Path(minimize_fifos)
        _check_plan(path, loaded.directory)
        least = least_fifos(loaded.processes, plan, cache=cache, on_progress=on_progress)
        plan = least.plan
        write_file(path, print_plan(plan).encode())
    names = loaded.port_names
    design = make_design(loaded.processes, plan, name=loaded.name, port_names=names)
    model = CycleModel.of(design)
    return Throughput(
        clock,
        model.run(IDEAL, cache=cache),
        model.run(PESSIMISTIC, cache=cache),
        fifo_rows(design),
        least,
        None if minimize_fifos is None else Path(minimize_fifos),
    )


def _check_plan(path: Path, directory: Path) -> None:
    """Raise ``OutputError``, before minutes go by, if no plan can go to ``path``."""
    if not path.parent.is_dir() or path.is_dir():
        raise OutputError(f"{path} can't be written: it should be a file in a directory")
    check_replaceable(path)
    check_writable(path)
    if path.suffix != ".json":
        raise OutputError(f"{path} should be a .json file, as every plan is")
    check_output(path, directory)
