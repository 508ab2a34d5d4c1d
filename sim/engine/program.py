"""What the engine runs: buffers, and steps that each call a kernel with parameters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from _typeshed import DataclassInstance
    from numpy.typing import NDArray

    from lutloom.sim.engine.storage import Storage

ALIGNMENT = 64
SLACK = 64
"""Bytes behind every buffer that kernels may read, and never use."""


@dataclass(frozen=True, slots=True)
class Buffer:
    """Memory for a value: ``bytes`` of each image, or of a whole block of images in planes."""

    bytes: int
    is_planes: bool = False


@dataclass(frozen=True, slots=True)
class Operand:
    """A value that a kernel reads or writes element by element: a buffer in a dense layout."""

    buffer: int
    layout: int
    lo: int
    step: int

    @classmethod
    def of(cls, buffer: int, storage: Storage) -> Operand:
        """Return the operand that lies in ``buffer`` as ``storage`` says."""
        return cls(buffer, int(storage.layout), storage.lo, storage.step)


@dataclass(frozen=True, eq=False)
class Step:
    """A call of ``kernel`` for ``images`` images at a time.

    ``parameters`` is a dataclass of integers, arrays, and dataclasses of them: in their order the
    members of the kernel's C++ structure, each of eight bytes. ``reads`` and ``writes`` are the
    numbers of buffers; what a kernel needs for itself is among those that it writes.
    """

    kernel: str
    parameters: DataclassInstance
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    images: int


@dataclass(frozen=True, eq=False)
class Port:
    """An input or output of the graph: where it is kept, and how."""

    value: str
    buffer: int
    storage: Storage
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Program:
    """Steps in their order, for blocks of up to ``block`` images."""

    steps: tuple[Step, ...]
    buffers: tuple[Buffer, ...]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    block: int


def words_of_parameters(parameters: DataclassInstance) -> Iterator[int | NDArray[np.generic]]:
    """Yield the words of ``parameters``: integers, and arrays whose addresses go there."""
    for field in fields(parameters):
        value = getattr(parameters, field.name)
        if is_dataclass(value) and not isinstance(value, type):
            yield from words_of_parameters(value)
        else:
            yield value
