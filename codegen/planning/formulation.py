"""A graph as a problem in numbers: what processes may be, and what stands on their streams.

All that ``costs.design`` counts is here, process by process and stream by stream, FIFOs being as
deep as those that a plan does not name; but for the tokens of TLAST, a few look-up tables a unit.
Where channels may be added, a process has options for each number of them, what its neighbours see
of a port is the width of words and how many channels there are, and both ends have to agree.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING

from lutloom.codegen.costs.resources import Resources
from lutloom.codegen.folding import check_folding
from lutloom.codegen.padding import transfers
from lutloom.codegen.planning.options import options, shapes
from lutloom.codegen.planning.problem import Link, Problem, Variable
from lutloom.codegen.planning.streams import Crossing, Place, crossing, crossing_cycles
from lutloom.codegen.planning.variants import Variants
from lutloom.codegen.streams import streams_of
from lutloom.codegen.units import cut
from lutloom.core.plan import Folding

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lutloom.boards.device import Device
    from lutloom.codegen.kernels import Site
    from lutloom.codegen.streams import Stream
    from lutloom.core.graph import Graph
    from lutloom.core.types import IntArray

_WIDTH_BITS = 13


@dataclass(frozen=True, eq=False)
class Pool:
    """The options of a process: what each takes, the words at its ports, and its cycles.

    ``costs [options, resources]``, ``words [options, ports]``, ``cycles [options]``, and
    ``variants [options]``, by number.
    """

    foldings: tuple[Folding, ...]
    costs: IntArray
    words: IntArray
    cycles: IntArray
    variants: IntArray

    def where(self, kept: IntArray) -> Pool:
        """Return the options ``kept``, in that order."""
        foldings = tuple(self.foldings[option] for option in kept.tolist())
        arrays = (self.costs, self.words, self.cycles, self.variants)
        return Pool(foldings, *(array[kept] for array in arrays))


def _word(bits: int, channels: int) -> int:
    """Return a number for words of ``bits`` bits, at most 4096, of so many ``channels``."""
    return channels << _WIDTH_BITS | bits


@dataclass(frozen=True, slots=True)
class Word:
    """What stands at a port: words of ``bits`` bits, of a value of so many ``channels``.

    None are those of the graph's ports, which fill up what they don't have; 0 are the model's.
    """

    bits: int
    channels: int | None

    @staticmethod
    def of(number: int) -> Word:
        """Return the inverse of ``_word``."""
        return Word(number & ((1 << _WIDTH_BITS) - 1), number >> _WIDTH_BITS)


@dataclass(frozen=True, eq=False)
class Model:
    """A problem, and what its numbers stand for."""

    problem: Problem
    names: tuple[str, ...]
    foldings: tuple[tuple[Folding, ...], ...]
    added: tuple[tuple[Mapping[str, int], ...], ...]
    word_bits: tuple[int, ...]

    def foldings_of(self, options: Sequence[int]) -> dict[str, Folding]:
        """Return the folding of each process by the number of its option."""
        pairs = zip(self.names, self.foldings, options[:-1], strict=True)
        return {name: foldings[option] for name, foldings, option in pairs}

    def channels_of(self, options: Sequence[int]) -> dict[str, int]:
        """Return the groups with more channels than the model's by name, and how many."""
        pairs = zip(self.added, options[:-1], strict=True)
        return {name: count for added, o in pairs for name, count in added[o].items()}

    def word_bits_of(self, options: Sequence[int]) -> int:
        """Return the width of the ports: what the last variable is."""
        return self.word_bits[options[-1]]


