"""How many clock cycles a design takes: its processes and FIFOs, cycle by cycle.

A model of the loops, independent of the cycles that kernels state: what each iteration reads and
writes is in ``codegen.schedules``, what happens in a cycle in ``cycles.cpp``; what synthesis would
decide is a ``Timing``: how deep pipelines are, how long it takes to restart one and to pass a FIFO.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lutloom.codegen.folding import DEFAULT_DEPTH
from lutloom.codegen.schedules import (
    Schedule,
    converter_schedule,
    process_schedule,
    reader_schedule,
    writer_schedule,
)
from lutloom.codegen.timing import Timing
from lutloom.core.errors import LutloomError
from lutloom.sim.shared_library import load_library
from lutloom.sim.toolchain import find_compiler

if TYPE_CHECKING:
    from lutloom.codegen.design import Design, Unit

_MOST_FRAMES = 12
_SLICE = 1_000_000


class DeadlockError(LutloomError, ValueError):
    """A design that stops, because FIFOs are not deep enough."""


@dataclass(frozen=True)
class Load:
    """How a process spends the cycles between two frames; what is left, it restarts.

    ``kind`` is its kernel, ``unit`` the top that it is in; ``busy`` are its iterations.
    """

    name: str
    kind: str
    unit: str
    busy: int
    waits_for_input: int
    waits_for_output: int


@dataclass(frozen=True)
class Fill:
    """The most words that a FIFO of ``depth`` words held."""

    name: str
    unit: str
    depth: int
    most: int


@dataclass(frozen=True)
class Cycles:
    """Clock cycles of a design that never waits for its input or to be rid of its output.

    ``latency`` is from the first beat in to the last beat out of the first image, ``interval``
    between two images when it has settled.
    """

    latency: int
    interval: int
    loads: tuple[Load, ...]
    fills: tuple[Fill, ...]

    @property
    def bottleneck(self) -> Load:
        """The process that waits least."""
        return min(self.loads, key=lambda load: load.waits_for_input + load.waits_for_output)


@dataclass(frozen=True)
class _Fifo:
    name: str
    unit: str
    depth: int


@dataclass(frozen=True)
class _Process:
    """A process of the model: ``ports`` are numbers of FIFOs, or -1 at the design's border."""

    name: str
    kind: str
    unit: str
    ports: tuple[int, ...]
    schedule: Schedule


