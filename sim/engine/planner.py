"""From a graph to a program: which kernel computes each node, and how every value is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING

from lutloom.sim.engine.instruction_set import InstructionSet
from lutloom.sim.engine.kernels.tail import Reals, lower_tail
from lutloom.sim.engine.program import Buffer, Operand, Port, Program, Step
from lutloom.sim.engine.storage import Layout, Storage, dense_storage

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from lutloom.core.graph import Graph, Node
    from lutloom.core.types import IntType, TensorType


_SQUARE = 64
"""Images that dense steps of a program in planes take at a time: a word of each plane."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A value in a buffer."""

    buffer: int
    storage: Storage

    @property
    def operand(self) -> Operand:
        """The same, as kernels take it that read or write element by element."""
        return Operand.of(self.buffer, self.storage)


@dataclass(eq=False)
class Planner:
    """A program while it is made: what ``lower`` of each operator adds its steps to.

    ``images`` is how many images steps take at a time, ``lanes`` how many a plane has; 0 stands for
    a program without planes.
    """

    graph: Graph
    instructions: InstructionSet
    images: int
    lanes: int = 0
    steps: list[Step] = field(default_factory=list)
    buffers: list[Buffer] = field(default_factory=list)
    kept: dict[tuple[str, Layout], Kept] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    """Names of nodes that an earlier one has computed too."""
    products: int = 0
    """How many products of an image and of weights there are."""
    sliced: int = 0
    """How many of them are computed in planes."""

    def type(self, value: str) -> TensorType:
        """Return the type of ``value``."""
        return self.graph.types[value]

    def stored_type(self, value: str) -> IntType:
        """Return the type of the elements of ``value``, and of what its readers pad it with."""
        element = self.type(value).element
        fills = (getattr(node.op, "fill", None) for node in self.graph.users[value])
        for fill in fills:
            if fill is not None and element.including(fill).count <= 2**8:
                element = element.including(fill)
        return element

    def add(
        self,
        kernel: str,
        parameters: DataclassInstance,
        reads: tuple[int, ...],
        writes: tuple[int, ...],
        *,
        is_whole: bool = False,
    ) -> None:
        """Add a call of ``kernel``; ``writes`` holds what it needs for itself, too.

        It ``is_whole`` if it takes a block in planes at a time.
        """
        images = self.lanes if is_whole else self.images
        self.steps.append(Step(kernel, parameters, reads, writes, images))

    def scratch(self, bytes_: int) -> int:
        """Return a new buffer of ``bytes_`` for each image that a step takes at a time."""
        self.buffers.append(Buffer(bytes_))
        return len(self.buffers) - 1

    def scratch_planes(self, count: int) -> int:
        """Return a new buffer of ``count`` planes."""
        self.buffers.append(Buffer(count * self.lanes // 8, is_planes=True))
        return len(self.buffers) - 1

    def dense(self, value: str) -> Kept:
        """Return ``value`` in a dense layout, however it was kept before."""
        from lutloom.sim.engine.kernels.pack import unpacked
        from lutloom.sim.engine.kernels.plane_layout import unsliced

        for (name, layout), kept in self.kept.items():
            if name == value and layout.is_dense:
                return kept
        if (value, Layout.PLANES) in self.kept:
            return unsliced(self, value, self.kept[value, Layout.PLANES])
        return unpacked(self, value, self.kept[value, Layout.BITS])

    def bits(self, value: str) -> Kept:
        """Return ``value`` in thermometer rows of bits; it has a code of a byte."""
        from lutloom.sim.engine.kernels.pack import packed

        kept = self.kept.get((value, Layout.BITS))
        return kept or packed(self, value, self.dense(value))

    def planes(self, value: str) -> Kept:
        """Return ``value`` in planes; it is kept in them, or has a code of a byte."""
        from lutloom.sim.engine.kernels.plane_layout import sliced

        kept = self.kept.get((value, Layout.PLANES))
        return kept or sliced(self, value, self.dense(value))

    def wants(self, value: str) -> Layout:
        """Return the layout in which to make ``value``: what those that read it take."""
        from lutloom.sim.engine.kernels.wanted import wanted_layout

        return wanted_layout(self, value)

    def make(self, value: str, storage: Storage | None = None) -> Kept:
        """Return a new buffer for ``value``: dense and as narrow as can be, or in ``storage``.

        Where windows read it, what they see in the padding can be stored too.
        """
        chosen = storage or dense_storage(self.stored_type(value))
        if chosen.layout is Layout.PLANES:
            buffer = self.scratch_planes(self.type(value).size * chosen.levels)
        else:
            buffer = self.scratch(chosen.bytes_of(self.type(value)))
        kept = Kept(buffer, chosen)
        self.keep(value, kept)
        return kept

    def keep(self, value: str, kept: Kept) -> None:
        """Say that ``value`` is ``kept`` there: in a buffer of its own, or in another value's."""
        self.kept[value, kept.storage.layout] = kept

    def is_input(self, kept: Kept) -> bool:
        """Say whether what is ``kept`` there is the caller's: an input of the graph."""
        return kept.buffer < len(self.graph.inputs)  # the first buffers are those

    def only_reader(self, value: str) -> Node | None:
        """Return the node that alone reads ``value``, if there is one and it is no output."""
        readers = self.graph.users[value]
        return readers[0] if len(readers) == 1 and value not in self.graph.outputs else None


def copied(planner: Planner, kept: Kept, tensor: TensorType) -> Kept:
    """Return a copy of what is ``kept``, in a buffer of its own."""
    import numpy as np

    from lutloom.sim.engine.kernels.move import move

    copy = Kept(planner.scratch(kept.storage.bytes_of(tensor)), kept.storage)
    width = kept.storage.dtype.itemsize
    move(planner, kept, copy, np.arange(tensor.size), elements=tensor.size, width=width)
    return copy


Lower = Callable[[Planner, "Node"], None]
"""Adds the steps of a node: it makes all of its results."""


def plan_program(
    graph: Graph,
    instructions: InstructionSet,
    lowerings: Mapping[str, Lower],
    *,
    images: int,
    reals: Sequence[Reals | None] = (),
) -> Program:
    """Return a program that computes ``graph``, blocks of ``images`` images at a time.

    Of an output that has an entry in ``reals`` it computes those.
    """
    return _planned(Planner(graph, instructions, images), lowerings, reals)


def plan_in_planes(
    graph: Graph,
    instructions: InstructionSet,
    lowerings: Mapping[str, Lower],
    *,
    reals: Sequence[Reals | None] = (),
) -> Program | None:
    """Return the same program, but of blocks of a plane's images at a time.

    None where less than half of its products can be computed in planes.
    """
    planner = Planner(graph, instructions, _SQUARE, instructions.lanes)
    program = _planned(planner, lowerings, reals)
    return program if planner.products and planner.sliced * 2 >= planner.products else None


def _planned(
    planner: Planner, lowerings: Mapping[str, Lower], reals: Sequence[Reals | None]
) -> Program:
    from lutloom.sim.engine.kernels.plane_moves import lower_in_planes

    graph = planner.graph
    inputs = tuple(_port(name, planner.make(name), type_) for name, type_ in graph.inputs.items())
    for node in graph.nodes:
        if node.name in planner.done or (planner.lanes and lower_in_planes(planner, node)):
            continue
        lowerings[node.op.name](planner, node)
    outer = {port.buffer for port in inputs}
    outputs = []
    for name, made in zip_longest(graph.outputs, reals):
        kept = planner.dense(name)
        if made is not None:
            kept = lower_tail(planner, name, made)
        elif kept.buffer in outer:
            kept = copied(planner, kept, graph.types[name])
        outer.add(kept.buffer)
        outputs.append(_port(name, kept, graph.types[name]))
    steps, buffers = tuple(planner.steps), tuple(planner.buffers)
    return Program(steps, buffers, inputs, tuple(outputs), planner.lanes or planner.images)


def _port(name: str, kept: Kept, tensor: TensorType) -> Port:
    return Port(name, kept.buffer, kept.storage, tensor.shape)
