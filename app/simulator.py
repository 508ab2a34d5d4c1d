"""``load_simulator``: a build as a function from the model's inputs to its outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lutloom.build import Build, load_build
from lutloom.data import count_of, samples_of
from lutloom.engines import Engine, default_engine, instructions_named

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.network import Network
    from lutloom.core.types import IntArray
    from lutloom.sim.engine import Engine as Program
    from lutloom.sim.engine import InstructionSet

    Values = Mapping[str, IntArray]
    Runner = Callable[[Values], Values]
    Arrays = Mapping[str, NDArray[Any]]

_MOST_NUMBERS = 2**22
"""Numbers of the inputs that are encoded by the host at a time, 8 bytes each."""


@dataclass(frozen=True, eq=False)
class Simulator:
    """A model as its hardware computes it, bit for bit: a function that threads may share.

    Bytes that are contiguous go in as they are, and a call costs microseconds; for other numbers
    the host computes the integers that go in.
    """

    network: Network = field(repr=False)
    instructions: InstructionSet | None
    """What the kernels are compiled for; None for the reference."""
    threads: int | None
    bytes_: _Bytes | None = field(repr=False)
    """What goes from bytes to the model's outputs, where there is such an engine."""
    quick: _Quick | None = field(repr=False)
    """What ``__call__`` needs where nothing is left to do before and behind the kernels."""
    made: dict[str, Runner] = field(default_factory=dict, repr=False)
    """What goes from integers to integers, once it was needed."""

    def __call__(self, images: NDArray[Any]) -> NDArray[Any]:
        """Return the model's only output ``[N, ...]`` for its only input ``images [N, ...]``.

        Raises ``RangeError`` for data that do not fit, and where the model has several inputs or
        outputs, which is what ``run`` is for.
        """
        quick = self.quick
        if (
            quick is not None
            and type(images) is quick.array
            and images.dtype is quick.byte
            and images.shape[1:] == quick.shape
            and images.flags.c_contiguous
        ):
            return quick.compute((images,))[0]
        name = self.network.output.name
        return self.run(images)[name]

    def run(self, data: NDArray[Any] | Arrays) -> dict[str, NDArray[Any]]:
        """Return the model's outputs ``[N, ...]`` for its inputs ``data [N, ...]``, by names.

        Raises ``RangeError`` for data that do not fit.
        """
        import numpy as np

        arrays = self.network.named(data)
        if self.bytes_ is not None and all(map(_holds_bytes, arrays.values())):
            return self.bytes_.run([np.ascontiguousarray(x, np.uint8) for x in arrays.values()])
        count, numbers = count_of(arrays), sum(prod(x.shape[1:]) for x in arrays.values())
        size = max(1, _MOST_NUMBERS // max(numbers, 1))
        parts = [
            self.network.decode_all(self._integers(self.network.encode_all(part)))
            for first in range(0, max(count, 1), size)
            for part in (samples_of(arrays, slice(first, first + size)),)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _integers(self, values: Values) -> Values:
        """Return the graph's outputs for its inputs."""
        # Not a cached property: a process that is forked meanwhile would wait for its lock forever.
        run = self.made.get("integers")
        if run is None:
            run = self.made["integers"] = self._runner()
        return run(values)

    def _runner(self) -> Runner:
        from lutloom.sim import reference
        from lutloom.sim.engine import make_engine

        graph = self.network.graph
        if self.instructions is None:
            return lambda x: reference.run(graph, x, wanted=graph.outputs, trusts_types=True)
        return make_engine(graph, instructions=self.instructions, threads=self.threads).run


@dataclass(frozen=True, eq=False)
class _Quick:
    """The form of images that need no work, and what computes; ``array`` is NumPy's class."""

    array: type
    byte: np.dtype[np.uint8]
    shape: tuple[int, ...]
    compute: Callable[[Sequence[NDArray[Any]]], list[NDArray[Any]]]


@dataclass(frozen=True, eq=False)
class _Bytes:
    """An engine from the model's inputs, as bytes; ``is_real`` are outputs that it computes."""

    network: Network
    engine: Program
    is_real: Sequence[bool]

    def run(self, inputs: Sequence[NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return the model's outputs by their names."""
        found = self.engine.compute(inputs)
        kept = self.engine.image_by_image.program.outputs
        return {
            port.name: array.reshape(len(array), *port.shape)
            if is_real
            else port.decode(made.storage.decode(array))
            for port, array, made, is_real in zip(
                self.network.outputs, found, kept, self.is_real, strict=True
            )
        }


def _holds_bytes(array: NDArray[Any]) -> bool:
    """Return whether ``array`` holds integers of 0 to 255."""
    import numpy as np

    if array.dtype == np.uint8:
        return True
    is_integer = array.dtype.kind in "iu"
    return is_integer and int(array.min(initial=0)) >= 0 and int(array.max(initial=0)) < 256


def load_simulator(
    build: str | Path | Build,
    *,
    instructions: str | None = None,
    threads: int | None = None,
) -> Simulator:
    """Return ``build`` as a function from the model's inputs to its outputs.

    Its kernels are compiled when it is made, the first time on a machine, and kept in the user's
    cache. ``instructions``, by their name, are the widest of this machine by default, ``threads``
    as many as it has cores. Without a C++ compiler the reference computes the same, and a warning
    says so.

    Raises a ``LutloomError`` for a directory that is no build, and for instructions that this
    machine does not have.
    """
    loaded = build if isinstance(build, Build) else load_build(build)
    if default_engine(instructions) is Engine.REFERENCE:
        return Simulator(loaded.network, None, threads, None, None)
    return compiled_simulator(loaded.network, instructions=instructions, threads=threads)


def compiled_simulator(
    network: Network, *, instructions: str | None = None, threads: int | None = None
) -> Simulator:
    """Return ``network`` as such a function.

    Raises ``CSimError`` without a compiler, ``RangeError`` for instructions that are not there.
    """
    from lutloom.sim.engine import make_engine
    from lutloom.sim.engine.ends import with_ends
    from lutloom.sim.engine.library import load_kernels

    chosen = instructions_named(instructions)
    load_kernels(chosen)  # what takes seconds, and may be refused
    ends = with_ends(network)
    if ends is None:
        return Simulator(network, chosen, threads, None, None)
    engine = make_engine(ends.graph, instructions=chosen, threads=threads, reals=ends.reals)
    bytes_ = _Bytes(network, engine, [made is not None for made in ends.reals])
    return Simulator(network, chosen, threads, bytes_, _quick(bytes_))


def _quick(bytes_: _Bytes) -> _Quick | None:
    import numpy as np

    inputs, outputs = bytes_.network.inputs, bytes_.network.outputs
    if len(inputs) + len(outputs) != 2 or not all(bytes_.is_real):
        return None
    compute = bytes_.engine.compute
    (nothing,) = compute((np.zeros((0, *inputs[0].shape), np.uint8),))
    if nothing.shape[1:] != outputs[0].shape:
        return None
    return _Quick(np.ndarray, np.dtype(np.uint8), inputs[0].shape, compute)
