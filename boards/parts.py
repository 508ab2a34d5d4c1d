"""Parts: a part's name holds its device's, and the device tables say what that device holds.

``devices/`` has a file for each line of products: all packages and speed grades of a device hold
the same, and so do the devices that a row has under ``also``.
Parts are written into Tcl later on, so their spelling is checked here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING

from lutloom.boards.device import Device, Family
from lutloom.boards.tables import BoardError, Table, parse

if TYPE_CHECKING:
    from collections.abc import Mapping

# The device's name is the first group of each pattern; a part beside it shows how they are spelt.
_PARTS = {
    Family.SERIES_7: (
        r"(x[acq]7(?:[ask][0-9]+t?|v[xh]?[0-9]+t?))[a-z]+[0-9]+-[0-9][a-zA-Z]*",
        "xc7a35tcsg324-1",
    ),
    Family.ZYNQ_7000: (r"(x[acq]7z[0-9]{3}s?)[a-z]+[0-9]+-[0-9][a-z]*", "xc7z020clg400-1"),
    Family.ULTRASCALE: (
        r"(x[cq][kv]u[0-9]+)-[a-z]+[0-9]+-[0-9][0-9A-Z]*-[a-z]",
        "xcku040-ffva1156-2-e",
    ),
    Family.ULTRASCALE_PLUS: (
        r"(x[acq][a-z]+[0-9]+[a-z]*)-[a-z]+[0-9]+-[0-9][0-9A-Z]*-[a-z]",
        "xcu250-figd2104-2L-e",
    ),
    Family.ZYNQ_ULTRASCALE_PLUS: (
        r"(x[acq](?:zu|k)[0-9]+[a-z]*)-[a-z]+[0-9]+-[0-9A-Z]+-[a-z]",
        "xczu3eg-sbva484-1-e",
    ),
    Family.VERSAL: (
        r"(x[acq][a-z]+[0-9]+)-[a-z]+[0-9]+-[0-9][0-9A-Za-z]*-[a-z]-[a-zA-Z]",
        "xcvc1902-vsva2197-2MP-e-S",
    ),
}
VERSION = r"20[0-9]{2}\.[0-9](\.[0-9])?"


class Licence(Enum):
    """Which edition of Vivado knows the part: the free one, or only the one that is paid for."""

    STANDARD = "standard"
    ENTERPRISE = "enterprise"


@dataclass(frozen=True)
class Silicon:
    """What is known of a device wherever it is soldered to.

    ``first_vivado`` is the first version of the tools that knows it, "" where all those do that
    can compile our C++ (2020.1 and later); ``last_vivado`` is the last one, "" where no last one
    is known of. ``sources`` and ``unchecked`` are as in ``Board``.
    """

    device: Device
    licence: Licence
    first_vivado: str
    last_vivado: str
    sources: tuple[str, ...]
    unchecked: tuple[str, ...] = ()


def find_part(part: str) -> Silicon:
    """Return what is known of a part, such as ``xc7z010clg400-1``.

    Raises ``BoardError`` for what is not spelt as parts are, and for a device that no table has.
    """
    names = [match[1] for pattern, _ in _PARTS.values() if (match := re.fullmatch(pattern, part))]
    if not names:
        raise BoardError(
            f"part {part!r} is not spelt as parts are, with package and speed grade: give one such "
            f"as {', '.join(example for _, example in _PARTS.values())}"
        )
    devices = known_devices()
    found = next((devices[name] for name in names if name in devices), None)
    if found is None:
        raise BoardError(_unknown(part, names[0]))
    return found


def _unknown(part: str, name: str) -> str:
    import difflib

    nearest = difflib.get_close_matches(name, known_devices(), n=5, cutoff=0)
    return (
        f"part {part!r}: there is no table of what the device {name} holds (there is one of "
        f"{', '.join(sorted(nearest))} and others): write a board file with a table [device]"
    )


def part_spelling(family: Family) -> tuple[str, str]:
    """Return the pattern of the names of a family's parts, and one of them."""
    return _PARTS[family]


@cache
def known_devices() -> Mapping[str, Silicon]:
    """Return the devices that the tables hold, by name, in alphabetical order."""
    found: dict[str, Silicon] = {}
    for entry in files("lutloom.boards").joinpath("devices").iterdir():
        if entry.name.endswith(".toml"):
            found |= _devices(parse(entry.read_text(encoding="utf-8"), entry.name))
    return MappingProxyType(dict(sorted(found.items())))


def _devices(table: Table) -> dict[str, Silicon]:
    table.only("family", "sources", "devices")
    rows = table.table("devices")
    family, sources = table.choice("family", Family), read_sources(table)
    found: dict[str, Silicon] = {}
    for name in rows.values:
        row = rows.table(name)
        silicon = _silicon(row.without("also"), family, sources)
        also = row.texts("also", "devices that hold the same") if "also" in row.values else ()
        found |= dict.fromkeys((name, *also), silicon)
    return found


def read_device(table: Table, sources: tuple[str, ...]) -> Silicon:
    """Return what a board's own table [device] says of a device that no table of ours has."""
    return _silicon(table.without("family"), table.choice("family", Family), sources)


def _silicon(table: Table, family: Family, sources: tuple[str, ...]) -> Silicon:
    table.only(
        "lut", "ff", "bram18", "uram", "dsp", "slrs",
        "licence", "first_vivado", "last_vivado", "unchecked",
    )  # fmt: skip
    has_uram = family not in {Family.SERIES_7, Family.ZYNQ_7000, Family.ULTRASCALE}
    version = 'a version of Vivado, such as "2022.1"'
    return Silicon(
        device=Device(
            family=family,
            lut=table.integer("lut", 1, 10**8),
            ff=table.integer("ff", 1, 10**8),
            bram18=table.integer("bram18", 0, 10**6),
            uram=table.integer("uram", 0, 10**6 if has_uram else 0, default=0),
            dsp=table.integer("dsp", 0, 10**6),
            slrs=table.integer("slrs", 1, 16, default=1),
        ),
        licence=table.choice("licence", Licence),
        first_vivado=table.text("first_vivado", version, VERSION, default=""),
        last_vivado=table.text("last_vivado", version, VERSION, default=""),
        sources=sources,
        unchecked=read_unchecked(table),
    )


def read_sources(table: Table) -> tuple[str, ...]:
    """Return the data sheets that a file names."""
    return table.texts("sources", "a list of the data sheets that the figures come from")


def read_unchecked(table: Table) -> tuple[str, ...]:
    """Return the keys of a table that it says to be unchecked; they have to be there."""
    if "unchecked" not in table.values:
        return ()
    legal = "a list of keys of this table"
    names = table.texts("unchecked", legal)
    for name in names:
        if name not in table.values:
            raise table.refuse("unchecked", f"names {name!r}, which is not there", legal)
    return names
