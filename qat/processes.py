"""The processes of a run on several devices: one each, which talk through ``torch.distributed``.

The first process of a host starts the others of that host. Hosts find each other as Lightning has
it: ``NODE_RANK``, ``MASTER_ADDR`` and ``MASTER_PORT`` in the environment of the same command on
each. A launcher that starts all processes itself (``torchrun``) sets ``LOCAL_RANK`` too.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lutloom.core.errors import LutloomError
from lutloom.qat.errors import TrainingError
from lutloom.qat.recipe import Recipe
from lutloom.qat.recipe_file import parse_recipe, print_recipe

READY = "ready\n"
"""What a process says when only the others are waited for."""

_PATIENCE_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Orders:
    """What a process needs to know to take part in a run: its recipe, folder and checkpoint."""

    recipe: Recipe
    folder: Path
    resume: Path | None


def rank(recipe: Recipe) -> int:
    """Return the number of this process among all of a run; 0 is the one that writes."""
    if "RANK" in os.environ and "LOCAL_RANK" in os.environ:
        return int(os.environ["RANK"])
    node, local = (int(os.environ.get(name, "0")) for name in ("NODE_RANK", "LOCAL_RANK"))
    return node * recipe.training.devices + local


def world(recipe: Recipe) -> int:
    """Return the number of all processes of a run."""
    return recipe.training.devices * recipe.training.nodes


@contextmanager
def other_processes(orders: Orders) -> Iterator[None]:
    """Run the other processes of this host, if they are ours to start, while the block lasts.

    Raises :class:`TrainingError` if the block fails since one of them has ended.
    """
    training = orders.recipe.training
    if world(orders.recipe) == 1 or "LOCAL_RANK" in os.environ:
        yield
        return
    if training.nodes > 1 and not {"NODE_RANK", "MASTER_ADDR", "MASTER_PORT"} <= set(os.environ):
        raise TrainingError(
            f"training.nodes is {training.nodes}, but the hosts don't know one another: set"
            " NODE_RANK (from 0), MASTER_ADDR and MASTER_PORT in the environment of each"
        )
    before = dict(os.environ)
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    os.environ.setdefault("MASTER_PORT", str(_free_port()))
    os.environ.setdefault("NODE_RANK", "0")
    others: list[tuple[subprocess.Popen[str], Path]] = []
    try:
        with tempfile.TemporaryDirectory() as logs:
            try:
                others += [
                    _started(orders, local, Path(logs) / f"{local}")
                    for local in range(1, training.devices)
                ]
                for process, log in others:
                    assert process.stdout is not None
                    if process.stdout.readline() != READY:
                        raise TrainingError(f"a process of the run has ended: {_end_of(log)}")
                os.environ["LOCAL_RANK"] = "0"
                yield
                for process, _ in others:
                    process.wait(_PATIENCE_SECONDS)
            except Exception as error:
                raise _explained(error, others) from error
            finally:
                for process, _ in others:
                    process.kill()
                    assert process.stdout is not None
                    process.stdout.close()
                    process.wait()
    finally:
        os.environ.clear()
        os.environ.update(before)


def read_orders() -> Orders:
    """Return what the process that has started this one wrote to its standard input."""
    found = json.load(sys.stdin)
    resume = found["resume"]
    return Orders(
        parse_recipe(found["recipe"], "the recipe of the run"),
        Path(found["folder"]),
        None if resume is None else Path(resume),
    )


def say_ready() -> None:
    """Tell the process that has started this one to begin."""
    sys.stdout.write(READY)
    sys.stdout.flush()


def _started(orders: Orders, local: int, log: Path) -> tuple[subprocess.Popen[str], Path]:
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "lutloom.qat.follower"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, "LOCAL_RANK": str(local)},
            # Ctrl-C is for the first one, which ends them
            start_new_session=True,
        )
    assert process.stdin is not None
    resume = None if orders.resume is None else str(orders.resume)
    text = {"recipe": print_recipe(orders.recipe), "folder": str(orders.folder), "resume": resume}
    # one that has ended by itself says so in its log
    with suppress(BrokenPipeError), process.stdin as pipe:
        json.dump(text, pipe)
    return process, log


def _explained(error: Exception, others: list[tuple[subprocess.Popen[str], Path]]) -> Exception:
    """Return the error of a process that has ended by one, or else the one that came here."""
    if isinstance(error, LutloomError):
        return error
    for local, (process, log) in enumerate(others, start=1):
        try:
            status = process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        if status:
            return TrainingError(f"process {local} of the run has ended: {_end_of(log)}")
    return error


def _end_of(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
