"""How a graph is laid out in hardware. Any plan computes the same integers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType
from typing import TypeGuard, TypeVar

from lutloom.core.errors import PlanError
from lutloom.core.strict_json import excerpt, parse_json, quoted

_E = TypeVar("_E", bound=Enum)

FORMAT = 1

_LARGEST = 1 << 40
"""More of anything than an FPGA has: numbers above are slips, and some can't even be printed."""

_ENTRIES = {"format", "graph", "word_bits", "channels", "processes", "fifos"}


class Memory(Enum):
    """What the main memory of a process lies in: its constants, or else what it keeps.

    ``URAM`` holds no constants.
    """

    AUTO = "auto"
    LUTRAM = "lutram"
    BRAM = "bram"
    URAM = "uram"


class FifoMemory(Enum):
    """Where the words of a FIFO lie; ``SRL`` are shift registers of look-up tables."""

    AUTO = "auto"
    SRL = "srl"
    LUTRAM = "lutram"
    BRAM = "bram"
    URAM = "uram"


class Multiplier(Enum):
    """What multiplies.

    ``PACKED`` are DSP slices with several products each, by multipliers of 27 x 18 bits;
    ``PACKED_25`` by those of 25 x 18 that the 7 series have.
    """

    AUTO = "auto"
    FABRIC = "fabric"
    DSP = "dsp"
    PACKED = "packed"
    PACKED_25 = "packed25"


class Comparison(Enum):
    """How a threshold process finds the level of a number.

    ``PARALLEL`` compares with all thresholds at once, ``SEARCH`` with one a pipeline stage;
    ``MULTIPLY`` compares with none, but multiplies, adds, shifts and clamps; ``TABLE`` looks the
    level of every number up.
    """

    AUTO = "auto"
    PARALLEL = "parallel"
    SEARCH = "search"
    MULTIPLY = "multiply"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Folding:
    """How much of a process works in one clock cycle, and out of what it is built.

    ``pe`` outputs are made at a time, from ``simd`` inputs at a time; of ``pixels`` pixels at a
    time, if these are more than one, all of them.
    """

    pe: int = 1
    simd: int = 1
    memory: Memory = Memory.AUTO
    multiplier: Multiplier = Multiplier.AUTO
    comparison: Comparison = Comparison.AUTO
    pixels: int = 1


@dataclass(frozen=True)
class Plan:
    """Foldings and FIFO depths of one graph of processes, by name.

    ``graph`` is the digest of that graph. ``foldings`` has an entry for every process;
    ``fifos`` one for every edge, by the name of its value, that is deeper than the default
    (elements: words of the writing process), ``fifo_memories`` one for every edge whose words have
    to lie in a certain memory. ``word_bits`` is the width of the AXI streams. ``channels``
    has an entry for every value that gets more channels than the model gives it, and how many, so
    that more foldings divide them.
    """

    graph: str
    foldings: Mapping[str, Folding]
    fifos: Mapping[str, int] = field(default_factory=dict)
    word_bits: int = 64
    fifo_memories: Mapping[str, FifoMemory] = field(default_factory=dict)
    channels: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        bound = {n: m for n, m in self.fifo_memories.items() if m is not FifoMemory.AUTO}
        object.__setattr__(self, "foldings", MappingProxyType(dict(self.foldings)))
        object.__setattr__(self, "fifos", MappingProxyType(dict(self.fifos)))
        object.__setattr__(self, "fifo_memories", MappingProxyType(bound))
        object.__setattr__(self, "channels", MappingProxyType(dict(self.channels)))

    def __reduce__(self) -> tuple[type[Plan], tuple[object, ...]]:
        maps = dict(self.foldings), dict(self.fifos)
        rest = self.word_bits, dict(self.fifo_memories), dict(self.channels)
        return Plan, (self.graph, *maps, *rest)

    def with_folding(self, name: str, folding: Folding) -> Plan:
        """Return the plan with the folding of one process replaced."""
        return replace(self, foldings={**self.foldings, name: folding})