@dataclass(frozen=True, eq=False)
class Formulation:
    """A graph and a device, with what was computed for one number of cycles kept for the next.

    ``word_bits`` are the widths that the design's ports may have.
    """

    graph: Graph
    device: Device
    word_bits: tuple[int, ...]
    _pools: dict[str, tuple[int, Pool]] = field(default_factory=dict)
    _crossings: dict[tuple[Place, int, int, int], Crossing | None] = field(default_factory=dict)
    _pairs: dict[Hashable, tuple[IntArray, IntArray]] = field(default_factory=dict)

    @cached_property
    def variants(self) -> Variants:
        """What processes may be with more channels."""
        return Variants(self.graph)

    @cached_property
    def sites(self) -> dict[str, Site]:
        """The processes by name, in order, as the model gives them."""
        return {name: variants[0].site for name, variants in self.variants.of.items()}

    @cached_property
    def streams(self) -> tuple[Stream, ...]:
        """The streams, in the order in which they are read."""
        return streams_of(self.graph)

    @cached_property
    def shapes(self) -> dict[str, tuple[IntArray, IntArray]]:
        """The words ``[shapes, ports]`` and cycles ``[shapes]`` of each process.

        Raises ``PlanError`` for a process that is beyond the limits however it is folded.
        """
        import numpy as np

        found = {}
        for name, variants in self.variants.of.items():
            made = [
                (tuple(map(_word, widths, variant.channels)), cycles)
                for variant in variants
                for _, widths, cycles in shapes(variant.site)
            ]
            if not made:
                check_folding(name, self.sites[name], Folding())
            words, cycles = zip(*made, strict=True)
            found[name] = np.array(words, np.int64), np.array(cycles, np.int64)
        return found

    def place(self, stream: Stream) -> Place:
        """Return where ``stream`` lies."""
        if stream.source is None:
            return Place.ENTRY
        if stream.target is None:
            return Place.EXIT
        is_inner = self._units[stream.source] == self._units[stream.target]
        return Place.INNER if is_inner else Place.BETWEEN

    @cached_property
    def _units(self) -> dict[str, int]:
        return {name: unit for unit, group in enumerate(cut(self.graph)) for name in group}

    def crossing(self, stream: Stream, written: Word, read: Word) -> Crossing | None:
        """Return what ``stream`` takes with words such as these; None if they are not legal."""
        frame = self._frame(stream, written, read)
        if frame is None:
            return None
        key = self.place(stream), frame, written.bits, read.bits
        if key not in self._crossings:
            self._crossings[key] = crossing(*key, self.device)
        return self._crossings[key]

    def crossings(
        self, stream: Stream, written: tuple[Word, ...], read: tuple[Word, ...]
    ) -> tuple[IntArray, IntArray]:
        """Return what ``stream`` takes with each of these words, and how many cycles, or -1.

        ``[written, read, resources]`` and ``[written, read]``; equal streams share both.
        """
        import numpy as np

        counts = sorted({word.channels for word in (*written, *read) if word.channels is not None})
        sizes = stream.tensor.size, *(self._size(stream, count) for count in counts)
        key = self.place(stream), stream.tensor.element.bits, sizes, written, read
        if key not in self._pairs:
            costs = np.zeros((len(written), len(read), len(fields(Resources))), np.int64)
            cycles = np.full((len(written), len(read)), -1, np.int64)
            for i, word in enumerate(written):
                for j, wanted in enumerate(read):
                    crossed = self.crossing(stream, word, wanted)
                    if crossed is not None:
                        costs[i, j], cycles[i, j] = crossed.costs, crossed.cycles
            self._pairs[key] = costs, cycles
        return self._pairs[key]

    def _size(self, stream: Stream, channels: int) -> int:
        """Return how many elements an image on ``stream`` has with so many channels."""
        if channels == 0:
            return stream.tensor.size
        return stream.tensor.size // self.variants.channels_of(stream.value) * channels

    def _frame(self, stream: Stream, written: Word, read: Word) -> int | None:
        """Return the bits of an image on ``stream``; None if its ends don't agree on that."""
        bits = stream.tensor.element.bits
        count = read.channels if written.channels is None else written.channels
        if read.channels is not None and read.channels != count:
            return None
        wide = 0 if count is None else self._size(stream, count)
        for word in (written, read):
            if word.channels is None:
                size = stream.tensor.size
                if transfers(wide, bits, word.bits) > transfers(size, bits, word.bits):
                    return None
        return wide * bits

    def pool(self, name: str, cycles: int) -> Pool:
        """Return what the process ``name`` may be within ``cycles``."""
        import numpy as np

        known = self._pools.get(name)
        if known is None or known[0] < cycles:
            found = [
                (option, number, tuple(map(_word, option.widths, variant.channels)))
                for number, variant in enumerate(self.variants.of[name])
                for option in options(variant.site, self.device, cycles)
            ]
            ports = self.shapes[name][0].shape[1]  # also where there is no option
            costs = [option.costs for option, _, _ in found]
            pool = Pool(
                tuple(option.folding for option, _, _ in found),
                np.array(costs, np.int64).reshape(-1, len(fields(Resources))),
                np.array([words for _, _, words in found], np.int64).reshape(-1, ports),
                np.array([option.cycles for option, _, _ in found], np.int64),
                np.array([number for _, number, _ in found], np.int64),
            )
            known = self._pools[name] = cycles, pool
        pool = known[1]
        return pool.where(np.flatnonzero(pool.cycles <= cycles))

    def model(self, cycles: int, present: Sequence[bool]) -> Model | None:
        """Return the problem of planning for ``cycles``; None if something can't be as fast.

        ``present`` says of which resources, in their order, anything may be taken.
        """
        import numpy as np

        making = _Making(self, cycles, ~np.array(present, np.bool_))
        if cycles < self.fewest_cycles[1] or not all(making.add(name) for name in self.sites):
            return None
        making.add_border()
        for stream in self.streams:
            making.link(stream)
        return making.model()

    @cached_property
    def _stream_cycles(self) -> dict[str, tuple[str, frozenset[int]]]:
        """Of each stream what it is, and the cycles that it may take, by its value."""
        found = {}
        for stream in self.streams:
            written, read = self._words(stream, writes=True), self._words(stream, writes=False)
            place = self.place(stream)
            cycles = {
                crossing_cycles(place, frame, w.bits, r.bits)
                for w in written
                for r in read
                for frame in [self._frame(stream, w, r)]
                if frame is not None
            }
            name = f"{stream.source or 'the input'} -> {stream.target or 'the output'}"
            found[stream.value] = name, frozenset(c for c in cycles if c is not None)
        return found

    def _words(self, stream: Stream, *, writes: bool) -> tuple[Word, ...]:
        name, port = self.end(stream, writes=writes)
        if name is None:
            return tuple(Word(bits, None) for bits in self.word_bits)
        return tuple(map(Word.of, set(self.shapes[name][0][:, port].tolist())))

    def end(self, stream: Stream, *, writes: bool) -> tuple[str | None, int]:
        """Return the process at one end of ``stream``, and the place of the port among its own."""
        name = stream.source if writes else stream.target
        if name is None:
            return None, 0
        if not writes:
            return name, stream.target_port
        return name, len(self.sites[name].inputs) + stream.source_port

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """All numbers of cycles that something in a plan may take, ascending."""
        found = {0}.union(*(cycles for _, cycles in self._stream_cycles.values()))
        for _, cycles in self.shapes.values():
            found.update(cycles.tolist())
        return tuple(sorted(found))

    @cached_property
    def fewest_cycles(self) -> tuple[str, int]:
        """What takes most cycles where all is as fast as it can be by itself, and how many.

        It is a process, or a stream between two, or between one and a port.
        """
        found = {name: int(cycles.min()) for name, (_, cycles) in self.shapes.items()}
        found |= {name: min(cycles) for name, cycles in self._stream_cycles.values()}
        name = max(found, key=lambda name: found[name])
        return name, found[name]


