"""The commands that make a build again, and go on from it: typed in the build's own directory."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from lutloom.build import MODEL, PLAN, SAMPLES, Build
from lutloom.core.types import BIPOLAR

if TYPE_CHECKING:
    from pathlib import Path

    from lutloom.core.ports import InputPort


def compile_again(build: Build, directory: Path) -> str:
    """Return the command that compiles the build in ``directory`` again, with the same plan."""
    from lutloom.boards import board_names, load_board

    board = build.board
    # A file of the user's may have the name of another board.
    is_known = board.name in board_names() and load_board(board.name) == board
    options = [
        *("lutloom", "compile", MODEL, "--name", build.name, "--plan", PLAN),
        *(("--board", board.name) if is_known else ("--part", board.part)),
        *(() if build.clock_mhz == board.clock_mhz else ("--clock", f"{build.clock_mhz:g}")),
        *_input_options(build),
        *(("--data", SAMPLES) if (directory / SAMPLES).exists() else ()),
        *("-o", "../again"),
    ]
    return shlex.join(options)


def _input_options(build: Build) -> list[str]:
    ports = [port for port in build.network.inputs if port.is_raw]
    found = []
    for port in ports:
        name = f"{port.name}=" if len(build.network.inputs) > 1 else ""
        for option, value in _raw(build, port):
            found += [f"--input-{option}", f"{name}{value}"]
    return found


def _raw(build: Build, port: InputPort) -> list[tuple[str, str]]:
    """Return what the options say that the integers of an input are, and stand for."""
    meaning = build.network.meaning[port.value]
    element = build.network.graph.inputs[port.value].element
    found = [("type", "bipolar" if element == BIPOLAR else f"{element.lo}..{element.hi}")]
    for option, numbers, default in (("scale", meaning.scale, 1), ("bias", meaning.bias, 0)):
        if any(number != default for number in numbers):
            found.append((option, ",".join(map(str, numbers))))
    return found
