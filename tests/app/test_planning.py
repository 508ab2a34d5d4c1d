"""From a rate and a board to a plan: what is asked for, what comes out, what a user reads."""

from __future__ import annotations

import json
import re
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lutloom
from lutloom.boards import boards_by_size
from lutloom.codegen.folding import legal_values
from lutloom.codegen.lower import lower
from lutloom.codegen.planning import InfeasibleError
from lutloom.core.errors import LutloomError, LutloomWarning
from lutloom.estimation import estimate_of
from lutloom.infeasibility import below, shown_rate
from lutloom.input_type import raw_input
from lutloom.planning import Wish, planned_for
from lutloom.streamline.pipeline import streamline
from lutloom.targets import Target
from tests.app.commands import Invoke
from tests.models import Writer, write

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
            ("--word-bits", "128"),
            "the streams are 128 bits wide, but a port of pynq-z2 to memory has 64: give"
            " --word-bits at most that",
        ),
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
    model = models / "float.onnx"
    made = lutloom.compile(model, tmp_path / "a", part="xc7z020clg400-1")
    board = str(tiny_board(tmp_path, lut=300))
    document = json.loads((made.directory / "plan.json").read_text())
    for name, folding in document["processes"].items():
        legal = legal_values(made.processes, name)
        folding.update({key: max(values) for key, values in legal.items()})
        folding.update(memory="lutram", comparison="auto")
    edited = tmp_path / "edited.json"
    edited.write_text(json.dumps(document))
    with pytest.warns(LutloomWarning) as caught:
        lutloom.compile(model, tmp_path / "b", board=board, plan=edited, max_utilization=0.5)
    (warning,) = caught
    assert re.fullmatch(
        r"the plan does not fit on tiny300: it takes [\d,]+ look-up tables, and may take 150 of"
        r" 300; --target-fps and --fastest look for a plan that fits",
        str(warning.message),
    )
    assert lutloom.load_build(tmp_path / "b").plan != made.plan


def bytes_model(directory: Path) -> Path:
    """784 bytes to three sums, as many as an MNIST image has."""
    w = Writer()
    weights = np.random.default_rng(6).integers(-1, 2, size=(784, 3))
    return write(w.model(w.matmul("x", weights, bits=2), 784), directory, "bytes.onnx")


def test_a_target_is_reached_with_the_least_of_the_board(models: Path, tmp_path: Path) -> None:
    shares, luts = [], []
    for fps in (1e5, 1e7, 5e7):
        made = lutloom.compile(models / "float.onnx", tmp_path / f"{fps}", target_fps=fps)
        estimate = estimate_of(made)
        assert estimate.fps >= fps
        shares.append(max(usage.share for usage in estimate.usages))
        luts.append(estimate.usages[0].needed)
    assert shares == sorted(shares)
    assert luts[0] < luts[-1]


def test_the_fastest_plan_is_as_fast_as_any_and_fits(models: Path, tmp_path: Path) -> None:
    board, model = str(tiny_board(tmp_path, lut=1000)), models / "float.onnx"
    estimate = estimate_of(lutloom.compile(model, tmp_path / "b", board=board, fastest=True))
    assert estimate.usages[0].needed <= 700
    with pytest.raises(LutloomError, match="do not fit on tiny1000"):
        lutloom.compile(model, tmp_path / "c", board=board, target_fps=estimate.fps * 1.5)


def test_a_planned_build_is_verified_and_as_fast_as_it_says(
    invoke: Invoke, models: Path, tmp_path: Path
) -> None:
    if not any(map(shutil.which, ("g++", "clang++", "c++"))):
        pytest.skip("needs g++")
    ended = invoke("compile", models / "float.onnx", "-o", tmp_path / "b", "--target-fps", "4e6")
    assert (ended.status, ended.err) == (0, "")
    assert invoke("verify", tmp_path / "b", "--no-csim", "--samples", "9").status == 0
    build = lutloom.load_build(tmp_path / "b")
    estimate, modelled = estimate_of(build), lutloom.throughput(build)
    assert modelled.rate(modelled.ideal) == estimate.fps >= 4e6
    assert modelled.pessimistic.interval == estimate.pessimistic
    assert f"rate: at most {shown_rate(estimate.fps, 1)} images/s at 100 MHz" in ended.out


@given(clock=st.integers(1, 500), cycles=st.integers(1, 10**7))
def test_a_rate_that_was_shown_or_computed_from_cycles_means_those_cycles(
    clock: int, cycles: int
) -> None:
    rate = clock * 1e6 / cycles

    def meant(fps: float) -> int:
        return Wish(Fraction(str(fps))).cycles(Fraction(clock * 1_000_000))

    assert meant(rate) == cycles
    exact = Fraction(clock * 1_000_000, cycles)
    for shown in (shown_rate(rate), shown_rate(rate, 1), shown_rate(exact), below(rate)):
        said = float(shown.replace(",", ""))
        assert rate * 0.98 <= said <= rate
        assert meant(said) >= cycles


