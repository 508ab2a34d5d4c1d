"""What runs in bounded time and memory, however bad its input is."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

needs_proc = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")


class LateError(BaseException):
    """It took too long; nothing but a test's end catches it."""


@contextmanager
def bounded(seconds: int = 20, memory: int = 2**30) -> Iterator[None]:
    """Let what runs inside take no longer, and no more bytes than are taken already and these."""

    def late(*_: object) -> None:
        raise LateError(f"more than {seconds} s")

    taken = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limits = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGALRM, late)
    resource.setrlimit(resource.RLIMIT_AS, (taken * resource.getpagesize() + memory, limits[1]))
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, limits)