_BORDER = (None, 0)


@dataclass(eq=False)
class _Making:
    """A model in the making: handles are numbered as processes are added."""

    formulation: Formulation
    cycles: int
    absent: NDArray[np.bool_]
    pools: dict[str, Pool] = field(default_factory=dict)
    variables: list[Variable] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    sizes: dict[int, int] = field(default_factory=dict)
    handles: dict[tuple[str | None, int], int] = field(default_factory=dict)
    words: dict[tuple[str | None, int], tuple[Word, ...]] = field(default_factory=dict)

    def add(self, name: str) -> bool:
        """Add a process; return whether it can be anything at all."""
        import numpy as np

        pool = self.formulation.pool(name, self.cycles)
        pool = pool.where(np.flatnonzero(~pool.costs[:, self.absent].any(axis=1)))
        columns = [np.unique(column, return_inverse=True) for column in pool.words.T]
        order = np.lexsort([inverse for _, inverse in reversed(columns)])
        kept = order[~_needless(pool.words[order], pool.costs[order])]
        self.pools[name] = pool.where(kept)
        values: dict[int, IntArray] = {}
        known: dict[bytes, int] = {}
        for port, (words, inverse) in enumerate(columns):
            column = inverse[kept]
            handle = known.setdefault(column.tobytes(), len(self.sizes))
            self.handles[name, port] = handle
            self.sizes[handle] = len(words)
            self.words[name, port] = tuple(map(Word.of, words.tolist()))
            values[handle] = column
        self.variables.append(Variable(self.pools[name].costs, values))
        return len(kept) > 0

    def add_border(self) -> None:
        """Add what stands for the border of the graph: the width of its ports."""
        import numpy as np

        words = self.formulation.word_bits
        handle = self.handles[_BORDER] = len(self.sizes)
        self.sizes[handle] = len(words)
        self.words[_BORDER] = tuple(Word(bits, None) for bits in words)
        costs = np.zeros((len(words), len(self.absent)), np.int64)
        self.variables.append(Variable(costs, {handle: np.arange(len(words))}))

    def link(self, stream: Stream) -> None:
        """Add a stream; one from the border to the border costs the same in all plans."""
        import numpy as np

        writer = self.formulation.end(stream, writes=True)
        reader = self.formulation.end(stream, writes=False)
        if writer == reader:
            return
        written, read = self.words[writer], self.words[reader]
        costs, cycles = self.formulation.crossings(stream, written, read)
        is_possible = (cycles >= 0) & (cycles <= self.cycles)
        costs = costs * is_possible[:, :, np.newaxis]
        legal = is_possible & ~costs[:, :, self.absent].any(axis=2)
        self.links.append(Link(self.handles[writer], self.handles[reader], costs, legal))

    def model(self) -> Model:
        """Return what was made."""
        problem = Problem(tuple(self.variables), tuple(self.links), self.sizes)
        foldings = tuple(pool.foldings for pool in self.pools.values())
        variants = self.formulation.variants.of
        added = tuple(
            tuple(variants[name][number].added for number in pool.variants.tolist())
            for name, pool in self.pools.items()
        )
        return Model(problem, tuple(self.pools), foldings, added, self.formulation.word_bits)


def _needless(words: IntArray, costs: IntArray) -> NDArray[np.bool_]:
    """Return which options take no less of anything than another one with the same ``words``.

    Those of the same widths lie side by side; of equal ones the first is kept.
    """
    import numpy as np

    count = len(costs)
    needless = np.zeros(count, np.bool_)
    for distance in range(1, count):
        same = (words[distance:] == words[:-distance]).all(axis=1)
        if not same.any():
            break
        first, second = costs[:-distance], costs[distance:]
        behind = same & (second >= first).all(axis=1)
        needless[distance:] |= behind
        needless[:-distance] |= same & ~behind & (first >= second).all(axis=1)
    return needless
