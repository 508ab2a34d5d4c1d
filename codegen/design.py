"""The design: units of processes joined by streams, with every name and width decided.

What the templates write down, and nothing they could get wrong. ``assembly`` makes one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from lutloom.codegen.kernels import KERNELS, Code, Site
from lutloom.codegen.kernels.convert import Converter
from lutloom.codegen.kernels.kernel import code_type
from lutloom.codegen.names import comment
from lutloom.codegen.ports import Border, DesignPort
from lutloom.core.plan import FifoMemory

if TYPE_CHECKING:
    from lutloom.codegen.padded_ops import Runs
    from lutloom.core.plan import Folding
    from lutloom.core.types import TensorType


@dataclass(frozen=True)
class Port:
    """A stream argument of a process, and its width in bits."""

    name: str
    bits: int


@dataclass(frozen=True)
class Process:
    """A process: its function, named ``identifier``, and what it is made from."""

    identifier: str
    name: str
    kernel: str
    site: Site
    folding: Folding
    ports: tuple[Port, ...]
    cycles: int

    @cached_property
    def code(self) -> Code:
        """The tables and values that are written down; made when they are first asked for."""
        return KERNELS[self.kernel].code(self.site, self.folding)

    @property
    def pe(self) -> int:
        """How many outputs are made at a time, of all pixels together."""
        return self.folding.pe * self.folding.pixels

    @property
    def note(self) -> str:
        """The model's own name, fit for a comment."""
        return comment(self.name)

    @property
    def in_type(self) -> str:
        """C++ type of the codes of the first input."""
        return code_type(self.site.inputs[0].element)

    @property
    def in_types(self) -> tuple[str, ...]:
        """C++ types of the codes of all inputs."""
        return tuple(code_type(tensor.element) for tensor in self.site.inputs)

    @property
    def out_bits(self) -> int:
        """Bits of a code of the first output."""
        return self.site.outputs[0].element.bits


@dataclass(frozen=True)
class Fifo:
    """A local stream of a unit: ``words`` words a frame, at most ``depth`` at a time.

    ``value`` is what it carries. ``planned_bits`` is the width of the words in which the plan
    counts its depth, those of the value's writer; 0 where the plan says nothing of it. ``memory``
    is what its words lie in: ``auto`` leaves that to the tool.
    """

    identifier: str
    bits: int
    words: int
    depth: int
    value: str
    planned_bits: int
    memory: FifoMemory = FifoMemory.AUTO

    @property
    def note(self) -> str:
        """The model's own name of the value, fit for a comment."""
        return comment(self.value)

    def planned(self, depth: int) -> int:
        """Return the least depth in the plan with which it holds ``depth`` words."""
        return (depth - 1) * self.bits // self.planned_bits + 1


@dataclass(frozen=True)
class Call:
    """A call in the body of a unit: of a process, or of a converter between ``arguments``."""

    process: Process | None
    converter: Converter | None
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Unit:
    """One IP: a top-level function ``top`` with AXI streams in and out.

    ``token_depth`` is how many images' TLAST each of the ``tokens`` of its exits holds.
    """

    top: str
    entries: tuple[Border, ...]
    exits: tuple[Border, ...]
    fifos: tuple[Fifo, ...]
    calls: tuple[Call, ...]
    token_depth: int

    @property
    def borders(self) -> tuple[Border, ...]:
        """The arguments of its top."""
        return (*self.entries, *self.exits)

    @property
    def tokens(self) -> tuple[str, ...]:
        """The local streams of TLAST, one an exit."""
        return tuple(token for border in self.exits for token in border.tokens)

    @property
    def sources(self) -> tuple[str, ...]:
        """What is compiled for the unit, below ``hls/``."""
        return (f"src/{self.top}.cpp",)

    @property
    def processes(self) -> tuple[Process, ...]:
        """The processes, in order."""
        return tuple(call.process for call in self.calls if call.process is not None)

    @property
    def kernels(self) -> tuple[str, ...]:
        """Headers of the library that the unit itself includes."""
        used = {call.converter.kernel for call in self.calls if call.converter is not None}
        return ("axis", *sorted(used))


@dataclass(frozen=True)
class Probe:
    """Where the words of a value pass: a local stream, in words of ``bits`` bits.

    ``runs`` are those of the value in ``tensor`` that has channels which the plan adds.
    """

    fifo: str
    value: str
    tensor: TensorType
    bits: int
    runs: Runs | None = None


@dataclass(frozen=True)
class Design:
    """A whole design; ``namespace`` holds everything but the tops."""

    namespace: str
    name: str
    word_bits: int
    inputs: tuple[DesignPort, ...]
    outputs: tuple[DesignPort, ...]
    units: tuple[Unit, ...]
    probes: tuple[Probe, ...]

    @cached_property
    def largest_word(self) -> int:
        """What ``AP_INT_MAX_W`` should be, the same in all units."""
        widths = [fifo.bits for unit in self.units for fifo in unit.fifos]
        for unit in self.units:
            widths += [border.axis_bits for border in unit.borders]
            widths += [process.code.widest for process in unit.processes]
            widths += [c.converter.widest for c in unit.calls if c.converter is not None]
        return max(1024, 1 << (max(widths) - 1).bit_length())

    @cached_property
    def borders(self) -> Mapping[str, Border]:
        """The AXI streams by name; those between units as their writers see them."""
        entries = (border for unit in self.units for border in unit.entries)
        exits = (border for unit in self.units for border in unit.exits)
        return {border.stream: border for border in (*entries, *exits)}

    @property
    def between(self) -> tuple[Border, ...]:
        """The AXI streams that join units."""
        outer = {port.stream for port in (*self.inputs, *self.outputs)}
        return tuple(border for name, border in self.borders.items() if name not in outer)
