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
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lutloom.codegen.schedules import Schedule, converter_schedule, likeness, process_schedule
from lutloom.codegen.streams import Stream, Wiring, site_of
from lutloom.codegen.timing import PESSIMISTIC
from lutloom.core.ops import Depthwise, MatVec, Window

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from lutloom.codegen.kernels.convert import Converter
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
# Words of a stream of which one is looked at first: a prime, so that converters don't keep step.
_SAMPLE = 61


@dataclass(frozen=True, eq=False)
class _Written:
    """When the words of a stream are written by a process without a pipeline, at the ``first``.

    ``there`` is when they can be read behind a pipeline and the FIFO, at the latest.
    """

    first: IntArray
    there: IntArray

    def later(self, cycles: int) -> _Written:
        """Return the times of words that come ``cycles`` later."""
        return _Written(self.first + cycles, self.there + cycles) if cycles else self


@dataclass(frozen=True, eq=False)
class _Port:
    """The iterations of a period with a word at a port, and how many words were wanted up to each.

    What is beyond the period is counted on.
    """

    iterations: IntArray
    wanted: IntArray

    @cached_property
    def is_each_wanted(self) -> bool:
        """Whether one word more is wanted from each iteration to the next."""
        first, last = int(self.wanted[0]), int(self.wanted[-1])
        return last - first + 1 == len(self.wanted) and bool(
            (self.wanted[1:] > self.wanted[:-1]).all()
        )


