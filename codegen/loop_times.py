"""When the iterations of a loop begin, and when its words are read and written.

A loop is what a process or a converter does for an image, in the timetable by which FIFOs get their
depths (:mod:`lutloom.codegen.fifos`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from lutloom.codegen.timing import PESSIMISTIC

if TYPE_CHECKING:
    from lutloom.codegen.schedules import Schedule
    from lutloom.core.types import IntArray

# What is spread over the interval takes that share of it: with less FIFOs grow, and with no rest a
# process that has waited never catches up, so that its FIFOs grow, too.
_SPREAD = (15, 16)
_TRANSIT = 1 + PESSIMISTIC.fifo_latency


@dataclass(frozen=True, eq=False)
class Written:
    """When the words of a stream are written by a process without a pipeline, at the ``first``.

    ``there`` is when they can be read behind a pipeline and the FIFO, at the latest.
    """

    first: IntArray
    there: IntArray

    def later(self, cycles: int) -> Written:
        """Return the times of words that come ``cycles`` later."""
        return Written(self.first + cycles, self.there + cycles) if cycles else self


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
class Loop:
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
    def of(kind: str, schedule: Schedule, *, is_spread: bool = False) -> Loop:
        """Return the loop of a kernel, ``kind``, with ``schedule``."""
        taken, given = schedule.places[: schedule.reads], schedule.places[schedule.reads :]
        return Loop(kind, schedule.period, schedule.repeats, taken, taken, given, is_spread)

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
    ) -> tuple[list[IntArray], list[Written]]:
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
        return reads, [Written(*pair) for pair in zip(firsts, lasts, strict=True)]

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


def joined(window: Loop, product: Loop, turns: int) -> Loop | None:
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
    wanted = shifted(np.maximum(takes - window.stages, 0))
    # While the product works at the last vector, the next image begins to come in.
    behind = max(window.iterations - 1 - int(last[-1]), idle - int(first[0]))
    end = int(last[-1] + shifts[-1]) + 1
    takes = shifted(takes)
    return Loop(product.kind, end + behind, 1, (wanted,), (takes,), (writes,), is_spread=True)
