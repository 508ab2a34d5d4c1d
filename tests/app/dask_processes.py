"""A Dask cluster on this machine: a scheduler and workers, each a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="needs lutloom[dask]")
from distributed import Client

# What a worker's process does first, to be another worker than the others.
SOUND = ""
DIES_OF_A_SHARD = """
import os, signal, lutloom.cluster
def _computed(*_):
    os.kill(os.getpid(), signal.SIGKILL)
lutloom.cluster._computed = _computed
"""
IS_OLDER = """
import lutloom
lutloom.__version__ = "0.0.9"
"""
HAS_NO_LUTLOOM = """
import sys
sys.modules["lutloom"] = None
"""
HAS_NO_COMPILER = """
import os
os.environ["CXX"] = "no-such-compiler"
"""
# A shard that was on two workers when they died is not tried again.
_SETTINGS = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
_SECONDS = 60


@dataclass(frozen=True)
class Scheduler:
    """A scheduler that runs."""

    address: str
    process: subprocess.Popen[bytes]


@contextmanager
def scheduler(folder: Path) -> Iterator[Scheduler]:
    """Run a scheduler."""
    told = folder / "scheduler.json"
    options = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", told)
    with _process("dask_scheduler", "", *options) as process:
        while not told.exists() or not told.read_text():
            assert process.poll() is None, "the scheduler has ended"
            time.sleep(0.02)
        yield Scheduler(json.loads(told.read_text())["address"], process)


@contextmanager
def workers(
    scheduler: Scheduler, folder: Path, *kinds: str
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run a worker of each of ``kinds``; yield their processes once the scheduler knows them."""
    options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(folder)]
    with ExitStack() as stack:
        with Client(scheduler.address, set_as_default=False) as client:
            while client.nthreads():  # those of an earlier test
                time.sleep(0.02)
            found = [
                stack.enter_context(_process("dask_worker", kind, scheduler.address, *options))
                for kind in kinds
            ]
            client.wait_for_workers(len(kinds), timeout=_SECONDS)
        yield found


@contextmanager
def _process(name: str, first: str, *options: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    run = f"{first}\nfrom distributed.cli.{name} import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", run, *map(str, options)],
        env={**os.environ, **_SETTINGS},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
