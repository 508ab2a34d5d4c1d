"""The compiled engine: the same integers as the reference, as fast as the machine has them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lutloom.sim.engine.executable import Executable, make_executable
from lutloom.sim.engine.instruction_set import InstructionSet, available
from lutloom.sim.engine.kernels import LOWERINGS
from lutloom.sim.engine.library import load_kernels
from lutloom.sim.engine.planner import plan_in_planes, plan_program
from lutloom.sim.reference import check

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lutloom.core.graph import Graph
    from lutloom.core.types import IntArray

_IMAGES = 16
_WORTH = 4
"""A block in planes takes as long as one of so many parts of its images, image by image."""


@dataclass(frozen=True, eq=False)
class Engine:
    """A graph, ready to run."""

    graph: Graph
    instructions: InstructionSet
    threads: int
    image_by_image: Executable
    in_planes: Executable | None
    """The same in planes, where that is faster for many images."""

    def run(self, inputs: Mapping[str, IntArray]) -> dict[str, IntArray]:
        """Return the graph's outputs ``[batch, *shape]``, int64, for ``inputs`` of that form.

        Raises ``RangeError`` for inputs that are not of their types, naming the position.
        """
        import numpy as np

        given = {name: check(name, inputs[name], t) for name, t in self.graph.inputs.items()}
        images = len(next(iter(given.values())))
        parts = [
            self._run_part(executable, {name: x[part] for name, x in given.items()})
            for executable, part in self._parts(images)
        ]
        if len(parts) == 1:
            return parts[0]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _parts(self, images: int) -> tuple[tuple[Executable, slice], ...]:
        """Return what computes which of ``images`` images.

        Blocks in planes take as long with fewer images: a rest of few is computed one by one.
        """
        if self.in_planes is None:
            return ((self.image_by_image, slice(images)),)
        block = self.in_planes.program.block
        rest = images % block
        sliced = images - rest if rest * _WORTH < block else images
        cuts = ((self.in_planes, slice(sliced)), (self.image_by_image, slice(sliced, images)))
        if sliced == images:
            return cuts[:1]
        return cuts if sliced else cuts[1:]

    def _run_part(
        self, executable: Executable, given: Mapping[str, IntArray]
    ) -> dict[str, IntArray]:
        program = executable.program
        images = len(next(iter(given.values())))
        stored = {port.value: port.storage.encode(given[port.value]) for port in program.inputs}
        threads = self.threads
        if executable is self.in_planes:
            threads = min(threads, -(-images // program.block))
        found = executable.run(stored, images, threads)
        return {port.value: port.storage.decode(found[port.value]) for port in program.outputs}


def make_engine(
    graph: Graph,
    *,
    instructions: InstructionSet | None = None,
    threads: int | None = None,
    compiler: str | None = None,
) -> Engine:
    """Return an engine for ``graph``.

    ``instructions`` are the widest of this machine by default, ``threads`` as many as it has cores.
    Raises ``CSimError`` where the kernels can't be compiled.
    """
    chosen = instructions or available()[-1]
    program = plan_program(graph, chosen, LOWERINGS, images=_IMAGES)
    sliced = plan_in_planes(graph, chosen, LOWERINGS)
    library = load_kernels(chosen, compiler)
    return Engine(
        graph,
        chosen,
        threads or len(os.sched_getaffinity(0)),
        make_executable(program, library),
        None if sliced is None else make_executable(sliced, library),
    )
