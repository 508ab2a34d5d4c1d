"""``simulate``: what the hardware computes, over a data set."""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lutloom.build import CACHE, Build, BuildError, changes, load_build
from lutloom.core.files import OutputError
from lutloom.data import load_array, load_labels, save_array

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from lutloom.core.graph import Graph
    from lutloom.core.types import IntArray
    from lutloom.data import DataSource

    Runner = Callable[[IntArray], IntArray]

BATCH = 1000
COMPILED_BATCH = 100
MOST_NUMBERS = 2**26
"""Integers of 8 bytes that a batch may take."""


class Engine(Enum):
    """What computes the integers: they are the same.

    ``ADVERSARIAL`` is the C++ with FIFOs of the planned depths, where processes keep words back and
    wait at random: what stops there may stop in hardware.
    """

    REFERENCE = "reference"
    CSIM = "csim"
    ADVERSARIAL = "adversarial"


@dataclass(frozen=True, eq=False)
class Simulation:
    """The model's outputs ``[N, ...]``, and how many of ``N`` labels their largest one meets."""

    outputs: NDArray[Any]
    correct: int | None
    seconds: float

    @property
    def accuracy(self) -> float | None:
        """Share of the images whose label was met, 0 to 1; None without labels or images."""
        if self.correct is None or len(self.outputs) == 0:
            return None
        return self.correct / len(self.outputs)


def simulate(
    build: str | Path | Build,
    data: DataSource,
    *,
    labels: DataSource | None = None,
    output: str | Path | None = None,
    engine: Engine = Engine.REFERENCE,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> Simulation:
    """Run ``build`` over ``data [N, ...]``: what the QONNX model takes; its outputs come back.

    ``data``, ``labels`` and ``output`` are .npy files; the first two may be arrays. ``engine``
    says what computes; ``seed`` is for the adversarial one. ``on_progress`` is called with the
    images done and all of them.

    Raises a ``LutloomError`` for a directory that is no build, for data that do not fit, and for a
    design that stops because its FIFOs are too short.
    """
    import numpy as np

    started = time.perf_counter()
    loaded = build if isinstance(build, Build) else load_build(build)
    network = loaded.network
    images = load_array(data, "data")
    # Data of a wrong shape are named before anything is compiled.
    network.named(images)
    truth = None if labels is None else load_labels(labels, len(images))
    if output is not None and not Path(output).parent.is_dir():
        raise OutputError(f"{output} can't be written: {Path(output).parent} is no directory")
    for source in (data, labels):
        if output is not None and isinstance(source, str | Path) and _is_file(output, source):
            raise OutputError(f"{output} is the input itself: write the outputs to another file")
    run = runner(loaded, engine, seed)
    outputs = []
    size = images_at_once(network.graph, most=BATCH)
    for start in range(0, max(len(images), 1), size):
        batch = images[start : start + size]
        outputs.append(network.decode(run(network.encode(batch))))
        if on_progress is not None:
            on_progress(min(start + size, len(images)), len(images))
    whole = np.concatenate(outputs)
    if output is not None:
        save_array(Path(output), whole)
    correct = None if truth is None else int((classes(whole) == truth).sum())
    return Simulation(whole, correct, time.perf_counter() - started)


def _is_file(output: str | Path, source: str | Path) -> bool:
    """Return whether both are one file, by whatever path."""
    return Path(output).exists() and Path(output).samefile(source)


def runner(build: Build, engine: Engine, seed: int = 0) -> Runner:
    """Return the function from the graph's input to its output that ``engine`` computes."""
    from lutloom.sim.reference import run

    graph = build.network.graph
    if engine is Engine.REFERENCE:
        (name,) = graph.inputs
        (output,) = graph.outputs
        return lambda x: run(graph, {name: x}, wanted=(output,))[output]
    from lutloom.sim.csim import build as build_simulation

    for file in changes(build.directory).sources:
        if file.startswith("hls/"):  # scripts and texts compute nothing
            raise BuildError(
                f"{build.directory / file} was changed since it was compiled: `lutloom verify`"
                " says whether it still computes the same; compile the model again to simulate it"
            )
    adversary = seed if engine is Engine.ADVERSARIAL else None
    simulation = build_simulation(
        build.directory, bounded=adversary is not None, cache=cache_of(build)
    )
    return in_batches(lambda x: simulation.run(x, adversary=adversary))


def images_at_once(*graphs: Graph, most: int) -> int:
    """Return for how many images all values of ``graphs`` fit in memory: from 1 to ``most``."""
    numbers = sum(type_.size for graph in graphs for type_ in graph.types.values())
    return max(1, min(most, MOST_NUMBERS // max(numbers, 1)))


def in_batches(run: Runner) -> Runner:
    """Return ``run`` over a batch at a time: C++ that runs can't be interrupted."""
    import numpy as np

    def run_batches(x: IntArray) -> IntArray:
        starts = range(0, max(len(x), 1), COMPILED_BATCH)
        return np.concatenate([run(x[start : start + COMPILED_BATCH]) for start in starts])

    return run_batches


def cache_of(build: Build) -> Path | None:
    """Return the directory for the compiled C++ of ``build``; None if it can't be written."""
    cache = build.directory / CACHE
    place = cache if cache.exists() else build.directory
    return cache if place.is_dir() and os.access(place, os.W_OK) else None


def classes(outputs: NDArray[Any]) -> NDArray[Any]:
    """Return the class of each image: the largest output (the lowest of equal ones), or the index
    that the model itself gives.
    """
    import numpy as np

    rows = outputs.reshape(len(outputs), math.prod(outputs.shape[1:]))
    if outputs.dtype.kind == "i":
        return np.asarray(rows[:, 0])
    return np.asarray(rows.argmax(axis=1))
