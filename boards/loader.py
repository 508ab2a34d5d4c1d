"""A board's TOML file, checked key by key, becomes a ``Board``; a board's name finds its file.

The name is the file's own, without its ending and with hyphens: ``pynq_z1.toml`` is ``pynq-z1``.
Parts and board parts are written into Tcl later on, so their spelling is checked here.
"""

from __future__ import annotations

import re
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

from lutloom.boards.board import Board, MemoryPorts, Shell
from lutloom.boards.device import Family
from lutloom.boards.parts import (
    VERSION,
    Silicon,
    find_part,
    part_spelling,
    read_device,
    read_sources,
    read_unchecked,
)
from lutloom.boards.tables import BoardError, Table, parse
from lutloom.core.files import read_text

_BOARD_PART = r"[A-Za-z0-9._-]+:[A-Za-z0-9._-]+:part[0-9]+:[0-9]+(\.[0-9]+)*"
_NAME = r"[a-z0-9]+(-[a-z0-9]+)*"
# The clock to ask for, and the highest, in MHz.
_CLOCKS = {
    Family.SERIES_7: (100, 400),
    Family.ZYNQ_7000: (100, 250),
    Family.ULTRASCALE: (200, 400),
    Family.ULTRASCALE_PLUS: (200, 500),
    Family.ZYNQ_ULTRASCALE_PLUS: (200, 400),
    Family.VERSAL: (250, 500),
}
# UG585 and UG1085: the high-performance ports between fabric and DDR.
_PROCESSOR_PORTS = {
    Family.ZYNQ_7000: (MemoryPorts("DDR", "S_AXI_HP#", 4, 64),),
    Family.ZYNQ_ULTRASCALE_PLUS: (MemoryPorts("DDR", "S_AXI_HP#_FPD", 4, 128),),
}


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
        return _board(parse(_read(path), str(path)), _checked_name(path))
    name = _name_of(name_or_path.strip())
    if name not in board_names():
        raise BoardError(_unknown(name_or_path, name))
    file_name = name.replace("-", "_") + ".toml"
    text = files("lutloom.boards").joinpath(file_name).read_text(encoding="utf-8")
    return _board(parse(text, file_name), name)


def board_of_part(part: str) -> Board:
    """Return a board that is nothing but a part, such as ``xc7z010clg400-1``, of a known device.

    Its clock is the family's usual one, its memory ports are those of the family's processor.
    Raises ``BoardError`` for a part that is not spelt as parts are, or of an unknown device.
    """
    name = part.strip()
    silicon = find_part(name)
    family = silicon.device.family
    clock, highest = _CLOCKS[family]
    return Board(
        name=name,
        title=f"the part {name} alone",
        part=name,
        silicon=silicon,
        clock_mhz=clock,
        highest_clock_mhz=highest,
        shell=Shell.NONE,
        memory_ports=_PROCESSOR_PORTS.get(family, ()),
        unchecked=("highest_clock_mhz",),
    )


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


def _board(table: Table, name: str) -> Board:
    table.only(
        "title", "part", "clock_mhz", "highest_clock_mhz", "shell", "sources", "unchecked",
        "memory_ports", "vivado", "vitis", "device",
    )  # fmt: skip
    part, silicon = _part(table)
    clock = table.integer("clock_mhz", 1, 1000)
    board = Board(
        name=name,
        title=table.text("title", "the board's name for readers"),
        part=part,
        silicon=silicon,
        clock_mhz=clock,
        highest_clock_mhz=table.integer("highest_clock_mhz", clock, 1000, default=clock),
        shell=_shell(table, silicon.device.family),
        memory_ports=tuple(map(_memory_ports, table.tables("memory_ports"))),
        sources=read_sources(table),
        unchecked=read_unchecked(table),
    )
    return _with_platform(_with_board_part(board, table), table)


def _with_board_part(board: Board, table: Table) -> Board:
    # A board that Vivado does not know by name has a part and no such table.
    if "vivado" not in table.values:
        return board
    vivado = table.table("vivado")
    vivado.only("board_part", "board_files")
    return replace(
        board,
        board_part=vivado.text(
            "board_part", 'Vivado\'s name, such as "tul.com.tw:pynq-z2:part0:1.0"', _BOARD_PART
        ),
        board_files=vivado.text("board_files", "where the board's files are to be had"),
    )


def _with_platform(board: Board, table: Table) -> Board:
    if "vitis" not in table.values:
        if board.shell is Shell.VITIS:
            raise table.refuse("vitis", "is missing, and the shell is 'vitis'", "a table [vitis]")
        return board
    vitis = table.table("vitis")
    vitis.only("platform", "platform_files", "last_vitis")
    legal = 'Vitis\'s name, such as "xilinx_u55c_gen3x16_xdma_3_202210_1"'
    return replace(
        board,
        platform=vitis.text("platform", legal, r"[A-Za-z0-9_.-]+"),
        platform_files=vitis.text("platform_files", "where the platform is to be had"),
        last_vitis=vitis.text("last_vitis", 'a version, such as "2025.1"', VERSION, default=""),
    )


def _part(table: Table) -> tuple[str, Silicon]:
    if "device" not in table.values:
        part = table.text("part", 'the name of a part, such as "xc7z020clg400-1"')
        try:
            return part, find_part(part)
        except BoardError as error:
            raise BoardError(f"{table.file}: {error}") from None
    silicon = read_device(table.table("device"), read_sources(table))
    pattern, example = part_spelling(silicon.device.family)
    family = silicon.device.family.value
    return table.text(
        "part", f'a part of the family {family}, such as "{example}"', pattern
    ), silicon


def _shell(table: Table, family: Family) -> Shell:
    shell = table.choice("shell", Shell)
    if shell is Shell.ZYNQ and family not in {Family.ZYNQ_7000, Family.ZYNQ_ULTRASCALE_PLUS}:
        raise table.refuse(
            "shell", f"is 'zynq' but the family is {family.value!r}", '"none" for this family'
        )
    return shell


def _memory_ports(table: Table) -> MemoryPorts:
    table.only("kind", "name", "count", "width")
    width = table.integer("width", 8, 1024)
    if width & (width - 1):
        raise table.refuse("width", f"is {width}", "a power of two, in bits")
    return MemoryPorts(
        kind=table.text("kind", 'what they lead to, such as "DDR"', r"[A-Za-z0-9_ ]+"),
        name=table.text(
            "name",
            'the name of the ports, # for their number, such as "S_AXI_HP#"',
            r"[A-Za-z0-9_\[\]#]+",
        ),
        count=table.integer("count", 1, 64),
        width=width,
    )
