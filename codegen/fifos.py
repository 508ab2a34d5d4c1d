"""How deep the FIFOs of a plan have to be for the rate of its slowest process.

A timetable is made, with an image every so many cycles as the slowest process takes: every word
has a time at which it is written and one at which it is read. Each FIFO gets room for the most
words that wait in it. A design whose FIFOs are that deep never falls behind the timetable, since
all that happens sooner delays nothing; so branches that meet don't stop each other either.

In the timetable an iteration begins as soon as its words are there and the one before has begun,
with two exceptions:

- products, and the reader of the input, are spread over most of the interval: what came sooner
  than it is wanted would have to be kept;
- a window and the product behind it are one loop, a tap being given when it is multiplied, unless
  they would be slower than all else: so no FIFO holds every pixel many times.

Pipelines, restarts and FIFOs take their cycles, on the safe side. How long a pipeline is, and
whether it stalls or flushes, only synthesis knows. So a result comes when as many iterations have
begun behind its own as the longest pipeline holds; and there is room for it from the beginning of
its iteration on, as without a pipeline. Then no process falls behind the timetable, whatever its
pipeline: its results find room when they come, and come when they are due at the latest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lutloom.codegen.schedules import Schedule, converter_schedule, process_schedule
from lutloom.codegen.streams import Stream, Wiring, site_of
from lutloom.codegen.timing import PESSIMISTIC
from lutloom.core.ops import Depthwise, MatVec, Window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lutloom.core.types import IntArray

DEFAULT_DEPTH = 2
"""Words in a FIFO that a plan does not name: what the tools default to."""

DEEPEST = 1 << 28
"""Words in a FIFO at most: of single bits, about the UltraRAM of the largest FPGA."""

# What is spread over the interval takes that share of it: with less FIFOs grow, and with no rest a
# process that has waited never catches up, so that its FIFOs grow, too.
_SPREAD = (15, 16)
_TRANSIT = 1 + PESSIMISTIC.fifo_latency
# What a window and its product may take longer together than the slowest process: a fiftieth.
_LITTLE = 50


@dataclass(frozen=True, eq=False)
class _Written:
    """When the words of a stream are written: by a process without a pipeline, and with one."""

    first: IntArray
    last: IntArray

    def later(self, cycles: int) -> _Written:
        """Return the times of words that come ``cycles`` later."""
        return _Written(self.first + cycles, self.last + cycles)


@dataclass(frozen=True, eq=False)
class _Loop:
    """The iterations of a frame: those in which each input is read, each output written."""

    kind: str
    iterations: int
    reads: tuple[IntArray, ...]
    writes: tuple[IntArray, ...]
    is_spread: bool = False
    wanted: tuple[IntArray, ...] = ()
    """Iterations that wait for words; by default, those that read them."""

    @staticmethod
    def of(kind: str, schedule: Schedule, outputs: int = 1, *, is_spread: bool = False) -> _Loop:
        reads = tuple(schedule.positions(port) for port in range(schedule.reads))
        writes = tuple(schedule.positions(schedule.reads + port) for port in range(outputs))
        return _Loop(kind, schedule.iterations, reads, writes, is_spread)

    @property
    def stages(self) -> int:
        """Cycles from the reads of an iteration to its writes."""
        return PESSIMISTIC.stages[self.kind]

    @property
    def rest(self) -> int:
        """Cycles from the last iteration of a frame to the first one of the next."""
        return self.stages + PESSIMISTIC.restart_gap

    @property
    def cycles(self) -> int:
        """Cycles from a frame to the next, if nothing has to be waited for."""
        return self.iterations + self.rest

    def times(
        self, interval: int, arrivals: list[IntArray]
    ) -> tuple[list[IntArray], list[_Written]]:
        """Return when words are read and written, if they are there from ``arrivals`` on.

        A frame begins ``interval`` cycles after the last one.
        """
        import numpy as np

        span = self.iterations
        if self.is_spread:
            span = max(span, min(interval * _SPREAD[0] // _SPREAD[1], interval - self.rest))

        def pace(iterations: IntArray) -> IntArray:
            return iterations * span // self.iterations

        # How much later than at its pace each iteration is: because of its own words, of those
        # of iterations before it, and of the frame before.
        nothing = np.zeros(0, np.int64)
        read = np.concatenate([nothing, *(self.wanted or self.reads)])
        order = np.argsort(read, kind="stable")
        read = read[order]
        late = np.concatenate([nothing, *arrivals])[order] - pace(read)
        before = int(late.max()) + span + self.rest - interval if late.size else 0
        late = np.maximum.accumulate(np.append(before, late))

        def at(iterations: IntArray) -> IntArray:
            delays: IntArray = late[np.searchsorted(read, iterations, side="right")]
            return pace(iterations) + delays

        def ended(iterations: IntArray) -> IntArray:
            later = iterations + self.stages
            begun = np.minimum(later, self.iterations - 1)
            times: IntArray = at(begun) + later - begun
            return times

        written = [_Written(at(port), ended(port)) for port in self.writes]
        return [at(port) for port in self.reads], written


def fifo_depths(wiring: Wiring) -> Mapping[str, int]:
    """Return the depths of the FIFOs that should be deeper than the default, by their values."""
    timetable = _Timetable.of(wiring)
    made = timetable.make({})
    if any(made.spare.values()):
        # An input that is wanted late had better come late than wait in a FIFO.
        made = timetable.make(made.spare)
    return {value: depth for value, depth in made.depths.items() if depth > DEFAULT_DEPTH}


@dataclass(frozen=True)
class _Made:
    """What a timetable says: depths by value, and how much later each input could come."""

    depths: Mapping[str, int]
    spare: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class _Timetable:
    """The loops of a plan, in order; ``windows`` are part of the loops of their products."""

    wiring: Wiring
    loops: Mapping[str, _Loop]
    converters: Mapping[str, _Loop]
    windows: Mapping[str, str]
    interval: int

    @staticmethod
    def of(wiring: Wiring) -> _Timetable:
        loops = {name: _loop(wiring, name) for name in wiring.processes}
        converters = {
            stream.value: _Loop.of(converter.kernel, converter_schedule(converter))
            for stream in wiring.streams
            if (converter := wiring.converter(stream)) is not None
        }
        entering = (_entering(wiring, stream) for stream in wiring.streams if stream.source is None)
        slowest = max(loop.cycles for loop in (*loops.values(), *converters.values(), *entering))
        windows: dict[str, str] = {}
        for window, product in _windows(wiring):
            joined = _joined(loops[window], loops[product], _vectors(wiring, product))
            # Else they have to work at different images at a time.
            if joined.cycles <= slowest + slowest // _LITTLE:
                windows[product] = window
                loops[product] = joined
                del loops[window]
        interval = max(slowest, *(loop.cycles for loop in loops.values()), 0)
        return _Timetable(wiring, loops, converters, windows, interval)

    def make(self, starts: Mapping[str, int]) -> _Made:
        """Make the timetable, each input ``starts`` cycles later than it could."""
        wiring, interval = self.wiring, self.interval
        incoming: dict[str | None, list[Stream]] = {}
        outgoing: dict[str | None, list[Stream]] = {}
        for stream in wiring.streams:
            incoming.setdefault(stream.target, []).append(stream)
            outgoing.setdefault(stream.source, []).append(stream)
        written: dict[str, _Written] = {}
        origins: dict[str, frozenset[str]] = {}
        for stream in outgoing[None]:
            _, (times,) = _entering(wiring, stream).times(interval, [])
            written[stream.value] = times.later(starts.get(stream.value, 0))
            origins[stream.value] = frozenset({stream.value})
        spare: dict[str, int] = {}
        depths: dict[str, int] = {}
        for name, loop in self.loops.items():
            if name in self.windows:
                depths.update(self._joint(incoming[name][0]))
            streams = incoming[self.windows.get(name, name)]
            passed = [self._pass(stream, written.pop(stream.value)) for stream in streams]
            arrivals = [times.last + _TRANSIT for times, _ in passed]
            reads, writes = loop.times(interval, arrivals)
            for stream, (times, words), read in zip(streams, passed, reads, strict=True):
                bits = _most_words(times.first, read, interval) * wiring.read_bits(stream)
                depths[stream.value] = words - (-bits // wiring.written_bits(stream))
            inputs = [origins[stream.value] for stream in streams]
            for origin, arrival, read in zip(inputs, arrivals, reads, strict=True):
                # Where what comes of one input alone meets what comes of others.
                if len(origin) == 1 and origin != frozenset().union(*inputs):
                    (value,) = origin
                    waits = int((read - arrival).min())
                    spare[value] = min(waits, spare.get(value, waits))
            for stream in outgoing[name]:
                written[stream.value] = writes[stream.source_port]
                origins[stream.value] = frozenset().union(*inputs)
        for stream in incoming[None]:
            _, depths[stream.value] = self._pass(stream, written[stream.value])
        return _Made(depths, spare)

    def _joint(self, stream: Stream) -> Mapping[str, int]:
        """Return the depth of the FIFO between a window and its product, if it has a converter."""
        if stream.value not in self.converters or stream.target is None:
            return {}
        # The product reads a vector a word a cycle, whatever comes out of the converter.
        site = site_of(self.wiring.graph, self.wiring.processes[stream.target])
        bits = site.op.matrix.shape[1] * stream.tensor.element.bits
        return {stream.value: -(-bits // self.wiring.written_bits(stream))}

    def _pass(self, stream: Stream, times: _Written) -> tuple[_Written, int]:
        """Return when words written at ``times`` leave a converter, and how many wait for it."""
        converter = self.converters.get(stream.value)
        if converter is None:
            return times, 0
        (read,), (written,) = converter.times(self.interval, [times.last + _TRANSIT])
        return written, _most_words(times.first, read, self.interval)


def _most_words(written: IntArray, read: IntArray, interval: int) -> int:
    """Return the most words between their writing and their reading, frame after frame."""
    import numpy as np

    held = np.arange(1, len(written) + 1) - np.searchsorted(read, written)
    # And what is left of the frames before.
    while int((read := read - interval)[-1]) >= int(written[0]):
        held += len(read) - np.searchsorted(read, written)
    return int(held.max())


def _windows(wiring: Wiring) -> list[tuple[str, str]]:
    """Return the windows whose words a product reads, each with the product's name."""
    ends = [(stream.source, stream.target) for stream in wiring.streams]
    return [
        (source, target)
        for source, target in ends
        if source is not None
        and target is not None
        and isinstance(wiring.processes[source].op, Window)
        and isinstance(wiring.processes[target].op, MatVec)
    ]


