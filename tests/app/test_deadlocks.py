"""A plan with a FIFO that is too short: every command that meets it ends soon, with one message."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import lutloom
from lutloom.core.errors import LutloomError
from tests.app.commands import Invoke
from tests.models import Writer, write

NEEDED = re.compile(
    r"(\w+) is full \((\d+) of (\d+) words\) and should hold (\d+): make '([^']+)' (\d+) deep"
    r" among the fifos of the plan; (\S+) waits for room in (\w+); (\S+) waits for a word in (\w+)"
)


@pytest.fixture(autouse=True)
def _compiler() -> None:
    if not any(map(shutil.which, ("g++", "clang++", "c++"))):
        pytest.skip("needs g++")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model in which a vector waits for a product of itself."""
    rng, w = np.random.default_rng(1), Writer()
    x = w.quant("x", 0.5, bits=4)
    y = w.quant(w.matmul(x, rng.integers(-3, 4, size=(40, 40)), bits=3), 0.5, bits=4)
    return write(
        w.model(w.quant(w.node("Add", [x, y]), 0.5, bits=4), 40), tmp_path_factory.mktemp("m")
    )


@pytest.fixture(scope="module")
def starved(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a build whose deepest FIFO was cut."""
    directory = tmp_path_factory.mktemp("builds")
    whole = lutloom.compile(model, directory / "whole")
    deepest = max(whole.plan.fifos, key=whole.plan.fifos.__getitem__)
    plan = json.loads((directory / "whole" / "plan.json").read_text())
    plan["fifos"][deepest] = 3
    (directory / "cut.json").write_text(json.dumps(plan))
    lutloom.compile(model, directory / "cut", plan=directory / "cut.json")
    return directory / "cut"


def needed(text: str, build: Path) -> dict[str, int]:
    """Return the depth that a message asks for, by the value, when all that it says is right."""
    found = NEEDED.search(" ".join(text.split()))
    assert found is not None, text
    fifo, held, depth, words, value, planned, _, full, _, empty = found.groups()
    units = json.loads((build / "hls" / "design.json").read_text())["units"]
    (entry,) = (f for unit in units for f in unit["fifos"] if f["identifier"] == fifo)
    assert (entry["value"], entry["depth"]) == (value, int(depth))
    assert int(held) == int(depth) < int(words)
    assert full == fifo != empty
    return {value: int(planned)}


def repaired(model: Path, build: Path, depths: dict[str, int], directory: Path) -> Path:
    plan = json.loads((build / "plan.json").read_text())
    plan["fifos"].update(depths)
    (directory / "plan.json").write_text(json.dumps(plan))
    lutloom.compile(model, directory / "repaired", plan=directory / "plan.json")
    return directory / "repaired"


def test_throughput_says_how_deep_it_should_be(
    invoke: Invoke, model: Path, starved: Path, tmp_path: Path
) -> None:
    ended = invoke("throughput", starved)
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("lutloom: the design stops: ")
    depths = needed(ended.err, starved)
    again = repaired(model, starved, depths, tmp_path)
    assert lutloom.throughput(again).ideal.interval > 0


def test_simulation_says_it_too_and_its_depth_is_the_least(
    invoke: Invoke, model: Path, starved: Path, tmp_path: Path
) -> None:
    images = np.random.default_rng(0).normal(size=(5, 40)).astype(np.float32)
    np.save(tmp_path / "x.npy", images)
    ended = invoke("simulate", starved, "--data", tmp_path / "x.npy", "--engine", "adversarial")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("lutloom: C simulation: deadlock: ")
    ((value, depth),) = needed(ended.err, starved).items()
    engine = lutloom.Engine.ADVERSARIAL
    for less in (0, 1):
        place = tmp_path / str(less)
        place.mkdir()
        again = repaired(model, starved, {value: depth - less}, place)
        if less:
            with pytest.raises(LutloomError, match=r"^C simulation: deadlock: "):
                lutloom.simulate(again, images, engine=engine, seed=less)
            continue
        found = lutloom.simulate(again, images, engine=engine, seed=less)
        assert np.array_equal(found.outputs, lutloom.simulate(again, images).outputs)


def test_verify_fails_and_goes_on(invoke: Invoke, starved: Path) -> None:
    ended = invoke("verify", starved, "--samples", "3")
    assert (ended.status, ended.err) == (1, "")
    assert "C simulation: deadlock: " in ended.out
    assert needed(ended.out, starved)


def test_the_least_fifos_do_not_begin_with_what_stops(starved: Path, tmp_path: Path) -> None:
    result = lutloom.throughput(starved, minimize_fifos=tmp_path / "plan.json")
    assert result.ideal.interval > 0
    assert all(fifo.depth <= fifo.planned for fifo in result.least.fifos) if result.least else False