@dataclass(frozen=True, eq=False)
class _Loop:
    """The iterations of a frame, a ``period`` as often as it ``repeats``.

    In a period words are read and written in the iterations ``taken`` and ``given``; ``wanted`` are
    those that wait for the words of each input.
    """

    kind: str
    period: int
    repeats: int
    wanted: tuple[IntArray, ...]
    taken: tuple[IntArray, ...]
    given: tuple[IntArray, ...]
    is_spread: bool = False

    @staticmethod
    def of(kind: str, schedule: Schedule, *, is_spread: bool = False) -> _Loop:
        taken, given = schedule.places[: schedule.reads], schedule.places[schedule.reads :]
        return _Loop(kind, schedule.period, schedule.repeats, taken, taken, given, is_spread)

    @cached_property
    def reads(self) -> tuple[_Port, ...]:
        """Where words are read."""
        import numpy as np

        if len(self.taken) == 1 and self.taken[0] is self.wanted[0]:
            # Word by word.
            return (_Port(self.taken[0], np.arange(1, len(self.taken[0]) + 1)),)
        return tuple(self._port(iterations) for iterations in self.taken)

    @cached_property
    def writes(self) -> tuple[_Port, ...]:
        """Where words are written, without a pipeline."""
        return tuple(self._port(iterations) for iterations in self.given)

    @cached_property
    def ends(self) -> tuple[_Port, ...]:
        """Where words are written at the end of a pipeline, if the next frame came at once."""
        return tuple(self._port(given + self.stages) for given in self.given)

    @cached_property
    def each(self) -> _Port:
        """All iterations."""
        import numpy as np

        return self._port(np.arange(self.period))

    def _port(self, iterations: IntArray) -> _Port:
        import numpy as np

        if not len(iterations) or iterations[-1] < self.period:
            return _Port(iterations, np.searchsorted(self._waiting, iterations, side="right"))
        turns, place = np.divmod(iterations, self.period)
        before = np.searchsorted(self._waiting, place, side="right")
        return _Port(iterations, turns * len(self._waiting) + before)

    @cached_property
    def _waiting(self) -> IntArray:
        import numpy as np

        if len(self.wanted) == 1:
            return self.wanted[0]
        return np.sort(np.concatenate([np.zeros(0, np.int64), *self.wanted]), kind="stable")

    @property
    def iterations(self) -> int:
        """How many iterations a frame has."""
        return self.period * self.repeats

    @property
    def stages(self) -> int:
        """How many iterations have begun behind one at least when its pipeline gives its words."""
        return PESSIMISTIC.stages[self.kind]

    @property
    def rest(self) -> int:
        """Cycles from the last iteration of a frame to the first one of the next."""
        return self.stages + PESSIMISTIC.restart_gap

    @property
    def cycles(self) -> int:
        """Cycles from a frame to the next, if nothing has to be waited for."""
        return self.iterations + self.rest

    @cached_property
    def _has_a_word_in_each(self) -> bool:
        """Whether a port has a word in all iterations; of a window and a product that is unknown.

        Theirs may be given behind the last iteration.
        """
        ports = (*self.taken, *self.given)
        return self.wanted is self.taken and any(map(self._is_in_each, ports))

    def _is_in_each(self, places: IntArray) -> bool:
        """Return whether all iterations of a period are among ``places``."""
        return len(places) == self.period

    def repeated(self, iterations: IntArray) -> IntArray:
        """Return those of a frame for ``iterations`` of a period."""
        return self._pace(iterations, self.iterations)

    def times(
        self, interval: int, arrivals: list[IntArray]
    ) -> tuple[list[IntArray], list[_Written]]:
        """Return when words are read and written, if they are there from ``arrivals`` on.

        A frame begins ``interval`` cycles after the last one.
        """
        span = self.iterations
        if self.is_spread:
            span = max(span, min(interval * _SPREAD[0] // _SPREAD[1], interval - self.rest))
        if self._has_a_word_in_each:
            begun = self._begun(span, interval, arrivals)
            reads = [self._picked(begun, taken) for taken in self.taken]
            firsts = [self._picked(begun, given) for given in self.given]
            lasts = [self._ended(begun, given) for given in self.given]
        else:
            late = self._late(span, interval, arrivals)
            reads = [self._at(port, span, late) for port in self.reads]
            firsts = [self._at(port, span, late) for port in self.writes]
            lasts = [self._ends(port, span, late) for port in self.ends]
        return reads, [_Written(*pair) for pair in zip(firsts, lasts, strict=True)]

    def _begun(self, span: int, interval: int, arrivals: list[IntArray]) -> IntArray:
        """Return when each iteration of a frame begins."""
        import numpy as np

        is_word_by_word = span == self.iterations and all(map(self._is_in_each, self.taken))
        if not arrivals or not is_word_by_word:
            return self._at(self.each, span, self._late(span, interval, arrivals))
        # No two words come at once: what begins when they come is never behind its pace.
        begun = arrivals[0]
        for others in arrivals[1:]:
            begun = np.maximum(begun, others)
        start = int(begun[-1]) + 1 + self.rest - interval
        if start > begun[0]:
            begun = np.maximum(begun, np.arange(start, start + span))
        return begun

    def _ended(self, begun: IntArray, places: IntArray) -> IntArray:
        """Return when words of ``places`` of each period, behind a pipeline, can be read."""
        import numpy as np

        count, stages = self.iterations, self.stages
        # What comes behind the last iteration keeps its distance to that.
        if not self._is_in_each(places):
            later = self.repeated(places) + stages
            kept = np.minimum(later, count - 1)
            later -= kept
            later += begun[kept]
            later += _TRANSIT
            return later
        within = max(count - stages, 0)
        there = np.empty_like(begun)
        np.add(begun[count - within :], _TRANSIT, out=there[:within])
        last = int(begun[-1]) + _TRANSIT
        there[within:] = last + np.arange(within + stages - count, stages) + 1
        return there

    def _picked(self, times: IntArray, places: IntArray) -> IntArray:
        """Return those of ``times``, of all iterations, that are at ``places`` of each period."""
        if self._is_in_each(places):
            return times
        return times.reshape(self.repeats, self.period)[:, places].reshape(-1)

    def _late(self, span: int, interval: int, arrivals: list[IntArray]) -> IntArray:
        """Return how much later than at its pace the loop is, when so many words were wanted.

        Because of its own words, of those of iterations before it, and of the frame before.
        """
        import numpy as np

        if not arrivals:
            return np.zeros(1, np.int64)
        pairs = zip(arrivals, self.wanted, strict=True)
        rows = [(there - self._pace(at, span)).reshape(self.repeats, -1) for there, at in pairs]
        late = rows[0]
        if len(rows) > 1:
            order = np.argsort(np.concatenate(self.wanted), kind="stable")
            late = np.concatenate(rows, axis=1)[:, order]
        found = np.empty(late.size + 1, np.int64)
        found[0] = int(late.max()) + span + self.rest - interval if late.size else 0
        found[1:] = late.reshape(-1)
        return np.maximum.accumulate(found, out=found)

    def _pace(self, iterations: IntArray, span: int) -> IntArray:
        """Return when ``iterations`` of each period begin, if nothing is late."""
        import numpy as np

        starts = np.arange(0, self.iterations, self.period, dtype=np.int64)
        made = (starts[:, np.newaxis] + iterations).reshape(-1)
        if span != self.iterations:
            made *= span
            made //= self.iterations
        return made

    def _ends(self, port: _Port, span: int, late: IntArray) -> IntArray:
        """Return when the words of ``port``, behind a pipeline, can be read."""
        made, last = self._at(port, span, late), self.iterations - 1
        made += _TRANSIT
        # What comes behind the last iteration keeps its distance to that.
        rows = int(port.iterations[-1]) // self.period if len(port.iterations) else 0
        tail = made[max(len(made) - len(port.iterations) * rows, 0) :]
        if len(tail):
            import numpy as np

            later = self.repeated(port.iterations)[-len(tail) :]
            kept = np.minimum(later, last)
            tail += (
                later - kept - (later * span // self.iterations - kept * span // self.iterations)
            )
        return made

    def _at(self, port: _Port, span: int, late: IntArray) -> IntArray:
        """Return when the words of ``port`` are read or written."""
        import numpy as np
        from numpy.lib.stride_tricks import as_strided

        made, each = self._pace(port.iterations, span), len(self._waiting)
        if not len(port.wanted):
            return made
        first, last = int(port.wanted[0]), int(port.wanted[-1])
        more = last + each * (self.repeats - 1) + 1 - len(late)
        if more > 0:
            late = np.append(late, np.full(more, late[-1]))
        shape = self.repeats, last - first + 1
        rows = as_strided(late[first:], shape, (8 * each, 8))
        if first != last and not port.is_each_wanted:
            rows = rows[:, port.wanted - first]
        made.reshape(self.repeats, -1)[...] += rows
        return made


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
        known: dict[Hashable, Any] = {}
        loops = {name: _loop(wiring, name, known) for name in wiring.processes}
        converters = {
            stream.value: _converter_loop(converter, known)
            for stream in wiring.streams
            if (converter := wiring.converter(stream)) is not None
        }
        entering = (_entering(wiring, stream) for stream in wiring.streams if stream.source is None)
        slowest = max(loop.cycles for loop in (*loops.values(), *converters.values(), *entering))
        windows: dict[str, str] = {}
        for window, product in _windows(wiring):
            key = id(loops[window]), id(loops[product]), _turns(wiring, product)
            if key not in known:
                known[key] = _joined(loops[window], loops[product], key[-1])
            joined = known[key]
            # Else they have to work at different images at a time.
            if joined is not None and joined.cycles <= slowest + slowest // _LITTLE:
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
            arrivals = [times.there for times, _ in passed]
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
        # The product reads its vectors a word a cycle, whatever comes out of the converter.
        site = site_of(self.wiring.graph, self.wiring.processes[stream.target])
        at_once = self.wiring.plan.foldings[stream.target].pixels
        bits = at_once * site.op.matrix.shape[1] * stream.tensor.element.bits
        return {stream.value: -(-bits // self.wiring.written_bits(stream))}

    def _pass(self, stream: Stream, times: _Written) -> tuple[_Written, int]:
        """Return when words written at ``times`` leave a converter, and how many wait for it."""
        converter = self.converters.get(stream.value)
        if converter is None:
            return times, 0
        (read,), (written,) = converter.times(self.interval, [times.there])
        return written, _most_words(times.first, read, self.interval)


def _most_words(written: IntArray, read: IntArray, interval: int) -> int:
    """Return the most words between their writing and their reading, frame after frame.

    Both ascend, also from a frame to the next.
    """
    import numpy as np

    count = len(written)
    # Of so many frames before something may be left when the first word comes.
    frames = max((int(read[-1]) - int(written[0])) // interval, 0)

    def held(words: IntArray) -> int:
        times = written[words]
        gone = sum(np.searchsorted(read, times + turn * interval) for turn in range(frames + 1))
        waiting: IntArray = words + 1 + frames * count - gone
        return int(waiting.max())

    # As many as wait with some of the words; and where there are more, with those.
    most = held(np.arange(0, count, _SAMPLE))
    words = _behind(written, read, interval, most, frames)
    return held(words) if len(words) else most


def _behind(written: IntArray, read: IntArray, interval: int, most: int, frames: int) -> IntArray:
    """Return the words with which more than ``most`` wait, of up to so many ``frames`` before."""
    import numpy as np

    count, found = len(written), [np.zeros(0, np.int64)]
    for turn in range(frames + 1):
        # The word that came ``most`` words before is one of that frame.
        shift = most - turn * count
        start, end = max(shift, 0), min(shift + count, count)
        if start < end:
            times = read[start - shift : end - shift]
            times = times - turn * interval if turn else times
            found.append(start + np.flatnonzero(times >= written[start:end]))
    return np.concatenate(found)


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


def _turns(wiring: Wiring, product: str) -> int:
    """Return how often a product reads vectors: of several pixels at once, each group's apart."""
    site = site_of(wiring.graph, wiring.processes[product])
    vectors = int(site.outputs[0].size // site.op.matrix.shape[0] * site.op.groups)
    return vectors // wiring.plan.foldings[product].pixels


def _entering(wiring: Wiring, stream: Stream) -> _Loop:
    """Return the loop in which the words of an input come."""
    import numpy as np

    frame = stream.tensor.size * stream.tensor.element.bits
    words = -(-frame // wiring.written_bits(stream))
    return _Loop.of("read_axis", Schedule(0, 1, words, (np.arange(1),)), is_spread=True)


def _loop(wiring: Wiring, name: str, known: dict[Hashable, Any]) -> _Loop:
    """Return the loop of a process; equal ones, of which ``known`` keeps each, are one."""
    node, folding = wiring.processes[name], wiring.plan.foldings[name]
    site = site_of(wiring.graph, node)
    key = likeness(site, folding)
    if key not in known:
        is_spread = isinstance(node.op, MatVec | Depthwise | Window)
        schedule = process_schedule(site, folding)
        known[key] = _Loop.of(node.op.name, schedule, is_spread=is_spread)
    found: _Loop = known[key]
    return found


def _converter_loop(converter: Converter, known: dict[Hashable, Any]) -> _Loop:
    """Return the loop of a converter; equal ones, of which ``known`` keeps each, are one."""
    if converter not in known:
        known[converter] = _Loop.of(converter.kernel, converter_schedule(converter))
    found: _Loop = known[converter]
    return found


def _joined(window: _Loop, product: _Loop, turns: int) -> _Loop | None:
    """Return the loop of a window and a product, which repeats itself every vector, so many times.

    When the window has given a vector, it goes on to the next one, but gives nothing until the
    product is done. With several windows in a word there may be no such loop.
    """
    import numpy as np

    gives = window.repeated(window.given[0])
    if len(gives) % turns:
        return None
    gives = gives.reshape(turns, -1)
    first, last = gives[:, 0], gives[:, -1]
    idle = max(product.iterations // turns - gives.shape[1], 0)
    waits = np.maximum(idle - (first[1:] - last[:-1] - 1), 0)
    shifts = np.concatenate([[0], np.cumsum(waits)])
    results = product.repeated(product.given[0]).reshape(turns, -1)[0]
    writes = ((last + shifts)[:, None] + results - results[0]).reshape(-1)
    takes = window.repeated(window.taken[0])

    def shifted(iterations: IntArray) -> IntArray:
        behind = np.searchsorted(first, iterations, side="right") - 1
        found: IntArray = iterations + shifts[np.maximum(behind, 0)]
        return found

    # The last taps may come out of a pipeline only when those behind it have their words.
    wanted = shifted(np.maximum(takes - PESSIMISTIC.stages[window.kind], 0))
    # While the product works at the last vector, the next image begins to come in.
    behind = max(window.iterations - 1 - int(last[-1]), idle - int(first[0]))
    end = int(last[-1] + shifts[-1]) + 1
    takes = shifted(takes)
    return _Loop(product.kind, end + behind, 1, (wanted,), (takes,), (writes,), is_spread=True)