def test_what_does_not_fit_is_told_with_what_would(
    invoke: Invoke, models: Path, tmp_path: Path
) -> None:
    board = tiny_board(tmp_path, lut=1000)
    said = refusal(invoke, models, tmp_path, "--board", board, "--target-fps", "2e7")
    parts = re.fullmatch(
        r"20,000,000 images/s do not fit on tiny1000: at 50 MHz an image may take 2 clock cycles,"
        r" and the least plan for that takes (\d+) look-up tables, most of them for \w+, and may"
        r" take 700, 70% of 1,000\. The highest rate that fits is ([\d,]+) images/s"
        r" \((\d+) cycles\)\. The smallest board for 20,000,000 images/s is ([\w-]+), at"
        r" \d+ MHz\. Try --target-fps (\d+), --board ([\w-]+),( a larger --max-utilization,)?"
        r" --clock-mhz up to 200, or a model that is smaller or of fewer bits",
        said,
    )
    assert parts is not None, said
    needed, shown, cycles, smallest, fps, named, larger = parts.groups()
    assert (int(needed) > 700, bool(larger)) == (True, int(needed) <= 1000)
    assert (fps, named) == (shown.replace(",", ""), smallest)
    # What it advises works, each for itself, and more is too much.
    model = models / "float.onnx"
    slower = lutloom.compile(model, tmp_path / "slower", board=str(board), target_fps=float(fps))
    assert estimate_of(slower).cost.slowest.cycles == int(cycles)
    elsewhere = lutloom.compile(model, tmp_path / "else", board=smallest, target_fps=2e7)
    assert estimate_of(elsewhere).fps >= 2e7
    more = refusal(invoke, models, tmp_path, "--board", board, "--target-fps", f"{int(fps) + 1}")
    assert f"--target-fps {fps}, " in more


def test_what_fits_at_no_rate_says_what_the_slowest_plan_takes(
    invoke: Invoke, models: Path, tmp_path: Path
) -> None:
    board = tiny_board(tmp_path, lut=300)
    for wish in (("--fastest",), ("--target-fps", "10")):
        said = refusal(invoke, models, tmp_path, "--board", board, *wish)
        wanted = "it" if wish == ("--fastest",) else "10 images/s"
        assert re.fullmatch(
            r"the model does not fit on tiny300 at any rate: the slowest plan takes \d+ look-up"
            r" tables, most of them for \w+, and may take 210, 70% of 300\. The smallest board"
            rf" for {wanted} is [\w-]+, at \d+ MHz\. Try --board [\w-]+, or a model that is"
            r" smaller or of fewer bits",
            said,
        ), said


def test_a_stream_that_is_too_narrow_is_named_with_its_transfers(
    invoke: Invoke, tmp_path: Path
) -> None:
    model = bytes_model(tmp_path)
    options = ("--input-type", "uint8", "-o", tmp_path / "b", "--target-fps", "2e6")
    ended = invoke("compile", model, *options)
    assert ended.status == 2
    assert ended.err.startswith(
        "lutloom: 2,000,000 images/s can't be reached on pynq-z2: at 100 MHz an image may take 50"
        " clock cycles, and the input x has 6,272 bits, 98 transfers of 64 bits. The highest rate"
        " that fits is 1,020,408 images/s (98 cycles). The smallest board for 2,000,000 images/s"
    )
    assert "--target-fps 1020408, " in ended.err
    assert " --clock-mhz up to 250, " in ended.err
    network = streamline(model, raw_input("uint8", None, None))
    processes, wish = lower(network.graph), Wish(Fraction(2_000_000))
    (named,) = re.findall(r"--board ([\w-]+),", ended.err)
    for board in boards_by_size():
        target = Target(board, board.clock_mhz)
        if board.name == named:
            assert planned_for(processes, target, wish).cycles <= board.clock_mhz / 2
            break
        with pytest.raises(InfeasibleError):
            planned_for(processes, target, wish)
    faster = invoke("compile", model, *options[:4], "--target-fps", "1020408", "--force")
    assert faster.status == 0
    assert "transfers: 98 of 64 bits an image on s_axis, at most 1,020,408.1 images/s" in faster.out


@pytest.mark.parametrize("board", ["pynq-z2", "zcu104"])
def test_the_plan_of_a_target_can_be_given_back(board: str, models: Path, tmp_path: Path) -> None:
    model = models / "float.onnx"
    made = lutloom.compile(model, tmp_path / "a", board=board, target_fps=1e6)
    again = lutloom.compile(
        model, tmp_path / "b", board=board, name="float", plan=tmp_path / "a" / "plan.json"
    )
    assert again.plan == made.plan


@pytest.mark.parametrize("fps", [None, 1000.0])
def test_streams_are_as_wide_as_the_option_says(
    fps: float | None, models: Path, tmp_path: Path
) -> None:
    made = lutloom.compile(models / "float.onnx", tmp_path / "b", word_bits=32, target_fps=fps)
    assert made.plan.word_bits == 32


def test_an_empty_name_is_no_board(invoke: Invoke, models: Path, tmp_path: Path) -> None:
    ended = invoke("compile", models / "float.onnx", "-o", tmp_path / "b", "--board", "")
    assert (ended.status, ended.out) == (2, "")
    assert "board '' is not known" in ended.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--target-fps", "1e308"), "lutloom: 1e+308 images/s can't be reached on pynq-z2: "),
        (("--fastest", "--max-utilization", "0.0001"), ", and may take 5, 0.01% of 53,200. No"),
    ],
)
def test_absurd_numbers_are_short_ones_in_the_answer(
    options: tuple[str, ...], said: str, invoke: Invoke, models: Path, tmp_path: Path
) -> None:
    ended = invoke("compile", models / "float.onnx", "-o", tmp_path / "b", *options)
    assert (ended.status, ended.out) == (2, "")
    assert said in ended.err
