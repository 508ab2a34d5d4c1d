"""The frontier of a model on a board: what it says, and that each of its plans can be built."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

import lutloom
from lutloom.core.errors import LutloomError
from lutloom.estimation import estimate_of
from lutloom.exploration import Exploration
from tests.app.commands import Invoke
from tests.app.test_planning import tiny_board
from tests.models import Writer, write


def two_layers(directory: Path) -> Path:
    """64 numbers of four bits to 32 of three, and to 8 sums."""
    rng, w = np.random.default_rng(8), Writer()
    x = w.matmul(w.quant("x", 0.5, bits=4), rng.integers(-3, 4, size=(64, 32)), bits=3)
    x = w.matmul(w.quant(x, 4, bits=3), rng.integers(-3, 4, size=(32, 8)), bits=3)
    return write(w.model(x, 64), directory, "two.onnx")


@pytest.fixture(scope="module")
def explored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Exploration, Path]:
    """Return the frontier of a model on a board too small for all of it, and where it lies."""
    directory = tmp_path_factory.mktemp("explored")
    found = lutloom.explore(
        two_layers(directory),
        board=str(tiny_board(directory, lut=3000)),
        output=directory / "frontier.html",
        csv=directory / "frontier.csv",
        json=directory / "frontier.json",
        save_plans=directory / "plans",
    )
    return found, directory


def test_what_is_faster_takes_more(explored: tuple[Exploration, Path]) -> None:
    found, _ = explored
    rates = [point.fps for point in found.points]
    shares = [point.scarcest.share for point in found.points]
    assert len(rates) > 3
    assert rates == sorted(set(rates))
    assert shares == sorted(shares)


def test_points_fit_up_to_the_utilization(explored: tuple[Exploration, Path]) -> None:
    found, directory = explored
    fits = [point.fits for point in found.points]
    assert fits == sorted(fits, reverse=True)
    assert set(fits) == {True, False}
    for point in found.points:
        by_name = {usage.resource: usage for usage in point.usages}
        within = all(usage.needed <= usage.there for usage in point.usages)
        assert point.fits == (within and by_name["lut"].needed <= 2100)
    fastest = lutloom.compile(
        directory / "two.onnx",
        directory / "fastest",
        board=str(directory / "tiny3000.toml"),
        fastest=True,
    )
    assert found.fastest is not None
    assert fastest.plan == found.fastest.plan


def test_every_plan_that_is_saved_can_be_compiled(explored: tuple[Exploration, Path]) -> None:
    found, directory = explored
    saved = sorted((directory / "plans").iterdir())
    assert saved == sorted(point.path for point in found.points if point.path is not None)
    for point in (found.points[0], found.fastest):
        assert point is not None
        assert point.path is not None
        made = lutloom.compile(
            directory / "two.onnx",
            directory / point.path.stem,
            board=str(directory / "tiny3000.toml"),
            plan=point.path,
        )
        estimate = estimate_of(made)
        assert (estimate.fps, estimate.usages) == (point.fps, point.usages)


def test_tables_hold_what_the_function_returns(explored: tuple[Exploration, Path]) -> None:
    found, directory = explored
    with (directory / "frontier.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    document = json.loads((directory / "frontier.json").read_text())
    assert document["available"] == {"lut": 3000, "ff": 4000, "bram18": 4, "uram": 0, "dsp": 2}
    assert (document["board"], document["clock_mhz"]) == ("tiny3000", 50)
    for point, row, entry in zip(found.points, rows, document["points"], strict=True):
        assert float(row["images_per_second"]) == entry["images_per_second"] == point.fps
        assert row["fits"] == str(point.fits)
        for usage in point.usages:
            assert int(row[usage.resource]) == entry[usage.resource] == usage.needed
    page = (directory / "frontier.html").read_text()
    assert page.startswith("<!doctype html>")
    assert page.count("<tr") > len(found.points)


def test_the_command_says_what_fits_and_how_to_build_it(
    invoke: Invoke, explored: tuple[Exploration, Path]
) -> None:
    found, directory = explored
    assert found.fastest is not None
    board = directory / "tiny3000.toml"
    options = ("--board", board, "--points", "4")
    ended = invoke("explore", directory / "two.onnx", *options)
    assert (ended.status, ended.err) == (0, "")
    assert max(map(len, ended.out.splitlines())) <= 80
    assert re.search(rf" {found.fastest.cycles:,} .* yes ", ended.out)
    advised = re.search(r"--target-fps ([\d.]+)", ended.out)
    assert advised is not None
    assert found.fastest.fps * 0.99 <= float(advised[1]) <= found.fastest.fps


def test_nothing_is_overwritten_and_nothing_half_written(
    explored: tuple[Exploration, Path], tmp_path: Path
) -> None:
    _, directory = explored
    model = directory / "two.onnx"
    with pytest.raises(LutloomError, match=r"plans exists: choose another directory for the plans"):
        lutloom.explore(model, save_plans=directory / "plans")
    with pytest.raises(LutloomError, match="is the input itself"):
        lutloom.explore(model, output=model)
    with pytest.raises(LutloomError, match="two outputs should go there"):
        lutloom.explore(model, csv=tmp_path / "a", json=tmp_path / "a")
    with pytest.raises(LutloomError, match="there should be 2 to 200 points, not 1"):
        lutloom.explore(model, points=1)
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_fits_at_no_rate_has_no_frontier(
    explored: tuple[Exploration, Path], tmp_path: Path
) -> None:
    _, directory = explored
    board = str(tiny_board(tmp_path, lut=200))
    with pytest.raises(LutloomError, match="does not fit on tiny200 at any rate"):
        lutloom.explore(directory / "two.onnx", board=board)