@dataclass(frozen=True)
class CycleModel:
    """The processes of a design and the FIFOs between them."""

    fifos: tuple[_Fifo, ...]
    processes: tuple[_Process, ...]

    @staticmethod
    def of(design: Design) -> CycleModel:
        """Return the model of ``design``, whose units are joined as C simulation joins them."""
        fifos: list[_Fifo] = []
        processes: list[_Process] = []
        border = -1
        for unit in design.units:
            is_last = unit is design.units[-1]
            behind = -1 if is_last else len(fifos)
            if not is_last:
                fifos.append(_Fifo(f"the stream behind {unit.top}", unit.top, DEFAULT_DEPTH))
            _add_unit(unit, border, behind, fifos, processes)
            border = behind
        return CycleModel(tuple(fifos), tuple(processes))

    def with_depths(self, depths: Mapping[str, int]) -> CycleModel:
        """Return the model with other depths of the FIFOs that ``depths`` names."""
        fifos = (_Fifo(f.name, f.unit, depths.get(f.name, f.depth)) for f in self.fifos)
        return CycleModel(tuple(fifos), self.processes)

    def run(self, timing: Timing, *, cache: Path | None = None) -> Cycles:
        """Return what the design takes; images follow each other until the interval has settled.

        ``cache`` is a directory that keeps the model, which is compiled once.

        Raises ``DeadlockError``, naming the full FIFOs, if the design stops, and ``CSimError``
        where there is no C++ compiler.
        """
        engine = _engine(find_compiler(), cache)
        with _new(engine, timing) as model:
            for fifo in self.fifos:
                engine.lutloom_add_fifo(model, fifo.depth)
            for process in self.processes:
                schedule, ports = process.schedule, process.ports
                engine.lutloom_add_process(
                    model,
                    (ctypes.c_int * len(ports))(*ports),
                    len(ports),
                    schedule.reads,
                    schedule.masks.ctypes.data,
                    schedule.counts.ctypes.data,
                    len(schedule.masks),
                    schedule.repeats,
                    timing.stages[process.kind],
                )
            engine.lutloom_prepare(model)
            for frames in range(1, _MOST_FRAMES + 1):
                # In slices, since what runs in C++ can't be interrupted.
                while engine.lutloom_frames(model) < frames:
                    if not engine.lutloom_run(model, frames, _SLICE):
                        raise DeadlockError(
                            f"the design stops: {self._waiting(engine, model)}; make these FIFOs"
                            " deeper in the plan"
                        )
                finished = [engine.lutloom_finished(model, frame) for frame in range(frames)]
                intervals = [after - before for before, after in pairwise(finished)]
                if len(intervals) > 1 and intervals[-1] == intervals[-2]:
                    break
            return self._result(engine, model, finished)

    def _result(self, engine: ctypes.CDLL, model: int, finished: list[int]) -> Cycles:
        last = len(finished) - 1

        def spent(process: int, state: int) -> int:
            after = engine.lutloom_spent(model, last, process, state)
            return int(after - engine.lutloom_spent(model, last - 1, process, state))

        loads = (
            Load(p.name, p.kind, p.unit, *(spent(index, state) for state in range(3)))
            for index, p in enumerate(self.processes)
        )
        fills = (
            Fill(fifo.name, fifo.unit, fifo.depth, engine.lutloom_fill(model, index))
            for index, fifo in enumerate(self.fifos)
        )
        # Where it has not settled, an average.
        since = last - 1 if last + 1 < _MOST_FRAMES else last // 2
        interval = -(-(finished[last] - finished[since]) // (last - since))
        return Cycles(finished[0] + 1, interval, tuple(loads), tuple(fills))

    def _waiting(self, engine: ctypes.CDLL, model: int) -> str:
        """Return which processes wait for room in which FIFOs."""
        waiting = []
        for index, process in enumerate(self.processes):
            full = engine.lutloom_obstacle(model, index, 1)
            if full >= 0:
                fifo = self.fifos[full]
                waiting.append(f"{process.name} waits for room in {fifo.name} ({fifo.depth} words)")
        return "; ".join(waiting)


def _add_unit(
    unit: Unit, entry: int, leaving: int, fifos: list[_Fifo], processes: list[_Process]
) -> None:
    numbers = {"last": len(fifos)}
    fifos.append(_Fifo("last", unit.top, unit.tokens))
    for fifo in unit.fifos:
        numbers[fifo.identifier] = len(fifos)
        fifos.append(_Fifo(fifo.identifier, unit.top, fifo.depth))

    def add(name: str, kind: str, schedule: Schedule, *ports: int) -> None:
        processes.append(_Process(name, kind, unit.top, ports, schedule))

    last = numbers["last"]
    words = numbers[unit.entry.fifo]
    add("read_axis", "read_axis", reader_schedule(unit.entry.beats), entry, words, last)
    for call in unit.calls:
        ports = [numbers[argument] for argument in call.arguments]
        if call.process is not None:
            process = call.process
            schedule = process_schedule(process.site, process.folding)
            add(process.name, process.kernel, schedule, *ports)
        elif call.converter is not None:
            kind = call.converter.kernel
            name = f"{kind}, writing {call.arguments[1]}"
            add(name, kind, converter_schedule(call.converter), *ports)
    words = numbers[unit.exit.fifo]
    add("write_axis", "write_axis", writer_schedule(unit.exit.beats), words, last, leaving)


@contextmanager
def _new(engine: ctypes.CDLL, timing: Timing) -> Iterator[int]:
    model = engine.lutloom_new(timing.restart_gap, timing.fifo_latency)
    try:
        yield model
    finally:
        engine.lutloom_delete(model)


@functools.cache
def _engine(compiler: str, cache: Path | None) -> ctypes.CDLL:
    source = files("lutloom.sim").joinpath("cycles.cpp").read_text(encoding="utf-8")
    flags = ("-std=c++14", "-O2", "-fPIC", "-fvisibility=hidden")
    engine, _ = load_library(
        "cycles",
        {"cycles.cpp": source},
        flags,
        compiler=compiler,
        cache=cache,
        key=" ".join(flags),
    )
    number, pointer, integer = ctypes.c_uint64, ctypes.c_void_p, ctypes.c_int
    ports = (pointer, integer, integer)
    functions: tuple[tuple[str, Any, tuple[Any, ...]], ...] = (
        ("new", pointer, (number, number)),
        ("delete", None, (pointer,)),
        ("add_fifo", None, (pointer, number)),
        ("add_process", None, (pointer, *ports, pointer, pointer, number, number, number)),
        ("prepare", None, (pointer,)),
        ("run", integer, (pointer, number, number)),
        ("frames", number, (pointer,)),
        ("finished", number, (pointer, number)),
        ("spent", number, (pointer, number, number, integer)),
        ("fill", number, (pointer, number)),
        ("obstacle", integer, (pointer, number, integer)),
    )
    for name, result, arguments in functions:
        function = getattr(engine, f"lutloom_{name}")
        function.restype, function.argtypes = result, arguments
    return engine
