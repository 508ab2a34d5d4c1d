"""The compiled engine: the same integers as the reference, as fast as the machine has them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lutloom.sim.engine.executable import Executable, make_executable
from lutloom.sim.engine.instruction_set import InstructionSet, available
from lutloom.sim.engine.kernels import LOWERINGS
from lutloom.sim.engine.library import load_kernels
from lutloom.sim.engine.planner import plan_program
from lutloom.sim.reference import check

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lutloom.core.graph import Graph
    from lutloom.core.types import IntArray

_IMAGES = 16


@dataclass(frozen=True, eq=False)
class Engine:
    """A graph, ready to run."""

    graph: Graph
    instructions: InstructionSet
    threads: int
    image_by_image: Executable

    def run(self, inputs: Mapping[str, IntArray]) -> dict[str, IntArray]:
        """Return the graph's outputs ``[batch, *shape]``, int64, for ``inputs`` of that form.

        Raises ``RangeError`` for inputs that are not of their types, naming the position.
        """
        program = self.image_by_image.program
        given = {name: check(name, inputs[name], t) for name, t in self.graph.inputs.items()}
        images = len(next(iter(given.values())))
        stored = {port.value: port.storage.encode(given[port.value]) for port in program.inputs}
        found = self.image_by_image.run(stored, images, self.threads)
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
    library = load_kernels(chosen, compiler)
    cores = len(os.sched_getaffinity(0))
    return Engine(graph, chosen, threads or cores, make_executable(program, library))
