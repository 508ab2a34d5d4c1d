"""From a rate and a board to a plan: what is asked for, what comes out, what a user reads."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import lutloom
from lutloom.codegen.folding import legal_values
from lutloom.core.errors import LutloomWarning
from tests.app.commands import Invoke

TINY = """
title = "A board of one's own"
part = "xc7z020clg400-1"
clock_mhz = 50
highest_clock_mhz = 200
shell = "none"
sources = ["nobody's data sheet"]

[[memory_ports]]
kind = "DDR"
name = "S_AXI_HP#"
count = 1
width = 32

[device]
family = "zynq-7000"
lut = {lut}
ff = 4000
bram18 = 4
dsp = 2
licence = "standard"
"""


def tiny_board(directory: Path, lut: int = 2000) -> Path:
    path = directory / f"tiny{lut}.toml"
    path.write_text(TINY.format(lut=lut))
    return path


def refusal(invoke: Invoke, models: Path, directory: Path, *options: str | Path) -> str:
    """Return what compile says of options that it refuses, having written nothing."""
    ended = invoke("compile", models / "float.onnx", "-o", directory / "build", *options)
    assert (ended.status, ended.out) == (2, "")
    assert not (directory / "build").exists()
    assert ended.err.count("\n") == 1
    return ended.err.removeprefix("lutloom: ").removesuffix("\n")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ("--clock", "0"),
            r"the clock is 0 MHz: pynq-z2 has designs from 1 to 250 MHz, and 100 MHz if you leave"
            r" --clock out",
        ),
        (("--clock-mhz", "nan"), "the clock is nan MHz: .*"),
        (("--clock-mhz", "900"), "the clock is 900 MHz: pynq-z2 has designs from 1 to 250 MHz.*"),
        (("--target-fps", "0"), "the target is 0 images a second: give a positive number, .*"),
        (("--target-fps", "-3"), "the target is -3 images a second: .*"),
        (("--target-fps", "inf"), "the target is inf images a second: .*"),
        (
            ("--max-utilization", "0"),
            r"the utilization is 0: give the share of the look-up tables that may be taken, above 0"
            r" and at most 1, such as 0\.7",
        ),
        (("--max-utilization", "1.5"), "the utilization is 1.5: .*"),
        (("--max-utilization", "nan"), "the utilization is nan: .*"),
        (("--word-bits", "24"), r"the streams are 24 bits wide: use one of \[8, 16, .*\]"),
        (
            ("--target-fps", "9", "--fastest"),
            "there are --target-fps and --fastest: give one of them",
        ),
        (
            ("--board", "zcu104", "--part", "xc7z010clg400-1"),
            "there is the board 'zcu104' and the part 'xc7z010clg400-1': give one of them",
        ),
        (("--part", "xc7z010"), "part 'xc7z010' is not spelt as parts are, .*"),
        (
            ("--part", "xc7z999clg400-1"),
            ".*'xc7z999clg400-1': there is no table of what the device xc7z999 holds .*",
        ),
        (
            ("--plan", "plan.json", "--target-fps", "9"),
            "a plan file says itself what is built: leave out --plan, or --target-fps, --fastest"
            " and --word-bits",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_options_that_mean_nothing_are_refused(
    options: tuple[str, ...], said: str, invoke: Invoke, models: Path, tmp_path: Path
) -> None:
    assert re.fullmatch(said, refusal(invoke, models, tmp_path, *options))


def test_a_build_knows_its_board_where_the_file_of_it_is_gone(models: Path, tmp_path: Path) -> None:
    board = tiny_board(tmp_path)
    model = models / "float.onnx"
    made = lutloom.compile(model, tmp_path / "b", board=str(board), clock_mhz=62.5)
    board.unlink()
    loaded = lutloom.load_build(tmp_path / "b")
    assert (loaded.board, loaded.clock_mhz) == (made.board, 62.5)
    assert (loaded.board.device.lut, loaded.board.title) == (2000, "A board of one's own")
    assert "62.5 MHz" in (tmp_path / "b" / "NEXT_STEPS.md").read_text()


def test_a_part_needs_no_board(invoke: Invoke, models: Path, tmp_path: Path) -> None:
    part = "xc7z010clg400-1"
    ended = invoke("compile", models / "float.onnx", "-o", tmp_path / "b", "--part", part)
    assert (ended.status, ended.err) == (0, "")
    assert f"built for: {part}" in ended.out
    assert lutloom.load_build(tmp_path / "b").board.device.lut == 17600


def test_an_edited_plan_that_does_not_fit_is_a_warning_with_numbers(
    models: Path, tmp_path: Path
) -> None:
    board = str(tiny_board(tmp_path, lut=1300))
    made = lutloom.compile(models / "float.onnx", tmp_path / "b", board=board)
    document = json.loads((made.directory / "plan.json").read_text())
    for name, folding in document["processes"].items():
        legal = legal_values(made.processes, name)
        folding.update({key: max(values) for key, values in legal.items()})
        folding["comparison"] = "auto"
    edited = tmp_path / "edited.json"
    edited.write_text(json.dumps(document))
    with pytest.warns(LutloomWarning) as caught:
        lutloom.compile(models / "float.onnx", tmp_path / "c", board=board, plan=edited)
    (warning,) = caught
    assert re.fullmatch(
        r"the plan does not fit on tiny1300: it takes [\d,]+ look-up tables, and may take 910 of"
        r" 1,300; --target-fps and --fastest look for a plan that fits",
        str(warning.message),
    )
    assert lutloom.load_build(tmp_path / "c").plan != made.plan
