"""How a command ends, and what is loaded for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lutloom import __version__
from tests.app.commands import MAIN, Invoke, start

HEAVY = ("numpy", "onnx", "onnxruntime", "qonnx", "torch", "jinja2", "lutloom.core.graph")


def test_help_and_versions_load_nothing_heavy() -> None:
    probe = (
        "import sys\n"
        "from lutloom.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 0, end.code\n"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "assert not loaded, loaded\n"
    )
    for options in (("--help",), ("--version",), ("compile", "--help"), ("boards",)):
        done = subprocess.run(
            [sys.executable, "-c", probe, *options], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout


def test_the_version_is_that_of_the_package(invoke: Invoke) -> None:
    assert invoke("--version").out == f"lutloom {__version__}\n"


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", MAIN, "boards"],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)
    assert done.stderr == ""
    assert done.returncode == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_cannot_be_written_is_an_error() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", MAIN, "boards"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.stderr == "lutloom: No space left on device\n"
    assert done.returncode == 2


def test_names_that_the_terminal_cannot_show_are_no_traceback(models: Path, tmp_path: Path) -> None:
    process = start(
        "compile", models / "float.onnx", "-o", "größe→", cwd=tmp_path, PYTHONIOENCODING="ascii"
    )
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert r"project: gr\xf6\xdfe\u2192/hls" in out
    assert (tmp_path / "größe→" / "build.json").exists()