def _vectors(wiring: Wiring, product: str) -> int:
    """Return how many vectors of an image a product reads, each group's for itself."""
    site = site_of(wiring.graph, wiring.processes[product])
    return int(site.outputs[0].size // site.op.matrix.shape[0] * site.op.groups)


def _entering(wiring: Wiring, stream: Stream) -> _Loop:
    """Return the loop in which the words of an input come."""
    import numpy as np

    frame = stream.tensor.size * stream.tensor.element.bits
    words = np.arange(-(-frame // wiring.written_bits(stream)), dtype=np.int64)
    return _Loop("read_axis", len(words), (), (words,), is_spread=True)


def _loop(wiring: Wiring, name: str) -> _Loop:
    node, folding = wiring.processes[name], wiring.plan.foldings[name]
    site = site_of(wiring.graph, node)
    schedule = process_schedule(site, folding)
    is_spread = isinstance(node.op, MatVec | Depthwise | Window)
    return _Loop.of(node.op.name, schedule, len(site.outputs), is_spread=is_spread)


def _joined(window: _Loop, product: _Loop, vectors: int) -> _Loop:
    """Return the loop of a window and a product, which repeats itself every vector.

    When the window has given a vector, it goes on to the next one, but gives nothing until the
    product is done.
    """
    import numpy as np

    gives = window.writes[0].reshape(vectors, -1)
    first, last = gives[:, 0], gives[:, -1]
    idle = max(product.iterations // vectors - gives.shape[1], 0)
    waits = np.maximum(idle - (first[1:] - last[:-1] - 1), 0)
    shifts = np.concatenate([[0], np.cumsum(waits)])
    results = product.writes[0].reshape(vectors, -1)[0]
    writes = ((last + shifts)[:, None] + results - results[0]).reshape(-1)
    (takes,) = window.reads

    def shifted(iterations: IntArray) -> IntArray:
        behind = np.searchsorted(first, iterations, side="right") - 1
        found: IntArray = iterations + shifts[np.maximum(behind, 0)]
        return found

    # The last taps may come out of a pipeline only when those behind it have their words.
    wanted = shifted(np.maximum(takes - window.stages, 0))
    # While the product works at the last vector, the next image begins to come in.
    behind = max(window.iterations - 1 - int(last[-1]), idle - int(first[0]))
    end = int(last[-1] + shifts[-1]) + 1
    return _Loop(
        product.kind, end + behind, (shifted(takes),), (writes,), is_spread=True, wanted=(wanted,)
    )
