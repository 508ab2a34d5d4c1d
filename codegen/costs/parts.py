"""What processes are built from: parts whose cost is known by their widths alone.

A kernel's cost model says of which parts, and how many, a folding of it consists
(``codegen.costs.NAME``); what a part takes is said once, in ``codegen.costs.formulas``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from lutloom.core.plan import FifoMemory, Memory


@dataclass(frozen=True, slots=True)
class Popcount:
    """How many of ``bits`` bits are set; of the XNOR with as many others if ``has_xnor``."""

    bits: int
    has_xnor: bool = False


@dataclass(frozen=True, slots=True)
class AdderTree:
    """The sum of ``terms`` numbers of ``bits`` bits each, as wide as it has to be."""

    terms: int
    bits: int


@dataclass(frozen=True, slots=True)
class Adder:
    """The sum of two numbers, ``bits`` wide."""

    bits: int


@dataclass(frozen=True, slots=True)
class Negation:
    """A number of ``bits`` bits or its negative, by one more bit."""

    bits: int


@dataclass(frozen=True, slots=True)
class Multiplier:
    """A product of numbers of so many bits in look-up tables; constant if one never is another."""

    left: int
    right: int
    is_constant: bool = False


@dataclass(frozen=True, slots=True)
class DotProduct:
    """The sum of ``terms`` products in look-up tables, of a number of ``left`` bits by one of
    ``right`` bits each; with one bit those on the left are added or subtracted.
    """

    terms: int
    left: int
    right: int


@dataclass(frozen=True, slots=True)
class DspSlices:
    """Products in DSP slices: ``count`` slices, however they are used."""

    count: int


@dataclass(frozen=True, slots=True)
class Comparator:
    """Whether a number of ``bits`` bits is at least another one, or a constant."""

    bits: int
    is_constant: bool = False


@dataclass(frozen=True, slots=True)
class Multiplexer:
    """One of ``ways`` numbers of ``bits`` bits."""

    ways: int
    bits: int


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter through ``states`` states, and what says that it is in its last one."""

    states: int


@dataclass(frozen=True, slots=True)
class Registers:
    """Flip-flops."""

    bits: int


@dataclass(frozen=True, slots=True)
class ShiftRegister:
    """``depth`` words of ``bits`` bits that move on together."""

    depth: int
    bits: int


@dataclass(frozen=True, slots=True)
class Rom:
    """Constants: ``words`` words of ``bits`` bits, one read in a cycle, bound to ``memory``."""

    words: int
    bits: int
    memory: Memory = Memory.AUTO


@dataclass(frozen=True, slots=True)
class Ram:
    """Memory: ``words`` words of ``bits`` bits, one read and one written in a cycle."""

    words: int
    bits: int
    memory: Memory = Memory.AUTO


@dataclass(frozen=True, slots=True)
class FifoBuffer:
    """A FIFO of ``depth`` words of ``bits`` bits between two processes."""

    depth: int
    bits: int
    memory: FifoMemory = FifoMemory.AUTO


@dataclass(frozen=True, slots=True)
class Control:
    """What starts, stops and stalls a loop of ``stages`` pipeline stages with ``streams`` ports."""

    streams: int
    stages: int


Single: TypeAlias = (
    Popcount
    | AdderTree
    | Adder
    | Negation
    | Multiplier
    | DotProduct
    | DspSlices
    | Comparator
    | Multiplexer
    | Counter
    | Registers
    | ShiftRegister
    | Rom
    | Ram
    | FifoBuffer
    | Control
)


@dataclass(frozen=True)
class Group:
    """Parts that stand together in many foldings: what they take is added up once."""

    parts: Parts

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        # Asked for with every folding in which they stand.
        return hash(self.parts)


Part: TypeAlias = Single | Group
Parts: TypeAlias = tuple[tuple[int, Part], ...]
"""Parts, and how many there are of each."""


def together(parts: Parts) -> Parts:
    """Return ``parts`` as a group."""
    return ((1, Group(parts)),) if parts else ()


def apart(parts: Parts) -> Iterator[tuple[int, Single]]:
    """Yield ``parts`` one by one, those of groups too."""
    for count, part in parts:
        if isinstance(part, Group):
            yield from ((count * each, inner) for each, inner in apart(part.parts))
        else:
            yield count, part
