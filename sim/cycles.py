"""How many clock cycles a design takes: its processes and FIFOs, cycle by cycle.

A model of the loops, independent of the cycles that kernels state: what each iteration reads and
writes is in ``codegen.schedules``, what happens in a cycle in ``cycles.cpp``; what synthesis would
decide is a ``Timing``: how deep pipelines are, whether they flush, how long it takes to restart one
and to pass a FIFO.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
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
from lutloom.sim.deadlock import DeadlockError, Shallow, Wait, circle, describe
from lutloom.sim.shared_library import load_library
from lutloom.sim.toolchain import find_compiler

if TYPE_CHECKING:
    from lutloom.codegen.design import Design, Fifo, Unit

_MOST_FRAMES = 12
# And this many until those in front of a FIFO have filled it.
_MOST_AHEAD = 64
_SLICE = 10_000


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
class ModelFifo:
    """A FIFO of the model; ``planned`` is the design's, where the plan says how deep it is."""

    name: str
    unit: str
    depth: int
    planned: Fifo | None = None


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

    fifos: tuple[ModelFifo, ...]
    processes: tuple[_Process, ...]

    @staticmethod
    def of(design: Design) -> CycleModel:
        """Return the model of ``design``, whose units are joined as C simulation joins them."""
        fifos: list[ModelFifo] = []
        processes: list[_Process] = []
        between: dict[str, int] = {}
        for unit in design.units:
            for border in unit.exits:
                if border in design.between:
                    between[border.stream] = len(fifos)
                    name = f"the stream behind {unit.top}"
                    fifos.append(ModelFifo(name, unit.top, DEFAULT_DEPTH))
            _add_unit(unit, between, fifos, processes)
        return CycleModel(tuple(fifos), tuple(processes))

    def with_depths(self, depths: Mapping[str, int]) -> CycleModel:
        """Return the model with other depths of the FIFOs that ``depths`` names."""
        fifos = (replace(f, depth=depths.get(f.name, f.depth)) for f in self.fifos)
        return CycleModel(tuple(fifos), self.processes)

    def run(self, timing: Timing, *, cache: Path | None = None) -> Cycles:
        """Return what the design takes; images follow each other until the interval has settled.

        ``cache`` is a directory that keeps the model, which is compiled once.

        Raises ``DeadlockError``, which says what FIFOs are full and how deep they have to be, if
        the design stops, and ``CSimError`` where there is no C++ compiler.
        """
        with self.running(timing, cache=cache) as running:
            running.settle()
            return running.result()

    @contextmanager
    def running(self, timing: Timing, *, cache: Path | None = None) -> Iterator[Running]:
        """Yield the model for several runs, with other depths each."""
        engine = _engine(find_compiler(), cache)
        number = engine.lutloom_new(timing.restart_gap, timing.fifo_latency, timing.stalls)
        try:
            for fifo in self.fifos:
                engine.lutloom_add_fifo(number, fifo.depth)
            for process in self.processes:
                schedule, ports = process.schedule, process.ports
                masks, counts = schedule.runs
                engine.lutloom_add_process(
                    number,
                    (ctypes.c_int * len(ports))(*ports),
                    len(ports),
                    schedule.reads,
                    masks.ctypes.data,
                    counts.ctypes.data,
                    len(masks),
                    schedule.repeats,
                    timing.stages[process.kind],
                )
            yield Running(self, engine, number)
        finally:
            engine.lutloom_delete(number)


