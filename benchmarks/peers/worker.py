"""An engine in a process of its own: its threads, its memory and its crashes are nobody else's.

Processes are asked one at a time, so that engines are measured in turn, on a machine where the
others wait.
"""

from __future__ import annotations

import multiprocessing
import os
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.peers import PEERS
from benchmarks.peers.case import NotForThis, tiled

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from benchmarks.peers.case import Bound, Case, Logits

_ENDS = 10


@dataclass(frozen=True, eq=False)
class Measurement:
    """Images a second over a window of calls, and the logits of the last of them."""

    rate: float
    logits: Logits


class Worker:
    """A peer that is loaded for a case.

    Raises ``NotForThis`` where it does not run that.
    """

    def __init__(self, peer: str, case: Case, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, end = context.Pipe()
        self._process = context.Process(target=_serve, args=(end, peer, case, threads))
        self._process.start()
        end.close()
        self._answer()

    def measure(self, batch: int, seconds: float) -> Measurement:
        """Call it with ``batch`` images, again and again, for ``seconds`` or once."""
        self._connection.send((batch, seconds))
        return Measurement(*self._answer())

    def close(self) -> None:
        """End the process."""
        self._connection.close()
        self._process.join(_ENDS)
        if self._process.is_alive():
            self._process.kill()

    def _answer(self) -> Any:  # noqa: ANN401 - what the process sends
        try:
            answer = self._connection.recv()
        except EOFError:
            self.close()
            raise NotForThis(f"its process ended with {self._process.exitcode}") from None
        if isinstance(answer, NotForThis):
            self.close()
            raise answer
        return answer


def _serve(connection: Connection, peer: str, case: Case, threads: int) -> None:
    warnings.simplefilter("ignore")
    # Before anything reads it: NumPy's and torch's own pools.
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads)))
    try:
        bind, pixels = PEERS[peer].load(case, threads), case.pixels()
    except NotForThis as reason:
        connection.send(reason)
        return
    connection.send(None)
    bound: dict[int, Bound] = {}
    while True:
        try:
            batch, seconds = connection.recv()
        except EOFError:
            return
        if batch not in bound:
            bound[batch] = bind(tiled(pixels, batch))
            bound[batch]()  # what a first call allocates and plans
        calls, started = 0, time.perf_counter()
        while calls == 0 or time.perf_counter() - started < seconds:
            logits, calls = bound[batch](), calls + 1
        connection.send((calls * batch / (time.perf_counter() - started), logits))
