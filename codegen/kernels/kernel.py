"""What a kernel must say about itself, so that everything else can treat them alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias

from lutloom.codegen.fifo_memory import LUTS_A_BRAM, block_rams
from lutloom.core.plan import Comparison, Folding, Memory, Multiplier
from lutloom.core.types import TensorType

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.types import IntArray, IntType

# A word of a stream or of a weight memory, in bits: what ap_int can be told to hold.
WIDEST_WORD = 4096
# Operators (products, comparisons) of a process that work in one cycle: pipelines of more do not
# meet timing, and take long to synthesize.
MOST_OPERATORS = 4096

CONSTANTS = (Memory.AUTO, Memory.LUTRAM, Memory.BRAM)
"""What constants may lie in."""

NO_CONTENTS: Mapping[object, str] = {
    Memory.URAM: "it holds constants, and UltraRAM is empty when a design starts"
}
"""Why constants do not lie in UltraRAM: UG573; in Versal's Vitis HLS puts none (UG1399)."""

PRODUCTS = (Multiplier.AUTO, Multiplier.FABRIC, Multiplier.DSP)
"""What may multiply two numbers that share nothing with other products."""

# Shallower tables than this fit a look-up table a bit: no block RAM for them.
_BRAM_WORDS = 65
# What four look-up tables of a slice hold, and its multiplexers choose from (UG474).
_MOST_WORDS_BESIDE = 256


@dataclass(frozen=True)
class Site:
    """A process in its graph: the operator and the types of what it reads and writes."""

    op: Any
    inputs: tuple[TensorType, ...]
    outputs: tuple[TensorType, ...]

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        # Planners ask for facts of the same few processes thousands of times.
        return hash((self.op, self.inputs, self.outputs))

    def __reduce__(self) -> tuple[type[Site], tuple[Any, ...]]:
        # Another interpreter has other hashes.
        return Site, (self.op, self.inputs, self.outputs)


