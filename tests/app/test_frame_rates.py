"""``throughput``: what it says of a build, and what it refuses."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

import lutloom
from lutloom.build import CACHE
from lutloom.core.errors import LutloomError
from tests.app.commands import Invoke, contents


@pytest.fixture(autouse=True)
def _compiler() -> None:
    if not any(map(shutil.which, ("g++", "clang++", "c++"))):
        pytest.skip("needs g++")


def test_rates_follow_from_the_slowest_process_and_the_clock(build: Path) -> None:
    result = lutloom.throughput(build)
    units = json.loads((build / "hls" / "design.json").read_text())["units"]
    slowest = max(process["cycles"] for unit in units for process in unit["processes"])
    assert result.clock_mhz == 100
    assert slowest <= result.ideal.interval <= result.pessimistic.interval <= slowest + 40
    assert result.rate(result.ideal) == 100e6 / result.ideal.interval
    assert result.latency(result.ideal) == result.ideal.latency / 100e3
    faster = lutloom.throughput(build, clock_mhz=250)
    assert faster.rate(faster.ideal) == 2.5 * result.rate(result.ideal)
    assert faster.ideal == result.ideal


def test_what_is_printed_is_what_the_function_returns(invoke: Invoke, build: Path) -> None:
    result = lutloom.throughput(build)
    ended = invoke("throughput", build, "--clock-mhz", "50")
    assert (ended.status, ended.err) == (0, "")
    for what, cycles in (("ideal", result.ideal), ("pessimistic", result.pessimistic)):
        rate = f"{50e6 / cycles.interval:,.1f} images/s at 50 MHz, {cycles.interval:,} cycles each"
        assert f"{what}: {rate}" in ended.out
    for load in result.ideal.loads:
        assert re.search(rf"^{re.escape(load.name[:20])}.* {load.busy:,} ", ended.out, re.MULTILINE)


def test_fifos_are_listed_beside_whole_tensors(invoke: Invoke, build: Path) -> None:
    rows = lutloom.throughput(build).fifos
    units = json.loads((build / "hls" / "design.json").read_text())["units"]
    written = [(f["value"], f["bits"], f["depth"]) for unit in units for f in unit["fifos"]]
    assert [(row.value, row.bits, row.depth) for row in rows] == written
    held = sum(row.bits * row.depth for row in rows)
    naive = sum(row.bits * (row.words if row.is_planned else row.depth) for row in rows)
    said = f"{held / 1024:,.1f} Kbit; with whole tensors {naive / 1024:,.1f} Kbit"
    assert f"FIFOs: {len(rows)} of {said}\n" in invoke("throughput", build).out


def test_the_least_fifos_make_a_plan_that_compiles_and_keeps_the_rate(
    invoke: Invoke, build: Path, tmp_path: Path
) -> None:
    before = lutloom.throughput(build)
    plan = tmp_path / "least.json"
    ended = invoke("throughput", build, "--minimize-fifos", plan)
    assert (ended.status, ended.err) == (0, "")
    assert f"plan: {plan}: compile the model again with it, by --plan\n" in ended.out
    name = lutloom.load_build(build).name
    lutloom.compile(build / "model.onnx", tmp_path / "again", plan=plan, name=name)
    after = lutloom.throughput(tmp_path / "again")
    assert after.ideal.interval == before.ideal.interval
    assert after.pessimistic.interval == before.pessimistic.interval
    assert sum(row.depth for row in after.fifos) < sum(row.depth for row in before.fifos)
    said = lutloom.throughput(build, minimize_fifos=plan)
    assert said.fifos == after.fifos
    assert said.least is not None
    assert said.least.plan == lutloom.load_build(tmp_path / "again").plan


def test_a_plan_needs_a_directory_to_go_to(build: Path, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere" / "plan.json"):
        with pytest.raises(LutloomError, match=r"can't be written: it should be a file in a dir"):
            lutloom.throughput(build, minimize_fifos=path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("plan.json", "belongs to the build: write to another file"),
        ("build.json", "belongs to the build: write to another file"),
        ("model.onnx", "should be a .json file, as every plan is"),
    ],
)
def test_a_plan_with_the_least_fifos_replaces_nothing_of_the_build(
    name: str, message: str, build: Path
) -> None:
    before = contents(build)
    with pytest.raises(LutloomError, match=f"{name} {message}$"):
        lutloom.throughput(build, minimize_fifos=build / "hls" / ".." / name)
    assert contents(build) == before


def test_that_a_plan_can_not_go_to_a_device_is_said_before_it_is_made(build: Path) -> None:
    steps: list[int] = []
    with pytest.raises(LutloomError, match=r"^/dev/null can't be written: it is no regular file$"):
        lutloom.throughput(
            build, minimize_fifos="/dev/null", on_progress=lambda done, _: steps.append(done)
        )
    assert not steps


def test_the_compiled_model_is_kept_beside_the_build(build: Path) -> None:
    lutloom.throughput(build)
    (library,) = (build / CACHE).glob("cycles-*.so")
    assert library.stat().st_size > 0


def test_without_a_compiler_it_says_what_is_missing(
    build: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(LutloomError, match=r"^there is no C\+\+ compiler"):
        lutloom.throughput(build)


def test_a_compiler_that_makes_nothing_is_named(
    build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(build / CACHE, ignore_errors=True)
    monkeypatch.setenv("CXX", "true")
    with pytest.raises(LutloomError, match=r"^\S+true can't be run: it says that all is well"):
        lutloom.throughput(build)


def test_a_cache_that_is_no_directory_is_done_without(build: Path) -> None:
    shutil.rmtree(build / CACHE, ignore_errors=True)
    (build / CACHE).write_text("mine")
    assert lutloom.throughput(build).ideal.interval > 0
    assert (build / CACHE).read_text() == "mine"


def test_a_plan_that_was_edited_has_no_design_to_model(build: Path) -> None:
    plan = build / "plan.json"
    text = json.loads(plan.read_text())
    plan.write_text(json.dumps(text | {"word_bits": 8}))
    with pytest.raises(
        LutloomError, match=r"is not the plan that the C\+\+ was written for: compile"
    ):
        lutloom.throughput(build)


def test_a_directory_that_is_no_build_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LutloomError, match="is no build"):
        lutloom.throughput(tmp_path)


@pytest.mark.parametrize("clock", [0, -100, float("nan"), float("inf")])
def test_a_clock_that_no_hardware_has_is_refused(build: Path, clock: float) -> None:
    with pytest.raises(LutloomError, match=r"^the clock should be some MHz, not -?\w+(\.0)?$"):
        lutloom.throughput(build, clock_mhz=clock)
