"""What computes a build: engines by their names, each from the model's inputs to its outputs."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lutloom.build import CACHE, Build, BuildError, changes
from lutloom.core.errors import LutloomWarning, RangeError
from lutloom.data import count_of, samples_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from lutloom.core.types import IntArray
    from lutloom.sim.engine.instruction_set import InstructionSet

    Values = Mapping[str, IntArray]
    Runner = Callable[[Values], Values]
    Computation = Callable[[Mapping[str, NDArray[Any]]], dict[str, NDArray[Any]]]

COMPILED_BATCH = 100


class Engine(Enum):
    """What computes the integers: they are the same.

    ``COMPILED`` is the fast one, and needs a C++ compiler when it is first used; ``REFERENCE`` is
    the specification in NumPy. ``CSIM`` is the design's own C++. ``ADVERSARIAL`` is that with FIFOs
    of the planned depths, where processes keep words back and wait at random: what stops there may
    stop in hardware.
    """

    COMPILED = "compiled"
    REFERENCE = "reference"
    CSIM = "csim"
    ADVERSARIAL = "adversarial"


def default_engine(instructions: str | None = None) -> Engine:
    """Return the compiled engine, or the reference where no compiler makes it, and warn of that.

    Raises ``RangeError`` for ``instructions`` that this machine does not have.
    """
    from lutloom.sim.engine.library import load_kernels
    from lutloom.sim.toolchain import CSimError

    try:
        load_kernels(instructions_named(instructions))
    except CSimError as error:
        reason = str(error).splitlines()[0].rstrip(":")
        notice = f"{reason}; until then NumPy computes the same, more slowly"
        warnings.warn(notice, LutloomWarning, stacklevel=3)
        return Engine.REFERENCE
    return Engine.COMPILED


def computation(
    build: Build,
    engine: Engine,
    *,
    seed: int = 0,
    threads: int | None = None,
    instructions: str | None = None,
) -> Computation:
    """Return the function from the model's inputs ``[N, ...]`` to its outputs, both by their names.

    ``seed`` is for the adversarial engine, the cores and the ``instructions``, by their name, for
    the compiled one. Raises a ``LutloomError`` where the engine can't be made: without a compiler,
    say.
    """
    network = build.network
    if engine is Engine.COMPILED:
        from lutloom.simulator import compiled_simulator

        return compiled_simulator(network, threads=threads, instructions=instructions).run
    run = runner(build, engine, seed, threads=threads, instructions=instructions)
    return lambda images: network.decode_all(run(network.encode_all(images)))


def runner(
    build: Build,
    engine: Engine,
    seed: int,
    *,
    threads: int | None = None,
    instructions: str | None = None,
) -> Runner:
    """Return the function from the graph's inputs to its outputs that ``engine`` computes.

    Takes and raises what ``computation`` does.
    """
    from lutloom.sim.reference import run

    graph = build.network.graph
    if engine is Engine.COMPILED:
        from lutloom.sim.engine import make_engine

        chosen = instructions_named(instructions)
        return make_engine(graph, threads=threads, instructions=chosen).run
    if instructions is not None:
        raise RangeError(
            f"the {engine.value} engine uses no vectors: leave the instructions out, or use the"
            " compiled one"
        )
    if engine is Engine.REFERENCE:
        return lambda x: run(graph, x, wanted=graph.outputs, trusts_types=True)
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

    def compiled(x: Values) -> Values:
        found = simulation.run_all(x, adversary=adversary)
        twins = zip(build.processes.outputs, graph.outputs, strict=True)
        return {twin: found[name] for name, twin in twins}

    return _in_batches(compiled)


def instructions_named(name: str | None) -> InstructionSet:
    """Return the instruction set ``name``, by default the widest one.

    Raises ``RangeError`` if this machine has none of that name.
    """
    from lutloom.sim.engine.instruction_set import available

    if name is None:
        return available()[-1]
    for instructions in available():
        if instructions.value == name:
            return instructions
    known = ", ".join(instructions.value for instructions in available())
    raise RangeError(f"this machine has no instructions '{name}': use one of {known}")


def _in_batches(run: Runner) -> Runner:
    """Return ``run`` over a batch at a time: C++ that runs can't be interrupted."""
    import numpy as np

    def run_batches(x: Values) -> Values:
        starts = range(0, max(count_of(x), 1), COMPILED_BATCH)
        parts = [run(samples_of(x, slice(start, start + COMPILED_BATCH))) for start in starts]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    return run_batches


def cache_of(build: Build) -> Path | None:
    """Return the directory for the compiled C++ of ``build``; None if it can't be written."""
    cache = build.directory / CACHE
    place = cache if cache.exists() else build.directory
    return cache if place.is_dir() and os.access(place, os.W_OK) else None