@dataclass(frozen=True)
class Legal:
    """What a folding of one process may say. ``pe``, ``simd`` and ``pixels`` ascend.

    ``because`` gives reasons for what is missing, as a clause; that of ``pixels`` by that name.
    """

    pe: tuple[int, ...]
    simd: tuple[int, ...] = (1,)
    memory: tuple[Memory, ...] = (Memory.AUTO,)
    multiplier: tuple[Multiplier, ...] = (Multiplier.AUTO,)
    comparison: tuple[Comparison, ...] = (Comparison.AUTO,)
    pixels: tuple[int, ...] = (1,)
    because: Mapping[object, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """Constants of a process: an array of machine words, and how it is laid out.

    ``complete`` names the dimensions (from 1) that are read in parallel, ``reshape`` the one
    whose elements become one wide word.
    """

    name: str
    data: NDArray[np.integer[Any]]
    signed: bool
    bits: int
    note: str
    complete: tuple[int, ...] = ()
    reshape: int = 0
    memory: Memory = Memory.AUTO
    is_hexadecimal: bool = False

    @property
    def words(self) -> int:
        """How many words a memory has: all that is not read in parallel."""
        apart = {*self.complete, self.reshape}
        return prod(n for place, n in enumerate(self.data.shape, 1) if place not in apart)


@dataclass(frozen=True)
class Code:
    """The facts a process's template writes down: tables, and values by name."""

    tables: tuple[Table, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
    widest: int = 1


Lanes: TypeAlias = tuple[tuple[int, ...], tuple[int, ...]]
"""Elements in a word of each input and of each output."""


@dataclass(frozen=True)
class Kernel:
    """One process: its legal foldings, the words it reads and writes, its cycles, its C++.

    ``operators`` counts what works in one cycle; ``widths`` are those of its words in bits,
    weights included. ``legal`` is what may be said beside the other choices of a folding;
    ``settled`` is the folding with the forms chosen that it leaves open. ``code`` needs a legal
    folding.
    """

    legal: Callable[[Site, Folding], Legal]
    lanes: Callable[[Site, Folding], Lanes]
    cycles: Callable[[Site, Folding], int]
    operators: Callable[[Site, Folding], int]
    weight_bits: Callable[[Site, Folding], int]
    code: Callable[[Site, Folding], Code]
    settled: Callable[[Site, Folding], Folding] = lambda _site, folding: folding


@lru_cache(maxsize=4096)
def divisors(number: int) -> tuple[int, ...]:
    """Return the divisors of ``number``, ascending."""
    small = [d for d in range(1, int(number**0.5) + 1) if number % d == 0]
    return tuple(sorted({*small, *(number // d for d in small)}))


def no_weights(_site: Site, _folding: Folding) -> int:
    """Return the width of the weight memory of a process without one."""
    return 0


def code_type(element: IntType) -> str:
    """Return the C++ type of a code of ``element``."""
    return f"ap_{'' if element.is_signed else 'u'}int<{element.bits}>"


def recoding(x: IntType, y: IntType) -> tuple[int, int]:
    """Return ``base`` and ``factor``: the code of y is ``base + factor * (code of x)``.

    All values of ``x`` should be values of ``y``.
    """
    (start, step), (origin, unit) = linear(x), coding(y)
    return (start - origin) // unit, step // unit


def coding(element: IntType) -> tuple[int, int]:
    """Return ``origin, unit`` of ``value = origin + unit * code``."""
    return (element.lo, element.step) if element.is_offset_coded else (0, 1)


def linear(element: IntType) -> tuple[int, int]:
    """Return what ``coding`` does; a constant is its origin, with unit 0."""
    return (element.lo, 0) if element.count == 1 else coding(element)


def number_table(name: str, data: IntArray, note: str, complete: tuple[int, ...] = ()) -> Table:
    """Return ``data`` as a table of plain numbers in the narrowest machine words."""
    lo, hi = int(data.min()), int(data.max())
    signed = lo < 0
    needed = max(hi.bit_length(), (~lo).bit_length() if signed else 0) + signed
    bits = next(b for b in (8, 16, 32, 64) if b >= needed)
    return beside(Table(name, data, signed, bits, note, complete))


def beside(table: Table) -> Table:
    """Return ``table``, which stands beside the main memory, bound by its depth."""
    return replace(table, memory=memory_beside(table.words))


def memory_beside(words: int) -> Memory:
    """Return what so many constants beside the main ones lie in; a single one is no memory."""
    if words == 1:
        return Memory.AUTO
    return Memory.LUTRAM if words <= _MOST_WORDS_BESIDE else Memory.BRAM


def kept_memory(words: int, bits: int) -> Memory:
    """Return what words that a process keeps beside its main memory lie in, by what wastes least.

    Four look-up tables are 32 words of six bits, or 64 of three (RAM32M, RAM64M: UG474).
    """
    if words == 1:
        return Memory.AUTO
    columns = -(-bits // 6) if words <= 32 else -(-bits // 3) * -(-words // 64)
    is_small = 4 * columns <= LUTS_A_BRAM * block_rams(bits, words)
    return Memory.LUTRAM if is_small else Memory.BRAM


def multiplier_policy(multiplier: Multiplier, narrower_bits: int) -> str:
    """Return the policy of ``products.hpp`` that multiplies, by a factor of so many bits."""
    # Products of one or two bits are look-up tables, whatever the plan leaves open.
    if multiplier is Multiplier.AUTO and narrower_bits <= 2:
        multiplier = Multiplier.FABRIC
    return f"{multiplier.value.capitalize()}Multiplier"


def by_lane(rows: IntArray, layout: tuple[int, int], pe: int) -> IntArray:
    """Return ``rows [folds * lanes, n]``, as in ``layout``, as ``[pe, folds, n]``.

    Lanes look in different places: each has a table of its own, also where they share one.
    """
    import numpy as np

    tables = rows.reshape(*layout, -1).transpose(1, 0, 2)
    return np.repeat(tables, pe // layout[1], axis=0)


def bound(table: Table, memory: Memory) -> Table:
    """Return ``table [lanes, folds, n]`` bound to ``memory``, where it is deep enough for it."""
    return replace(table, memory=memory_of(memory, table.data.shape[1] * table.data.shape[2]))


def memory_of(memory: Memory, words: int) -> Memory:
    """Return what a table of so many words is bound to: no block RAM for a few of them."""
    return Memory.LUTRAM if memory is Memory.BRAM and words < _BRAM_WORDS else memory


def storage(memory: Memory) -> str:
    """Return what binds a buffer to ``memory``."""
    return "" if memory is Memory.AUTO else f" impl={memory.value}"


def unless_shared(table: IntArray) -> IntArray:
    """Return ``[folds, lanes, ...]``, cut to ``[1, 1, ...]`` where all channels are equal."""
    return table[:1, :1] if (table == table[:1, :1]).all() else table
