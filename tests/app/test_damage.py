"""Builds with a file cut off, altered or gone: named, never a wrong number."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import lutloom
from lutloom.build import BuildError, sealed
from lutloom.core.errors import LutloomError
from tests.app.commands import Invoke, contents

DATA = (
    "build.json",
    "golden.npz",
    "model.graph",
    "model.npz",
    "model.onnx",
    "network.json",
    "processes.graph",
    "processes.npz",
    "hls/design.json",
)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def remove(path: Path) -> None:
    path.unlink()


DAMAGES = pytest.mark.parametrize("damage", [cut, flip, remove])


@DAMAGES
def test_damaged_data_are_named_and_not_computed_with(
    damage: Callable[[Path], None], invoke: Invoke, build: Path, models: Path
) -> None:
    for name in DATA:
        before = (build / name).read_bytes()
        damage(build / name)
        ended = invoke("simulate", build, "--data", models / "float.npy")
        assert (ended.status, ended.out) == (2, ""), name
        assert name in ended.err
        ended = invoke("verify", build, "--no-csim", "--samples", "2")
        assert ended.status in (1, 2), name
        assert name in ended.out + ended.err
        assert "Traceback" not in ended.err
        (build / name).write_bytes(before)
    assert invoke("verify", build, "--no-csim", "--samples", "2").status == 0


@DAMAGES
def test_changed_sources_are_named_and_not_simulated(
    damage: Callable[[Path], None], invoke: Invoke, build: Path, models: Path
) -> None:
    # Reports are written anew at any time.
    others = {*DATA, "plan.json", "report.html", "report.json"}
    names = [name for name in contents(build) if name not in others]
    assert len(names) > 15
    for name in names:
        before = (build / name).read_bytes()
        damage(build / name)
        ended = invoke("verify", build, "--no-csim", "--samples", "2")
        assert ended.status == (2 if damage is remove and name.startswith("hls/") else 0), ended
        assert name in "".join((ended.out + ended.err).split("\n")), name
        if name.startswith("hls/"):
            ended = invoke("simulate", build, "--data", models / "float.npy", "--engine", "csim")
            assert (ended.status, ended.out) == (2, ""), name
            assert name in ended.err
        (build / name).write_bytes(before)


def test_any_flipped_byte_of_the_data_is_noticed(build: Path, models: Path) -> None:
    random = np.random.default_rng(0)
    data = np.load(models / "float.npy")
    for name in DATA:
        before = (build / name).read_bytes()
        for _ in range(12):
            changed = bytearray(before)
            changed[random.integers(len(before))] ^= 1 << int(random.integers(8))
            (build / name).write_bytes(changed)
            with pytest.raises(LutloomError, match=name.replace(".", r"\.")):
                lutloom.simulate(build, data)
        (build / name).write_bytes(before)


def test_an_edited_plan_is_no_longer_that_of_the_sources(
    invoke: Invoke, build: Path, models: Path, tmp_path: Path
) -> None:
    plan = build / "plan.json"
    text = plan.read_text()
    plan.write_text(text.replace("  ", "    "))
    assert invoke("verify", build, "--no-csim").status == 0

    plan.write_text(text.replace('"pe": 1', '"pe": 2', 1))
    assert plan.read_text() != text
    ended = invoke("verify", build, "--no-csim")
    assert ended.status == 2
    assert f"--plan {plan}" in ended.err
    assert invoke("simulate", build, "--data", models / "float.npy").status == 0

    again = tmp_path / "again"
    assert invoke("compile", models / "float.onnx", "-o", again, "--plan", plan).status == 0
    assert (again / "plan.json").read_text() == plan.read_text()
    assert invoke("verify", again, "--no-csim").status == 0

    plan.write_text("{")
    ended = invoke("verify", build)
    assert (ended.status, "plan.json" in ended.err) == (2, True)


@pytest.mark.parametrize("clock", [float("nan"), float("inf"), 0, -1, 1e308, 10**400, True, "9"])
def test_a_clock_that_no_board_has_is_no_build(build: Path, clock: object) -> None:
    path = build / "build.json"
    document = json.loads(path.read_text())
    del document["digest"]
    path.write_bytes(sealed({**document, "clock_mhz": clock}))
    with pytest.raises(BuildError, match=r"build\.json is of another format: compile the model"):
        lutloom.report(build)
