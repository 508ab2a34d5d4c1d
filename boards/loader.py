"""A board's TOML file, checked key by key, becomes a ``Board``; a board's name finds its file.

The name is the file's own, without its ending and with hyphens: ``pynq_z1.toml`` is ``pynq-z1``.
Parts and board parts are written into Tcl later on, so their spelling is checked here.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from enum import Enum
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from lutloom.boards.board import Board, MemoryPorts, Shell
from lutloom.boards.device import Family
from lutloom.core.errors import LutloomError
from lutloom.core.files import read_text

if TYPE_CHECKING:
    from collections.abc import Mapping

_Choice = TypeVar("_Choice", bound=Enum)

_PARTS = {
    Family.ZYNQ_7000: (r"x[acq]7z[0-9]{3}s?[a-z]+[0-9]+-[0-9][a-z]*", "xc7z020clg400-1"),
    Family.ZYNQ_ULTRASCALE_PLUS: (
        r"x[acq](zu|k)[0-9]+[a-z]*-[a-z]+[0-9]+-[0-9A-Z]+-[a-z]",
        "xczu3eg-sbva484-1-e",
    ),
    Family.ULTRASCALE_PLUS: (
        r"xc[a-z]+[0-9]+[a-z]*-[a-z]+[0-9]+-[0-9][0-9A-Z]*-[a-z]",
        "xcu250-figd2104-2L-e",
    ),
    Family.VERSAL: (
        r"xc[a-z]+[0-9]+-[a-z]+[0-9]+-[0-9][0-9A-Za-z]*-[a-z]-[a-zA-Z]",
        "xcvc1902-vsva2197-2MP-e-S",
    ),
}
_BOARD_PART = r"[A-Za-z0-9._-]+:[A-Za-z0-9._-]+:part[0-9]+:[0-9]+(\.[0-9]+)*"
_NAME = r"[a-z0-9]+(-[a-z0-9]+)*"


class BoardError(LutloomError, ValueError):
    """A board that is not known, or a board file that cannot be used."""


def board_names() -> tuple[str, ...]:
    """Return the names of the boards that come with lutloom, in alphabetical order."""
    entries = (entry.name for entry in files("lutloom.boards").iterdir())
    return tuple(sorted(_name_of(entry) for entry in entries if entry.endswith(".toml")))


def list_boards() -> tuple[Board, ...]:
    """Return the boards that come with lutloom, in alphabetical order of their names."""
    return tuple(load_board(name) for name in board_names())


def load_board(name_or_path: str | Path) -> Board:
    """Return a known board by its name, or a board of the user's by the path of its TOML file.

    Names are taken in any case, with hyphens, underscores or blanks; what ends in ``.toml`` or
    holds a path separator is a path. Raises ``BoardError`` for a name that is not known (it lists
    those that are), and for a file that cannot be read or whose content is not a board's.
    """
    if isinstance(name_or_path, Path) or name_or_path.endswith(".toml") or "/" in name_or_path:
        path = Path(name_or_path)
        return _parse(_read(path), str(path), _checked_name(path))
    name = _name_of(name_or_path.strip())
    if name not in board_names():
        raise BoardError(_unknown(name_or_path, name))
    file_name = name.replace("-", "_") + ".toml"
    text = files("lutloom.boards").joinpath(file_name).read_text(encoding="utf-8")
    return _parse(text, file_name, name)


def _name_of(text: str) -> str:
    return re.sub(r"[ _]", "-", text.removesuffix(".toml").lower())


def _checked_name(path: Path) -> str:
    name = _name_of(path.name)
    if not re.fullmatch(_NAME, name):
        raise BoardError(
            f"board file {str(path)!r}: a board is named after its file, and {name!r} is no name: "
            "use letters, digits and single hyphens or underscores"
        )
    return name


def _unknown(given: str, name: str) -> str:
    import difflib

    known = board_names()
    nearest = difflib.get_close_matches(name, known, n=1)
    guess = f" Did you mean {nearest[0]}?" if nearest else ""
    return (
        f"board {given!r} is not known.{guess} Known boards: {', '.join(known)}; "
        "for another one give the path of its TOML file"
    )


def _read(path: Path) -> str:
    try:
        return read_text(path)
    except FileNotFoundError:
        raise BoardError(
            f"board file {str(path)!r} does not exist: give the path of a TOML file, "
            f"or one of the known boards: {', '.join(board_names())}"
        ) from None
    except UnicodeDecodeError as error:
        raise BoardError(
            f"board file {str(path)!r} is not text in UTF-8 (byte {error.start}): "
            "give the path of a TOML file"
        ) from None
    except OSError as error:
        raise BoardError(
            f"board file {str(path)!r} cannot be read: {error.strerror}: "
            "give the path of a TOML file"
        ) from None


@dataclass(frozen=True)
class _Table:
    """One table of a board file: reads typed values and names itself in what it refuses."""

    file: str
    prefix: str
    values: Mapping[str, object]

    def refuse(self, key: str, found: str, legal: str) -> BoardError:
        return BoardError(f"{self.file}: {self.prefix}{key} {found}: give {legal}")

    def only(self, *keys: str) -> None:
        for key in self.values:
            if key not in keys:
                raise self.refuse(
                    repr(key) if not re.fullmatch(r"\w+", key) else key,
                    "is not a key of a board",
                    f"one of {', '.join(keys)}",
                )

    def value(self, key: str, legal: str) -> object:
        if key not in self.values:
            raise self.refuse(key, "is missing", legal)
        return self.values[key]

    def text(self, key: str, legal: str, pattern: str = r"[^\x00-\x1f\x7f]+") -> str:
        value = self.value(key, legal)
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise self.refuse(key, f"is {value!r}", legal)
        return value

    def texts(self, key: str, legal: str) -> tuple[str, ...]:
        value = self.value(key, legal)
        if not isinstance(value, list) or not value:
            raise self.refuse(key, f"is {value!r}", legal)
        texts = tuple(item for item in value if isinstance(item, str) and item.isprintable())
        if len(texts) != len(value):
            raise self.refuse(key, f"is {value!r}", legal)
        return texts

    def integer(self, key: str, low: int, high: int) -> int:
        legal = f"an integer from {low} to {high}"
        value = self.value(key, legal)
        # TOML's true is a Python int
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.refuse(key, f"is {value!r}", legal)
        return value

    def choice(self, key: str, choices: type[_Choice]) -> _Choice:
        legal = "one of " + ", ".join(f'"{choice.value}"' for choice in choices)
        value = self.value(key, legal)
        for choice in choices:
            if choice.value == value:
                return choice
        raise self.refuse(key, f"is {value!r}", legal)

    def table(self, key: str) -> _Table:
        value = self.value(key, f"a table [{key}]")
        if not isinstance(value, dict):
            raise self.refuse(key, f"is {value!r}", f"a table [{key}]")
        return _Table(self.file, f"{self.prefix}{key}.", value)


def _parse(text: str, file: str, name: str) -> Board:
    try:
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # numbers of 5000 digits, brackets as many
        raise BoardError(f"{file} is not TOML: {error}") from None
    board = _Table(file, "", values)
    board.only(
        "title", "part", "family", "clock_mhz", "shell", "sources",
        "resources", "memory_ports", "vivado",
    )  # fmt: skip
    resources = board.table("resources")
    resources.only("lut", "ff", "bram18", "uram", "dsp")
    family = board.choice("family", Family)
    part_pattern, part_example = _PARTS[family]
    return Board(
        name=name,
        title=board.text("title", "the board's name for readers"),
        part=board.text(
            "part", f'a part of the family {family.value}, such as "{part_example}"', part_pattern
        ),
        family=family,
        lut=resources.integer("lut", 1, 10**8),
        ff=resources.integer("ff", 1, 10**8),
        bram18=resources.integer("bram18", 0, 10**6),
        uram=resources.integer("uram", 0, 0 if family is Family.ZYNQ_7000 else 10**6),
        dsp=resources.integer("dsp", 0, 10**6),
        clock_mhz=board.integer("clock_mhz", 1, 1000),
        shell=_shell(board, family),
        memory_ports=_memory_ports(board.table("memory_ports")),
        sources=board.texts("sources", "a list of the data sheets that the figures come from"),
        **_vivado(board),
    )


def _shell(board: _Table, family: Family) -> Shell:
    shell = board.choice("shell", Shell)
    if shell is Shell.ZYNQ and family is not Family.ZYNQ_7000:
        raise board.refuse(
            "shell", f"is 'zynq' but the family is {family.value!r}", '"none" for this family'
        )
    return shell


def _memory_ports(table: _Table) -> MemoryPorts:
    table.only("kind", "count", "width")
    width = table.integer("width", 8, 1024)
    if width & (width - 1):
        raise table.refuse("width", f"is {width}", "a power of two, in bits")
    return MemoryPorts(
        kind=table.text("kind", 'the name of the ports, such as "HP"', r"[A-Za-z0-9_]+"),
        count=table.integer("count", 1, 64),
        width=width,
    )


def _vivado(board: _Table) -> dict[str, str]:
    # A board that Vivado does not know by name has a part and no such table.
    if "vivado" not in board.values:
        return {"board_part": "", "board_files": ""}
    vivado = board.table("vivado")
    vivado.only("board_part", "board_files")
    return {
        "board_part": vivado.text(
            "board_part", 'Vivado\'s name, such as "tul.com.tw:pynq-z2:part0:1.0"', _BOARD_PART
        ),
        "board_files": vivado.text("board_files", "where the board's files are to be had"),
    }
