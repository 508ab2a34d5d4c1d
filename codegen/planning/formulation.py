"""A graph as a problem in numbers: what processes may be, and what stands on their streams.

All that ``costs.design`` counts is here, process by process and stream by stream, FIFOs being as
deep as those that a plan does not name; but for the tokens of TLAST, a few look-up tables a unit.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING

from lutloom.codegen.costs.resources import Resources
from lutloom.codegen.folding import check_folding
from lutloom.codegen.planning.options import options, shapes
from lutloom.codegen.planning.problem import Link, Problem, Variable
from lutloom.codegen.planning.streams import Crossing, Place, crossing, crossing_cycles
from lutloom.codegen.streams import processes_of, site_of, streams_of
from lutloom.codegen.units import cut
from lutloom.core.plan import Folding

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lutloom.boards.device import Device
    from lutloom.codegen.kernels import Site
    from lutloom.codegen.streams import Stream
    from lutloom.core.graph import Graph
    from lutloom.core.types import IntArray


@dataclass(frozen=True, eq=False)
class Pool:
    """The options of a process: what each takes, the widths of its words, and its cycles.

    ``costs [options, resources]``, ``widths [options, ports]``, ``cycles [options]``.
    """

    foldings: tuple[Folding, ...]
    costs: IntArray
    widths: IntArray
    cycles: IntArray

    def where(self, kept: IntArray) -> Pool:
        """Return the options ``kept``, in that order."""
        foldings = tuple(self.foldings[option] for option in kept.tolist())
        return Pool(foldings, self.costs[kept], self.widths[kept], self.cycles[kept])


@dataclass(frozen=True, eq=False)
class Model:
    """A problem, and what its numbers stand for."""

    problem: Problem
    names: tuple[str, ...]
    foldings: tuple[tuple[Folding, ...], ...]
    word_bits: tuple[int, ...]

    def foldings_of(self, options: Sequence[int]) -> dict[str, Folding]:
        """Return the folding of each process by the number of its option."""
        pairs = zip(self.names, self.foldings, options[:-1], strict=True)
        return {name: foldings[option] for name, foldings, option in pairs}

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

    @cached_property
    def sites(self) -> dict[str, Site]:
        """The processes by name, in order."""
        return {n: site_of(self.graph, node) for n, node in processes_of(self.graph).items()}

    @cached_property
    def streams(self) -> tuple[Stream, ...]:
        """The streams, in the order in which they are read."""
        return streams_of(self.graph)

    @cached_property
    def shapes(self) -> dict[str, tuple[IntArray, IntArray]]:
        """The widths ``[shapes, ports]`` and cycles ``[shapes]`` of each process.

        Raises ``PlanError`` for a process that is beyond the limits however it is folded.
        """
        import numpy as np

        found = {}
        for name, site in self.sites.items():
            made = tuple(shapes(site))
            if not made:
                check_folding(name, site, Folding())
            _, widths, cycles = zip(*made, strict=True)
            found[name] = np.array(widths, np.int64), np.array(cycles, np.int64)
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

    def crossing(self, stream: Stream, written: int, read: int) -> Crossing | None:
        """Return what ``stream`` takes with words of these widths; None if they are not legal."""
        place, frame = self.place(stream), stream.tensor.size * stream.tensor.element.bits
        key = place, frame, written, read
        if key not in self._crossings:
            self._crossings[key] = crossing(*key, self.device)
        return self._crossings[key]

    def pool(self, name: str, cycles: int) -> Pool:
        """Return what the process ``name`` may be within ``cycles``."""
        import numpy as np

        known = self._pools.get(name)
        if known is None or known[0] < cycles:
            found = tuple(options(self.sites[name], self.device, cycles))
            ports = self.shapes[name][0].shape[1]  # also where there is no option
            costs = [option.costs for option in found]
            pool = Pool(
                tuple(option.folding for option in found),
                np.array(costs, np.int64).reshape(-1, len(fields(Resources))),
                np.array([option.widths for option in found], np.int64).reshape(-1, ports),
                np.array([option.cycles for option in found], np.int64),
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
            place, frame = self.place(stream), stream.tensor.size * stream.tensor.element.bits
            cycles = {crossing_cycles(place, frame, w, r) for w in written for r in read}
            name = f"{stream.source or 'the input'} -> {stream.target or 'the output'}"
            found[stream.value] = name, frozenset(c for c in cycles if c is not None)
        return found

    def _words(self, stream: Stream, *, writes: bool) -> tuple[int, ...]:
        name, port = self.end(stream, writes=writes)
        if name is None:
            return self.word_bits
        return tuple(set(self.shapes[name][0][:, port].tolist()))

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
    words: dict[tuple[str | None, int], tuple[int, ...]] = field(default_factory=dict)

    def add(self, name: str) -> bool:
        """Add a process; return whether it can be anything at all."""
        import numpy as np

        pool = self.formulation.pool(name, self.cycles)
        pool = pool.where(np.flatnonzero(~pool.costs[:, self.absent].any(axis=1)))
        columns = [np.unique(column, return_inverse=True) for column in pool.widths.T]
        order = np.lexsort([inverse for _, inverse in reversed(columns)])
        kept = order[~_needless(pool.widths[order], pool.costs[order])]
        self.pools[name] = pool.where(kept)
        values: dict[int, IntArray] = {}
        known: dict[bytes, int] = {}
        for port, (words, inverse) in enumerate(columns):
            column = inverse[kept]
            handle = known.setdefault(column.tobytes(), len(self.sizes))
            self.handles[name, port] = handle
            self.sizes[handle] = len(words)
            self.words[name, port] = tuple(words.tolist())
            values[handle] = column
        self.variables.append(Variable(self.pools[name].costs, values))
        return len(kept) > 0

    def add_border(self) -> None:
        """Add what stands for the border of the graph: the width of its ports."""
        import numpy as np

        words = self.formulation.word_bits
        handle = self.handles[_BORDER] = len(self.sizes)
        self.sizes[handle], self.words[_BORDER] = len(words), words
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
        costs = np.zeros((len(written), len(read), len(self.absent)), np.int64)
        legal = np.zeros((len(written), len(read)), np.bool_)
        for i, bits in enumerate(written):
            for j, wanted in enumerate(read):
                crossed = self.formulation.crossing(stream, bits, wanted)
                if crossed is not None and crossed.cycles <= self.cycles:
                    costs[i, j] = crossed.costs
                    legal[i, j] = not costs[i, j, self.absent].any()
        self.links.append(Link(self.handles[writer], self.handles[reader], costs, legal))

    def model(self) -> Model:
        """Return what was made."""
        problem = Problem(tuple(self.variables), tuple(self.links), self.sizes)
        foldings = tuple(pool.foldings for pool in self.pools.values())
        return Model(problem, tuple(self.pools), foldings, self.formulation.word_bits)


def _needless(widths: IntArray, costs: IntArray) -> NDArray[np.bool_]:
    """Return which options take no less of anything than another one with the same ``widths``.

    Those of the same widths lie side by side; of equal ones the first is kept.
    """
    import numpy as np

    count = len(costs)
    needless = np.zeros(count, np.bool_)
    for distance in range(1, count):
        same = (widths[distance:] == widths[:-distance]).all(axis=1)
        if not same.any():
            break
        first, second = costs[:-distance], costs[distance:]
        behind = same & (second >= first).all(axis=1)
        needless[distance:] |= behind
        needless[:-distance] |= same & ~behind & (first >= second).all(axis=1)
    return needless