@dataclass(eq=False)
class Running:
    """A model in the compiled engine: ``finished`` is when each image has left."""

    model: CycleModel
    engine: ctypes.CDLL
    number: int
    finished: list[int] = field(default_factory=list)

    def settle(self) -> int:
        """Send images from the start until the interval has settled, and return the interval.

        Raises ``DeadlockError`` if the design stops.
        """
        if not self.settles():
            raise DeadlockError(self._deadlock())
        return self.interval

    def settles(self, depths: Sequence[int] | None = None, *, fewest: int = 3) -> bool:
        """Do so with FIFOs of ``depths``, by default those of the model; return False if it stops.

        Without saying why it does. At least ``fewest`` images are sent.
        """
        depths = [fifo.depth for fifo in self.model.fifos] if depths is None else depths
        for index, depth in enumerate(depths):
            self.engine.lutloom_set_depth(self.number, index, depth)
        self.engine.lutloom_reset(self.number)
        self.finished = []
        while len(self.finished) < _MOST_FRAMES:
            if not self._run(len(self.finished) + 1):
                return False
            self.finished.append(self.engine.lutloom_finished(self.number, len(self.finished)))
            intervals = [after - before for before, after in pairwise(self.finished)]
            if len(self.finished) >= fewest and intervals[-1] == intervals[-2]:
                break
        return True

    @property
    def interval(self) -> int:
        """Cycles between two images; an average where that has not settled."""
        last = len(self.finished) - 1
        since = last - 1 if last + 1 < _MOST_FRAMES else last // 2
        return -(-(self.finished[last] - self.finished[since]) // (last - since))

    def result(self) -> Cycles:
        """Return what the last run took, going on until loads are those of settled processes."""
        last = self._settled()

        def spent(process: int, state: int) -> int:
            after = self.engine.lutloom_spent(self.number, last, process, state)
            before = self.engine.lutloom_spent(self.number, last - 1, process, state)
            return int(after - before)

        loads = (
            Load(p.name, p.kind, p.unit, *(spent(index, state) for state in range(3)))
            for index, p in enumerate(self.model.processes)
        )
        fills = (
            Fill(fifo.name, fifo.unit, fifo.depth, self.engine.lutloom_fill(self.number, index))
            for index, fifo in enumerate(self.model.fifos)
        )
        return Cycles(self.finished[0] + 1, self.interval, tuple(loads), tuple(fills))

    def _settled(self) -> int:
        """Go on until every process is as long at an image as the design; return at which one.

        Processes in front are ahead by all that FIFOs hold, and do not wait before these are full.
        """
        last = len(self.finished) - 1
        while last + 1 < _MOST_AHEAD and any(
            self._took(process, last) != self.interval
            for process in range(len(self.model.processes))
        ):
            last += 1
            self._run(last + 1)
        return last

    def _took(self, process: int, frame: int) -> int:
        """Return the cycles from the end of one image to that of the next in a process."""
        ended = self.engine.lutloom_ended
        return int(ended(self.number, frame, process) - ended(self.number, frame - 1, process))

    def _run(self, frames: int) -> bool:
        """Go on until ``frames`` images have left; return False if nothing goes on."""
        # In slices, since what runs in C++ can't be interrupted.
        while not (state := self.engine.lutloom_run(self.number, frames, _SLICE)):
            pass
        return bool(state > 0)

    def _deadlock(self) -> str:
        """Return why nothing goes on, and how deep FIFOs have to be for that not to be.

        Full ones among those that hold each other up are made deeper, word by word.
        """
        fifos = self.model.fifos
        depths = [fifo.depth for fifo in fifos]
        held: dict[int, int] = {}
        waiting = self._waiting()
        waits = [Wait(self.model.processes[p].name, fifos[f].name, b) for p, f, b in waiting]
        frames = max(len(self.finished), 2) + 1
        while full := [fifo for _, fifo, is_full in waiting if is_full]:
            planned = [fifo for fifo in full if fifos[fifo].planned] or full
            fifo = min(planned, key=depths.__getitem__)
            held.setdefault(fifo, self.engine.lutloom_held(self.number, fifo))
            depths[fifo] += 1
            self.engine.lutloom_deepen(self.number, fifo)
            waiting = [] if self._run(frames) else self._waiting()
        shallow = [
            Shallow.of(
                fifos[f].planned,
                fifos[f].name,
                held=min(held[f], fifos[f].depth),
                depth=fifos[f].depth,
                needed=depths[f],
            )
            for f in sorted(held)
        ]
        return f"the design stops: {describe(shallow, waits)}"

    def _waiting(self) -> list[tuple[int, int, bool]]:
        """Return processes that wait for each other, in a circle, for what FIFO each of them.

        The last is whether that FIFO is full.
        """
        waits: dict[int, tuple[int, bool]] = {}
        ends: dict[tuple[int, bool], int] = {}
        for index, process in enumerate(self.model.processes):
            for port, fifo in enumerate(process.ports):
                ends[fifo, port < process.schedule.reads] = index
            for is_full in (True, False):
                fifo = self.engine.lutloom_awaited(self.number, index, is_full)
                if fifo >= 0 and index not in waits:
                    waits[index] = fifo, is_full
        found = circle(waits, lambda fifo, is_full: ends.get((fifo, is_full)))
        return [(index, *waits[index]) for index in found]


def _add_unit(
    unit: Unit,
    between: Mapping[str, int],
    fifos: list[ModelFifo],
    processes: list[_Process],
) -> None:
    numbers: dict[str, int] = {}
    for token in unit.tokens:
        numbers[token] = len(fifos)
        fifos.append(ModelFifo(token, unit.top, unit.token_depth))
    for fifo in unit.fifos:
        numbers[fifo.identifier] = len(fifos)
        planned = fifo if fifo.planned_bits else None
        fifos.append(ModelFifo(fifo.identifier, unit.top, fifo.depth, planned))

    def add(name: str, kind: str, schedule: Schedule, *ports: int) -> None:
        processes.append(_Process(name, kind, unit.top, ports, schedule))

    for border in unit.entries:
        tokens = [numbers[token] for token in border.tokens]
        outer = between.get(border.stream, -1)
        name = border.argument.replace("s_axis", "read_axis")
        schedule = reader_schedule(border.beats, len(tokens))
        add(name, "read_axis", schedule, outer, numbers[border.fifo], *tokens)
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
    for border in unit.exits:
        words, last = numbers[border.fifo], numbers[border.tokens[0]]
        outer = between.get(border.stream, -1)
        name = border.argument.replace("m_axis", "write_axis")
        add(name, "write_axis", writer_schedule(border.beats), words, last, outer)


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
        ("new", pointer, (number, number, integer)),
        ("delete", None, (pointer,)),
        ("add_fifo", None, (pointer, number)),
        ("add_process", None, (pointer, *ports, pointer, pointer, number, number, number)),
        ("set_depth", None, (pointer, number, number)),
        ("reset", None, (pointer,)),
        ("run", integer, (pointer, number, number)),
        ("deepen", None, (pointer, number)),
        ("finished", number, (pointer, number)),
        ("ended", number, (pointer, number, number)),
        ("spent", number, (pointer, number, number, integer)),
        ("fill", number, (pointer, number)),
        ("held", number, (pointer, number)),
        ("awaited", integer, (pointer, number, integer)),
    )
    for name, result, arguments in functions:
        function = getattr(engine, f"lutloom_{name}")
        function.restype, function.argtypes = result, arguments
    return engine
