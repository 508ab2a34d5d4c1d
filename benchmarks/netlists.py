"""Synthesize Verilog with yosys and count look-up tables, as the device has them.

A look-up table of a slice is what computes one bit of a carry chain, too: what chooses (S) and what
is added (DI) lie in the same one, if they need five inputs together (UG474). So each bit of a chain
counts as one, whatever yosys makes of it. Nothing else is paired, though the placer may put two
functions of the same five bits into one; wide multiplexers (F7, F8) and inverters take none.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Bit = int | str  # a net's number, or a constant


class Cell(TypedDict):
    """A cell of a netlist, as yosys writes it."""

    type: str
    connections: dict[str, list[Bit]]
    port_directions: dict[str, str]


# The look-up tables of memories: UG474 (RAM32M, RAM64M), UG574 (RAM32M16, RAM64M8).
_MEMORIES = {
    "RAM32X1D": 2,
    "RAM64X1D": 2,
    "RAM128X1D": 4,
    "RAM256X1D": 8,
    "RAM32M": 4,
    "RAM64M": 4,
    "RAM32M16": 8,
    "RAM64M8": 8,
    "SRL16E": 1,
    "SRLC32E": 1,
}
_FREE = {"CARRY4", "CARRY8", "FDRE", "FDSE", "INV", "MUXF7", "MUXF8", "MUXF9"}
_PAIRED_INPUTS = 5


def yosys_version() -> str:
    """Return what yosys calls itself."""
    return subprocess.run(
        ["yosys", "-V"], check=True, capture_output=True, text=True
    ).stdout.strip()  # fmt: skip


def script(family: str, source: str, netlist: str, options: Sequence[str] = ()) -> str:
    """Return the commands by which ``source`` becomes ``netlist``.

    Modules keep their borders but for those that are marked as chains: sums become carry chains
    there before they are dissolved.
    """
    return f"""
        read_verilog -lib -specify +/xilinx/cells_sim.v
        read_verilog -lib +/xilinx/cells_xtra.v
        read_verilog {source}
        hierarchy -check
        proc
        alumacc A:is_chain
        flatten
        delete A:is_chain
        synth_xilinx -family {family} {" ".join(_OPTIONS)} {" ".join(options)} -run prepare:edif
        write_json {netlist}
    """


_OPTIONS = ("-noiopad", "-noclkbuf", "-nodsp", "-nobram")


def luts_of(verilog: str, family: str, options: Sequence[str] = ()) -> dict[str, int]:
    """Return the look-up tables of every module that ``verilog`` has, for a family of yosys."""
    with tempfile.TemporaryDirectory() as folder:
        source, netlist = Path(folder, "parts.v"), Path(folder, "parts.json")
        source.write_text(verilog, encoding="ascii")
        commands = script(family, str(source), str(netlist), options)
        subprocess.run(["yosys", "-q", "-q", "-p", "; ".join(commands.split("\n"))], check=True)
        modules = json.loads(netlist.read_text(encoding="utf-8"))["modules"]
    return {
        name: _count(module["cells"])
        for name, module in modules.items()
        if "keep_hierarchy" in module["attributes"]
    }


def _count(cells: Mapping[str, Cell]) -> int:
    """Return the look-up tables of one module. Raises ``ValueError`` for a cell nobody knows."""
    kinds = Counter(cell["type"] for cell in cells.values())
    tables = {name: cell for name, cell in cells.items() if cell["type"].startswith("LUT")}
    unknown = set(kinds) - set(_MEMORIES) - _FREE - {cell["type"] for cell in tables.values()}
    if unknown:
        raise ValueError(f"cells of unknown size: {', '.join(sorted(unknown))}")
    drivers = {bit: name for name, cell in tables.items() for bit in _bits(cell, "output")}
    readers = Counter(bit for cell in cells.values() for bit in _bits(cell, "input"))
    steps, choosers = 0, set()
    absorbed: Counter[Bit] = Counter()
    for choice, addend in _chain_bits(cells):
        steps += 1
        chooser, adds = drivers.get(choice), drivers.get(addend)
        inputs = set(_bits(tables[chooser], "input")) if chooser else {choice}
        if chooser:
            choosers.add(chooser)
        if adds and len(inputs.union(_bits(tables[adds], "input"))) <= _PAIRED_INPUTS:
            absorbed[addend] += 1
    # What is added is made again in each bit that needs it, if nothing else reads it.
    adders = {drivers[bit] for bit, count in absorbed.items() if count == readers[bit]}
    memories = sum(_MEMORIES.get(kind, 0) * count for kind, count in kinds.items())
    return steps + len(tables.keys() - choosers - adders) + memories


def _bits(cell: Cell, direction: str) -> Iterator[Bit]:
    for port, bits in cell["connections"].items():
        if cell["port_directions"][port] == direction:
            yield from (bit for bit in bits if isinstance(bit, int))


def _chain_bits(cells: Mapping[str, Cell]) -> Iterator[tuple[Bit, Bit]]:
    """Give what chooses and what is added for each bit of a carry chain that isn't constant."""
    for cell in cells.values():
        if cell["type"] == "CARRY4":
            pins = cell["connections"]
            for choice, addend in zip(pins["S"], pins["DI"], strict=True):
                if isinstance(choice, int):
                    yield choice, addend
