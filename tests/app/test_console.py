"""What the commands print, where it goes, and what is loaded for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lutloom import __version__
from tests.app.commands import MAIN, Invoke, start
from tests.models import Writer, write

HEAVY = ("numpy", "onnx", "onnxruntime", "qonnx", "torch", "jinja2", "lutloom.core.graph")


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
            [sys.executable, "-c", "from lutloom.console import _console as c; c.print('[red]x')"],
            stdout=slave,
            check=True,
            env=environment,
        )
        os.close(slave)
        shown[no_color] = os.read(master, 1000)
        os.close(master)
    assert b"\x1b[31m" in shown[""]
    assert b"\x1b" not in shown["1"]


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


def test_the_boards_are_listed_with_their_resources(invoke: Invoke) -> None:
    shown = invoke("boards").out
    for word in ("pynq-z1", "pynq-z2", "xc7z020clg400-1", "53,200", "280", "220"):
        assert word in shown
    (zcu102,) = (line.split() for line in shown.splitlines() if line.startswith("zcu102"))
    assert zcu102 == "zcu102 xczu9eg-ffvb1156-2-e 274,080 1824 0 2520 ip paid".split()


def test_a_board_is_shown_with_all_that_is_known_of_it_and_where_from(invoke: Invoke) -> None:
    shown = invoke("boards", "U280").out
    for words in (
        "u280: AMD Alveo U280",
        "part: xcu280-fsvh2892-2L-e (ultrascale+), 3 SLR",
        "4,032 BRAM18, 960 URAM (without initial contents), 9,024 DSP (DSP48E2)",
        "ports to HBM: HBM[0] to HBM[31], 512 bits each",
        "ports to DDR: DDR[0] to DDR[1], 512 bits each",
        "up to Vitis 2025.1",
        "source: DS963",
        "not checked against a source: licence",
    ):
        assert words in shown


def test_a_part_is_shown_as_a_board_is(invoke: Invoke) -> None:
    shown = invoke("boards", "--part", "xc7z010clg400-1").out
    assert "17,600 LUT" in shown
    assert "tier: ip" in shown
    assert "board files" not in shown
    both = invoke("boards", "pynq-z1", "--part", "xc7z010clg400-1")
    assert both.status == 2
    assert "give one of them" in both.err


def test_inspect_counts_weights_and_operations(invoke: Invoke, models: Path) -> None:
    shown = invoke("inspect", models / "float.onnx").out
    assert "on the host, before: binarize" in shown
    assert "on the host, behind: mul, add" in shown
    # 12 x 8 weights of one bit, 8 x 4 of three
    assert "on the FPGA: 128 weights, 192 bits, 128 MACs" in shown
    assert "model: [N, 12] to [N, 4]" in shown


def test_inspect_describes_windows(invoke: Invoke, tmp_path: Path) -> None:
    w = Writer()
    x = w.quant("x", 0.5, name="input")
    weights = np.ones((4, 1, 3, 3))
    weights[0, 0, 0, 0] = -2
    own = w.quant(w.constant(weights), 1.0, bits=2)
    x = w.node("Conv", [x, own], name="own", group=4, strides=[1, 2], pads=[1, 0, 1, 2])
    x = w.node("MaxPool", [w.quant(x, 0.5)], name="pool", kernel_shape=[2, 2], strides=[2, 2])
    x = w.node("GlobalAveragePool", [x], name="mean")
    path = write(w.model(w.quant(x, 0.5), 4, 6, 7), tmp_path)
    shown = invoke("inspect", path).out
    # The table breaks lines where it has to.
    words = " ".join(shown.split())
    for said in ("conv 3x3,", "stride 1x2,", "depthwise", "max_pool", "stride 2 ", "global"):
        assert said in words
    # 4 channels of 9 weights at 6 x 4 places, of 2 bits each
    assert "on the FPGA: 36 weights, 72 bits, 864 MACs" in shown
    # -2 times 7 and 8 times -8, at least
    assert "widest sum: 8 bits, own" in shown


def test_inspect_tells_what_it_costs_that_scales_meet(invoke: Invoke, tmp_path: Path) -> None:
    w = Writer()
    left = w.quant("x", 0.5, name="input")
    branches = [w.matmul(x, np.eye(3)) for x in (left, w.quant(left, 0.75, bits=3))]
    x = w.matmul(w.quant(w.node("Add", branches, name="sum"), 0.5), np.eye(3))
    path = write(w.model(x, 3), tmp_path)
    row = next(line for line in invoke("inspect", path).out.splitlines() if "sum" in line)
    assert "multipliers: 2 bit" in row


def test_inspect_writes_the_integers_as_a_qonnx_file(
    invoke: Invoke, models: Path, tmp_path: Path
) -> None:
    integers = tmp_path / "integers.onnx"
    shown = invoke("inspect", models / "float.onnx", "--qonnx", integers)
    assert "on the host, before: binarize" in shown.out
    assert f"integer graph: {integers}" in shown.out
    again = invoke("inspect", integers).out
    # It is annotated, and its only tail is the host's.
    assert "on the host, before: nothing: raw integers go in" in again
    assert "on the host, behind: nothing" in again
    assert "on the FPGA: 128 weights, 192 bits, 128 MACs" in again


def test_inspect_does_not_replace_its_own_model(invoke: Invoke, models: Path) -> None:
    path = models / "float.onnx"
    before = path.read_bytes()
    ended = invoke("inspect", path, "--qonnx", models / ".." / models.name / "float.onnx")
    assert (ended.status, ended.out) == (2, "")
    assert "is the model itself: write its integers to another file" in ended.err
    assert path.read_bytes() == before


def test_inspect_says_why_no_qonnx_file_can_be_exact(
    invoke: Invoke, models: Path, tmp_path: Path
) -> None:
    path = tmp_path / "integers.onnx"
    options = ("--input-type", "uint32", "--qonnx", path)
    ended = invoke("inspect", models / "raw.onnx", *options)
    assert (ended.status, ended.out) == (2, "")
    assert "QONNX can't say x exactly: its integers reach 4,294,967,295" in ended.err
    assert not path.exists()
