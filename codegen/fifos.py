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
from typing import TYPE_CHECKING, Any

from lutloom.codegen.loop_times import Loop, Written, joined
from lutloom.codegen.schedules import Schedule, converter_schedule, likeness, process_schedule
from lutloom.codegen.streams import Stream, Wiring, site_of
from lutloom.core.ops import Depthwise, MatVec, Window

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from lutloom.codegen.kernels.convert import Converter
    from lutloom.core.types import IntArray

DEFAULT_DEPTH = 2
"""Words in a FIFO that a plan does not name: what the tools default to."""

DEEPEST = 1 << 28
"""Words in a FIFO at most: of single bits, about the UltraRAM of the largest FPGA."""

# What a window and its product may take longer together than the slowest process: a fiftieth.
_LITTLE = 50
# Words of a stream of which one is looked at first: a prime, so that converters don't keep step.
_SAMPLE = 61


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
    loops: Mapping[str, Loop]
    converters: Mapping[str, Loop]
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
                known[key] = joined(loops[window], loops[product], key[-1])
            both: Loop | None = known[key]
            # Else they have to work at different images at a time.
            if both is not None and both.cycles <= slowest + slowest // _LITTLE:
                windows[product] = window
                loops[product] = both
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
        written: dict[str, Written] = {}
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

    def _pass(self, stream: Stream, times: Written) -> tuple[Written, int]:
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


def _entering(wiring: Wiring, stream: Stream) -> Loop:
    """Return the loop in which the words of an input come."""
    import numpy as np

    frame = stream.tensor.size * stream.tensor.element.bits
    words = -(-frame // wiring.written_bits(stream))
    return Loop.of("read_axis", Schedule(0, 1, words, (np.arange(1),)), is_spread=True)


def _loop(wiring: Wiring, name: str, known: dict[Hashable, Any]) -> Loop:
    """Return the loop of a process; equal ones, of which ``known`` keeps each, are one."""
    node, folding = wiring.processes[name], wiring.plan.foldings[name]
    site = site_of(wiring.graph, node)
    key = likeness(site, folding)
    if key not in known:
        is_spread = isinstance(node.op, MatVec | Depthwise | Window)
        schedule = process_schedule(site, folding)
        known[key] = Loop.of(node.op.name, schedule, is_spread=is_spread)
    found: Loop = known[key]
    return found


def _converter_loop(converter: Converter, known: dict[Hashable, Any]) -> Loop:
    """Return the loop of a converter; equal ones, of which ``known`` keeps each, are one."""
    if converter not in known:
        known[converter] = Loop.of(converter.kernel, converter_schedule(converter))
    found: Loop = known[converter]
    return found
