"""Measure engines in turn: a sweep for the best batch, then rounds in which each has its window.

What else the machine does falls on all of them alike: the order changes from round to round, and a
median over the rounds is what counts. The logits of every window are compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.peers import PEERS
from benchmarks.peers.case import NotForThis
from benchmarks.peers.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.peak import Peak
    from benchmarks.peers.case import Case
    from benchmarks.peers.expected import Expected, Verdict

# Larger batches are left out behind one that takes so many seconds, or two that are so much slower
# than the best: one may have had bad luck.
_LONGEST_CALL, _SLOWER, _ENOUGH = 1.5, 0.75, 2


@dataclass(frozen=True)
class Settings:
    """How long things are measured: ``rounds`` windows of ``seconds``."""

    rounds: int
    seconds: float
    threads: int
    batches: tuple[int, ...]


@dataclass
class Row:
    """An engine at a batch: images a second in each round, and the worst verdict."""

    engine: str
    batch: int
    rates: list[float] = field(default_factory=list)
    verdict: Verdict | None = None

    @property
    def rate(self) -> float:
        """Images a second: the median."""
        return median(self.rates)

    def add(self, rate: float, verdict: Verdict) -> None:
        """Add a window."""
        self.rates.append(rate)
        worst = self.verdict
        if worst is None or (verdict.is_right, -verdict.differing) < (
            worst.is_right,
            -worst.differing,
        ):
            self.verdict = verdict


@dataclass(frozen=True)
class Found:
    """What was measured of a network.

    ``first`` has a row an engine at batch 1, ``best`` at its best batch; ``absent`` says why an
    engine has none; ``peaks`` are the machine's, and ``layers`` what parts of the engine did, of
    each round.
    """

    case: Case
    first: Mapping[str, Row]
    best: Mapping[str, Row]
    absent: Mapping[str, str]
    peaks: Sequence[Mapping[str, float]]
    layers: Sequence[Mapping[str, float]]

    @property
    def rows(self) -> tuple[Row, ...]:
        """All of them."""
        return (*self.first.values(), *self.best.values())


def measure(
    case: Case,
    expected: Expected,
    engines: Sequence[str],
    settings: Settings,
    peak: Peak,
    layers: Callable[[float], Mapping[str, float]],
    say: Callable[[str], None],
) -> Found:
    """Measure ``engines`` on ``case``; ``layers`` measures parts in a window, ``say`` tells."""
    workers: dict[str, Worker] = {}
    absent: dict[str, str] = {}
    try:
        for name in engines:
            say(f"{case.name}: loading {name}")
            try:
                workers[name] = Worker(name, case, settings.threads)
            except NotForThis as reason:
                absent[name] = str(reason)
        best = {}
        for name in list(workers):
            say(f"{case.name}: the best batch of {name}")
            try:
                best[name] = Row(name, _best_batch(workers[name], settings))
            except NotForThis as reason:
                absent[name] = str(reason)
                del workers[name]
        first = {name: Row(name, 1) for name in workers}
        peaks, parts = [], []
        for number in range(settings.rounds):
            say(f"{case.name}: round {number + 1} of {settings.rounds}")
            turn = number % max(len(workers), 1)
            for name in [*workers][turn:] + [*workers][:turn]:
                for row in (first[name], best[name]):
                    _window(workers[name], row, expected, settings.seconds)
            peaks.append(peak.measure(settings.seconds / 10))
            parts.append(layers(settings.seconds))
        return Found(case, first, best, absent, peaks, parts)
    finally:
        for worker in workers.values():
            worker.close()


def _window(worker: Worker, row: Row, expected: Expected, seconds: float) -> None:
    found = worker.measure(row.batch, seconds)
    is_integer = PEERS[row.engine].is_integer
    row.add(found.rate, expected.compare(found.logits, is_integer=is_integer))


def _best_batch(worker: Worker, settings: Settings) -> int:
    """Return the batch with the most images a second, each in the better of two windows."""
    found, best, slower = 1, 0.0, 0
    for batch in (1, *settings.batches):
        rate = max(worker.measure(batch, settings.seconds / 4).rate for _ in range(2))
        if rate > best:
            found, best = batch, rate
        slower = slower + 1 if rate < _SLOWER * best else 0
        if slower == _ENOUGH or batch / rate > _LONGEST_CALL:
            break
    return found
