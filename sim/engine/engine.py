"""The compiled engine: the same integers as the reference, as fast as the machine has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

from lutloom.sim.engine.executable import Executable, make_executable
from lutloom.sim.engine.instruction_set import InstructionSet, available
from lutloom.sim.engine.kernels import LOWERINGS
from lutloom.sim.engine.library import load_kernels
from lutloom.sim.engine.planner import plan_in_planes, plan_program
from lutloom.sim.reference import check
from lutloom.sim.toolchain import usable_cores

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.graph import Graph
    from lutloom.core.types import IntArray
    from lutloom.sim.engine.kernels.tail import Reals

_IMAGES = 16
_SLICE = 0.5
"""Seconds that a call of the kernels should take."""
_GROWTH = 16
"""How many times as many images the next call may be for."""
_WORTH = 4
"""A block in planes takes as long as one of so many parts of its images, image by image."""


@dataclass(frozen=True, eq=False)
class Engine:
    """A graph, ready to run."""

    graph: Graph = field(repr=False)
    instructions: InstructionSet
    threads: int
    image_by_image: Executable
    in_planes: Executable | None
    """The same in planes, where that is faster for many images."""
    pace: Pace

    def run(self, inputs: Mapping[str, IntArray]) -> dict[str, IntArray]:
        """Return the graph's outputs ``[batch, *shape]``, int64, for ``inputs`` of that form.

        Raises ``RangeError`` for inputs that are not of their types, naming the position.
        """
        program = self.image_by_image.program
        stored = []
        for port in program.inputs:
            type_ = self.graph.inputs[port.value]
            stored.append(port.storage.encode(check(port.value, inputs[port.value], type_)))
        found = zip(program.outputs, self.compute(stored), strict=True)
        return {port.value: port.storage.decode(output) for port, output in found}

    def compute(self, inputs: Sequence[NDArray[np.number]]) -> list[NDArray[np.number]]:
        """Return the outputs ``[batch, *shape]``, as they are stored, for inputs that are.

        Those are contiguous, in the order of the graph's. Ctrl-C is noticed within a second or so.
        """
        images = len(inputs[0])
        if images <= self.pace.images and self._are_few(images):
            return self.image_by_image.run(inputs, images, self.threads)
        results = self.image_by_image.results_for(images)
        first = 0
        while first < images:
            count = min(images - first, self.pace.images)
            started = perf_counter()
            for executable, part in self._parts(first, count):
                own = [[array[part] for array in arrays] for arrays in (inputs, results)]
                self._run_part(executable, *own)
            self.pace.learn(count, perf_counter() - started)
            first += count
        return results

    def _are_few(self, images: int) -> bool:
        """Whether ``images`` are computed faster one by one than in planes.

        A block in planes takes as long with fewer images.
        """
        return self.in_planes is None or images * _WORTH < self.in_planes.program.block

    def _parts(self, first: int, count: int) -> Iterator[tuple[Executable, slice]]:
        """Yield what computes which of ``count`` images from number ``first`` on."""
        end = first + count
        if self.in_planes is not None:
            rest = count % self.in_planes.program.block
            middle = end - rest if self._are_few(rest) else end
            if middle > first:
                yield self.in_planes, slice(first, middle)
            first = middle
        if end > first:
            yield self.image_by_image, slice(first, end)

    def _run_part(
        self,
        executable: Executable,
        inputs: Sequence[NDArray[np.number]],
        results: Sequence[NDArray[np.number]],
    ) -> None:
        images, threads = len(inputs[0]), self.threads
        if executable is self.in_planes:
            threads = min(threads, -(-images // executable.program.block))
        executable.run_into(inputs, results, images, threads)


@dataclass(eq=False)
class Pace:
    """How many images a call of the kernels may be asked for: Python sees no Ctrl-C meanwhile."""

    images: int

    def learn(self, images: int, seconds: float) -> None:
        """Draw a lesson from a call for ``images`` images, which took ``seconds``."""
        if images == self.images:  # fewer say little of many
            fitting = int(images * _SLICE / max(seconds, 1e-6))
            self.images = max(1, min(fitting, _GROWTH * images))


def make_engine(
    graph: Graph,
    *,
    instructions: InstructionSet | None = None,
    threads: int | None = None,
    compiler: str | None = None,
    reals: Sequence[Reals | None] = (),
) -> Engine:
    """Return an engine for ``graph``.

    ``instructions`` are the widest of this machine by default, ``threads`` as many as it has cores.
    Of outputs that have an entry in ``reals`` it computes those. Raises ``CSimError`` where the
    kernels can't be compiled.
    """
    chosen = instructions or available()[-1]
    program = plan_program(graph, chosen, LOWERINGS, images=_IMAGES, reals=reals)
    sliced = plan_in_planes(graph, chosen, LOWERINGS, reals=reals)
    library = load_kernels(chosen, compiler)
    used = threads or usable_cores()
    return Engine(
        graph,
        chosen,
        used,
        make_executable(program, library),
        None if sliced is None else make_executable(sliced, library),
        Pace(used),
    )
