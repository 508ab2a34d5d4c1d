"""What takes a generated project on: Tcl, ``v++`` configurations, a Makefile, a page of next steps.

The same project runs in ``vitis_hls`` (2022.2 to 2024.2), ``vitis-run`` and ``v++`` (2023.2 and
later); which of them is there is found out when it is run. HLS is asked for 0.8 of the period of
the board's clock and keeps a tenth of that in reserve, since placement and routing cost time that
it does not know of. Nothing in these files comes from the model but identifiers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from lutloom.codegen.names import identifier
from lutloom.codegen.render import render
from lutloom.core.errors import LutloomError

if TYPE_CHECKING:
    from lutloom.boards import Board

HLS_SHARE = Fraction(4, 5)
"""The share of the target's period that HLS is asked for."""

UNCERTAINTY_SHARE = Fraction(1, 10)
"""The share of its period that HLS keeps in reserve."""

TESTBENCH = "hls/tb/testbench.cpp"
"""The testbench of all units, which takes no arguments and returns 0 if all images are right."""


class ToolflowError(LutloomError, ValueError):
    """A clock, part or name that no tool can be given."""


@dataclass(frozen=True)
class UnitSources:
    """A unit: its top function and its C++ files, relative to the project's directory."""

    top: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class AxiStream:
    """An AXI4-Stream of the design, between ports ``UNIT.ARGUMENT`` or the host.

    An image is ``beats`` transfers of ``bits`` bits.
    """

    source: str
    target: str
    bits: int
    beats: int


def write_toolflow(
    directory: Path,
    *,
    name: str,
    units: Sequence[UnitSources],
    part: str,
    clock_mhz: float,
    board: Board | None,
    streams: Sequence[AxiStream] = (),
    testbench: Sequence[str] = (TESTBENCH,),
) -> None:
    """Write ``Makefile``, ``NEXT_STEPS.md`` and ``scripts/`` into ``directory``.

    ``units`` are in the order of the data, which ``streams`` join; ``testbench`` are its C++ files
    and the data that it reads. ``clock_mhz`` is the target, the frequency of the fabric's clock.
    Same arguments, same bytes. Raises ``ToolflowError`` for what no tool could be given; nothing is
    written then.
    """
    clock = _clock(clock_mhz)
    _check_names(units, part, testbench)
    target, period = _picoseconds(1, clock), _picoseconds(HLS_SHARE, clock)
    compiled = [path for path in testbench if path.endswith(".cpp")]
    compiled += [path for unit in units for path in unit.sources if path.endswith(".cpp")]
    facts: dict[str, object] = {
        "name": identifier(name),
        "units": units,
        "streams": streams,
        "part": part,
        "clock": f"{float(clock):g}",
        "target": _nanoseconds(target),
        "period": _nanoseconds(period),
        "uncertainty": _nanoseconds(math.ceil(UNCERTAINTY_SHARE * period)),
        "board": _plain(board.title) if board else "none: a part alone",
        "board_part": _plain(board.board_part) if board else "",
        "board_files": _plain(board.board_files) if board else "",
        "compiled": list(dict.fromkeys(compiled)),
    }
    texts = {
        "Makefile": render("flow/Makefile.j2", **facts),
        "NEXT_STEPS.md": render("flow/NEXT_STEPS.md.j2", **facts),
        "scripts/hls.sh": render("flow/hls.sh.j2", **facts),
        "scripts/testbench.sh": render("flow/testbench.sh.j2", **facts),
        "scripts/run_hls.tcl": render("flow/run_hls.tcl.j2", **facts),
    }
    for unit in units:
        # The testbench calls all units, so that those which are not under test go with it.
        others = [path for other in units if other != unit for path in other.sources]
        own = {**facts, "unit": unit, "testbench": [*testbench, *dict.fromkeys(others)]}
        texts[f"scripts/{unit.top}.tcl"] = render("flow/unit.tcl.j2", **own)
        texts[f"scripts/{unit.top}.cfg"] = render("flow/unit.cfg.j2", **own)
    for path, text in texts.items():
        target_file = directory / path
        target_file.parent.mkdir(parents=True, exist_ok=True)
        target_file.write_text(text, encoding="utf-8", newline="\n")


def _clock(clock_mhz: float) -> Fraction:
    if not 1 <= clock_mhz <= 1000:
        raise ToolflowError(f"the clock is {clock_mhz} MHz: give a frequency from 1 to 1000 MHz")
    return Fraction(str(clock_mhz))


def _picoseconds(share: Fraction | int, clock_mhz: Fraction) -> int:
    return math.floor(share * 1_000_000 / clock_mhz)


def _nanoseconds(picoseconds: int) -> str:
    return f"{picoseconds // 1000}.{picoseconds % 1000:03d}"


def _check_names(units: Sequence[UnitSources], part: str, testbench: Sequence[str]) -> None:
    tops = [unit.top for unit in units]
    if not tops or len(set(tops)) != len(tops):
        raise ToolflowError(f"the units are {tops}: there should be one or more, all different")
    for top in tops:
        # run_hls is the name of the script that is common to all.
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", top) or top == "run_hls":
            raise ToolflowError(f"the unit {top!r} should be an identifier of C++")
    for path in (*testbench, *(path for unit in units for path in unit.sources)):
        parts = path.split("/")
        if not all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", part) for part in parts):
            raise ToolflowError(
                f"the source {path!r} should be a path below the project's directory, "
                "of letters, digits, '_', '.' and '-'"
            )
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*", part):
        raise ToolflowError(f"the part {part!r} should be one such as xc7z020clg400-1")


def _plain(text: str) -> str:
    """Return ``text`` so that Markdown shows it as it is, on one line of a table."""
    return re.sub(r"[^A-Za-z0-9 .,:;/()+_-]", " ", text)
