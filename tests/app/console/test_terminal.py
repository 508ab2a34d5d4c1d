"""What is printed fits where it goes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.app.commands import Invoke


def commands(build: Path, models: Path) -> list[tuple[str | Path, ...]]:
    return [
        ("--help",),
        ("boards",),
        ("inspect", models / "float.onnx"),
        ("simulate", build, "--data", models / "float.npy"),
        ("throughput", build),
        ("verify", build, "--no-csim", "--samples", "3"),
    ]


def test_what_is_printed_fits_eighty_columns_and_has_no_colours_where_it_is_piped(
    invoke: Invoke, float_build: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    for command in commands(float_build, models):
        ended = invoke(*command)
        assert (ended.status, ended.err) == (0, ""), command
        assert "\x1b" not in ended.out
        paths = ("next: ", "report: ")
        lines = [line for line in ended.out.splitlines() if not line.startswith(paths)]
        assert max(map(len, lines)) <= 80, command


def test_no_color_is_honoured_on_a_terminal() -> None:
    pty = pytest.importorskip("pty", reason="needs pseudo-terminals")
    shown = {}
    for no_color in ("", "1"):
        master, slave = pty.openpty()
        environment = {**os.environ, "NO_COLOR": no_color, "TERM": "xterm-256color"}
        subprocess.run(
            [
                sys.executable,
                "-c",
                "from lutloom.console.terminal import console as c; c.print('[red]x')",
            ],
            stdout=slave,
            check=True,
            env=environment,
        )
        os.close(slave)
        shown[no_color] = os.read(master, 1000)
        os.close(master)
    assert b"\x1b[31m" in shown[""]
    assert b"\x1b" not in shown["1"]