def print_plan(plan: Plan) -> str:
    """Return ``plan`` as JSON, to be edited by hand and read by ``parse_plan``."""
    processes = {
        name: {
            "pe": folding.pe,
            "simd": folding.simd,
            "memory": folding.memory.value,
            "multiplier": folding.multiplier.value,
            "comparison": folding.comparison.value,
            **({"pixels": folding.pixels} if folding.pixels > 1 else {}),
        }
        for name, folding in plan.foldings.items()
    }
    document = {
        "format": FORMAT,
        "graph": plan.graph,
        "word_bits": plan.word_bits,
        **({"channels": dict(plan.channels)} if plan.channels else {}),
        "processes": processes,
        "fifos": {
            name: _fifo_entry(plan.fifos.get(name), plan.fifo_memories.get(name))
            for name in {**plan.fifos, **plan.fifo_memories}
        },
    }
    return json.dumps(document, indent=2) + "\n"


def parse_plan(text: str) -> Plan:
    """Return the plan that ``text`` says. Whether it fits a graph is for its user to check.

    Raises ``PlanError`` for what is no plan: the entry, what it is and what it should be.
    """
    try:
        document = parse_json(text)
    except ValueError as error:
        raise PlanError(f"the plan is no JSON: {error}") from error
    top = _object(document, "the plan", _ENTRIES)
    format_ = top.get("format")
    if not _is_integer(format_) or format_ != FORMAT:
        raise PlanError(f"the plan's format is {excerpt(format_)}: this version reads {FORMAT}")
    digest = top.get("graph")
    if not isinstance(digest, str):
        raise PlanError("the plan should name its graph by digest, as 'graph'")
    processes = _object(top.get("processes"), "'processes'", None)
    fifos = _object(top.get("fifos", {}), "'fifos'", None)
    entries = {name: _fifo(name, entry) for name, entry in fifos.items()}
    channels = _object(top.get("channels", {}), "'channels'", None)
    return Plan(
        digest,
        {name: _folding(name, entry) for name, entry in processes.items()},
        {name: depth for name, (depth, _) in entries.items() if depth is not None},
        _positive(top.get("word_bits", 64), "'word_bits'"),
        {name: memory for name, (_, memory) in entries.items()},
        {name: _positive(entry, f"the channels of {name}") for name, entry in channels.items()},
    )


def _fifo_entry(depth: int | None, memory: FifoMemory | None) -> int | dict[str, int | str]:
    """Return what the plan's file says of a FIFO: its depth, or that and its memory."""
    if memory is None and depth is not None:
        return depth
    words: dict[str, int | str] = {} if depth is None else {"depth": depth}
    return words if memory is None else {**words, "memory": memory.value}


def _fifo(name: str, entry: object) -> tuple[int | None, FifoMemory]:
    if not isinstance(entry, dict):
        return _positive(entry, f"the depth of {name}"), FifoMemory.AUTO
    known = _object(entry, f"the FIFO {name}", {"depth", "memory"})
    memory = _choice(FifoMemory, known.get("memory", "auto"), f"the memory of {name}")
    if "depth" not in known:
        return None, memory
    return _positive(known["depth"], f"the depth of {name}"), memory


def _folding(name: str, entry: object) -> Folding:
    keys = {"pe", "simd", "memory", "multiplier", "comparison", "pixels"}
    known = _object(entry, name, keys)
    return Folding(
        _positive(known.get("pe", 1), f"{name}: pe"),
        _positive(known.get("simd", 1), f"{name}: simd"),
        _choice(Memory, known.get("memory", "auto"), f"{name}: memory"),
        _choice(Multiplier, known.get("multiplier", "auto"), f"{name}: multiplier"),
        _choice(Comparison, known.get("comparison", "auto"), f"{name}: comparison"),
        _positive(known.get("pixels", 1), f"{name}: pixels"),
    )


def _object(value: object, what: str, keys: set[str] | None) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise PlanError(f"{what} should be a JSON object, not {excerpt(value)}")
    unknown = sorted(set(value) - keys) if keys is not None else []
    if unknown and keys is not None:
        name = quoted(unknown[0])
        raise PlanError(f"{what} has an unknown entry '{name}': use {sorted(keys)}")
    return value


def _positive(value: object, what: str) -> int:
    if not _is_integer(value) or value < 1:
        raise PlanError(f"{what} should be a positive integer, not {excerpt(value)}")
    if value > _LARGEST:
        raise PlanError(f"{what} should be a number that an FPGA has, not {excerpt(value)}")
    return value


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _choice(kind: type[_E], value: object, what: str) -> _E:
    legal = [member.value for member in kind]
    if value not in legal:
        raise PlanError(f"{what} is {excerpt(value)}: use one of {legal}")
    return kind(value)
