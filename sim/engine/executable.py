"""A program that is ready to run: its parameters in memory, as the kernels take them."""

from __future__ import annotations

import ctypes
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lutloom.sim.engine.memory import places_of, stages_of
from lutloom.sim.engine.program import words_of_parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lutloom.sim.engine.program import Program, Step

_NO_MEMORY = 1
_ARENA, _INPUT, _OUTPUT = range(3)


@dataclass(frozen=True, eq=False)
class Executable:
    """A program with compiled kernels. ``kept`` is the memory that the kernels go on reading."""

    program: Program = field(repr=False)
    library: ctypes.PyDLL
    handle: int
    kept: tuple[object, ...] = field(repr=False)
    results: tuple[tuple[tuple[int, ...], np.dtype[np.number]], ...]
    """Shape and type of an image's outputs, as they are stored."""
    empty: Callable[..., NDArray[np.number]] = field(repr=False)
    """NumPy's: importing it in every call would take as long as what it does."""

    def run(
        self, inputs: Sequence[NDArray[np.number]], images: int, threads: int
    ) -> list[NDArray[np.number]]:
        """Return the outputs ``[images, *shape]`` in their order, as stored, for such inputs.

        The inputs are contiguous, of the storage's type and the port's shape. Raises
        ``MemoryError`` where there is not enough of it.
        """
        results = self.results_for(images)
        self.run_into(inputs, results, images, threads)
        return results

    def results_for(self, images: int) -> list[NDArray[np.number]]:
        """Return arrays for the outputs of ``images`` images, which hold anything."""
        empty = self.empty
        return [empty((images, *shape), dtype) for shape, dtype in self.results]

    def run_into(
        self,
        inputs: Sequence[NDArray[np.number]],
        results: Sequence[NDArray[np.number]],
        images: int,
        threads: int,
    ) -> None:
        """Do what ``run`` does, into ``results`` of that form."""
        failed = self.library.lutloom_program_run(
            self.handle, tuple(inputs), tuple(results), images, threads
        )
        if failed == _NO_MEMORY:
            raise MemoryError(f"there is no memory for {self.program.block} images at a time")
        if failed:
            raise AssertionError(f"the arrays should be of {images} images, as they are stored")


def make_executable(program: Program, library: ctypes.PyDLL) -> Executable:
    """Return ``program`` with the kernels of ``library``.

    Raises ``MemoryError`` where there is not enough of it.
    """
    import numpy as np

    places, arena = places_of(program)
    names = (ctypes.c_char_p * len(program.steps))(*(s.kernel.encode() for s in program.steps))
    packed = [_packed(step, library) for step in program.steps]
    parameters = (ctypes.c_void_p * len(packed))(*(words.ctypes.data for words, _ in packed))
    stages = np.array([(s.first, s.last, s.images) for s in stages_of(program.steps)], np.int64)
    buffers = np.zeros((len(program.buffers), 3), np.int64)
    for number, (buffer, place) in enumerate(zip(program.buffers, places, strict=True)):
        if place is not None:
            stride = 0 if buffer.is_planes or not place.is_whole else buffer.bytes
            buffers[number] = (_ARENA, place.offset, stride)
    for origin, ports in ((_INPUT, program.inputs), (_OUTPUT, program.outputs)):
        for number, port in enumerate(ports):
            buffers[port.buffer] = (origin, number, program.buffers[port.buffer].bytes)
    handle = library.lutloom_program_new(
        len(program.steps),
        names,
        parameters,
        len(stages),
        stages.ctypes.data,
        len(buffers),
        buffers.ctypes.data,
        arena,
        program.block,
    )
    if handle is None:
        raise MemoryError("there is no memory for the program")
    results = tuple((port.shape, port.storage.dtype) for port in program.outputs)
    made = Executable(program, library, handle, (packed, parameters), results, np.empty)
    weakref.finalize(made, library.lutloom_program_delete, handle)
    return made


def _packed(step: Step, library: ctypes.PyDLL) -> tuple[NDArray[np.int64], list[object]]:
    """Return the words of the kernel's structure, and the arrays that some of them point to."""
    import numpy as np

    words: list[int] = []
    arrays: list[object] = []
    for word in words_of_parameters(step.parameters):
        if isinstance(word, np.ndarray):
            # Never an address of nothing: NumPy gives empty arrays one that may not be read.
            array = np.ascontiguousarray(word) if word.size else np.zeros(1, word.dtype)
            arrays.append(array)
            words.append(array.ctypes.data)
        else:
            words.append(word)
    wanted = library.lutloom_kernel_words(step.kernel.encode())
    if len(words) != wanted:
        raise AssertionError(f"the kernel {step.kernel} takes {wanted} words, not {len(words)}")
    return np.array(words, np.int64), arrays
