"""``verification.json`` says what ``verify`` found, is whole or absent, and is documented."""

from __future__ import annotations

import errno
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import lutloom
from lutloom import Stage
from lutloom.core.errors import LutloomError
from lutloom.core.ops import Threshold
from lutloom.core.store import load_graph, save_graph
from lutloom.core.types import Const
from lutloom.streamline.differences import Difference
from lutloom.streamline.layer_comparison import LayerComparison, TiedElement
from lutloom.verification_report import REPORT, report, totals
from tests.models import Writer, write

if TYPE_CHECKING:
    from tests.app.commands import Invoke

DOCUMENT = (Path(__file__).parents[2] / "docs" / "verification.md").read_text(encoding="utf-8")


def read(build: Path) -> dict[str, Any]:
    found = json.loads((build / REPORT).read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def tied_build(directory: Path) -> Path:
    """A build whose quantizer sees many exact ties, which float32 rounds either way."""
    random = np.random.default_rng(3)
    model = Writer()
    x = model.matmul(model.quant("x", 0.3, bits=3), random.integers(-7, 8, (24, 8)) * 0.1, 4, 0.1)
    x = model.matmul(model.bipolar(x, name="sign"), random.choice([-1.0, 1.0], (8, 4)), bits=2)
    path = write(model.model(x, 24), directory)
    np.save(directory / "x.npy", random.normal(0, 0.5, size=(700, 24)).astype(np.float32))
    lutloom.compile(path, directory / "build")
    return directory / "build"


@pytest.fixture(scope="module")
def tied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tied_build(tmp_path_factory.mktemp("tied"))


def test_the_report_is_what_verify_found(tied: Path) -> None:
    result = lutloom.verify(tied, tied.parent / "x.npy", samples=700, csim=False)
    assert result.passed
    found = read(tied)
    assert found == report(result)
    assert found["passed"] is True
    assert found["first_failure"] is None
    assert found["samples"] == 700
    assert len(found["checks"]) == len(result.checks)
    (layer,) = (layer for layer in found["layers"] if layer["value"] == "sign")
    assert layer["structural"] > 0
    assert layer["elements"] == 5600
    counts = ("equal", "explained", "structural", "unexplained")
    assert sum(layer[count] for count in counts) == layer["elements"]
    assert sum(found["quantizers"][count] for count in counts) == found["quantizers"]["elements"]
    assert {tie["tied"] * 100 >= 700 for tie in layer["ties"]} == {True}


def test_the_same_build_and_data_give_the_same_bytes(tied: Path) -> None:
    texts = []
    for _ in range(2):
        lutloom.verify(tied, tied.parent / "x.npy", samples=600, csim=False)
        texts.append((tied / REPORT).read_bytes())
    assert texts[0] == texts[1]
    assert texts[0].endswith(b"}\n")


def test_the_command_shows_the_ties_and_what_is_near(tied: Path, invoke: Invoke) -> None:
    ended = invoke("verify", tied, "--data", tied.parent / "x.npy", "--samples", "700", "--no-csim")
    assert ended.status == 0
    header = next(line for line in ended.out.splitlines() if line.startswith("quantizer"))
    assert header.split() == "quantizer equal explained at ties unexplained bound nearest".split()
    layer = next(entry for entry in read(tied)["layers"] if entry["value"] == "sign")
    _, row, _ = (line.split() for line in ended.out.splitlines() if line.startswith("sign "))
    counts = ("equal", "explained", "structural", "unexplained")
    assert row[1:5] == [f"{layer[count]:,}" for count in counts]
    assert "differences at exact ties of" in ended.out


def test_nothing_is_said_of_floats_where_none_differs(float_build: Path, invoke: Invoke) -> None:
    ended = invoke("verify", float_build, "--no-csim", "--samples", "5")
    assert ended.status == 0
    assert "unexplained" not in ended.out


def test_a_failure_is_in_the_report(build: Path) -> None:
    graph = load_graph(build / "model")
    nodes = tuple(
        replace(n, op=replace(n.op, thresholds=Const(n.op.thresholds.int64 + 1)))
        if isinstance(n.op, Threshold)
        else n
        for n in graph.nodes
    )
    save_graph(type(graph)(graph.inputs, nodes, graph.outputs), build / "model")
    assert not lutloom.verify(build, samples=40, csim=False).passed
    found = read(build)
    assert found["passed"] is False
    assert found["first_failure"]["stage"] == "model"
    layer = next(entry for entry in found["layers"] if not entry["passed"])
    assert found["first_failure"]["subject"] == layer["value"]
    assert 0 < len(layer["first_unexplained"]) <= 5
    assert layer["unexplained"] >= len(layer["first_unexplained"])


def test_a_run_that_ends_early_leaves_no_verdict_of_an_earlier_one(build: Path) -> None:
    lutloom.verify(build, samples=3, csim=False)
    assert (build / REPORT).exists()
    (build / "model.onnx").write_bytes(b"no model at all")
    with pytest.raises(LutloomError):
        lutloom.verify(build, samples=3, csim=False)
    assert not (build / REPORT).exists()


def test_a_build_that_can_not_be_written_is_verified_all_the_same(
    build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name for path in build.iterdir()}
    monkeypatch.setattr("lutloom.verification_report.os.access", lambda *_: False)
    assert lutloom.verify(build, samples=3, csim=False).passed
    assert {path.name for path in build.iterdir()} == before


def test_a_full_disk_takes_nothing_from_what_was_found(
    build: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    ended = invoke("verify", build, "--samples", "3", "--no-csim")
    assert ended.status == 0
    assert ended.err == f"lutloom: {build / REPORT} can't be written: No space left on device\n"
    assert "All stages agree on 3 images." in ended.out


def test_a_report_is_no_change_of_the_build(build: Path) -> None:
    lutloom.verify(build, samples=3, csim=False)
    result = lutloom.verify(build, samples=3, csim=False)
    (files,) = (check for check in result.checks if check.stage is Stage.FILES)
    assert (files.differing, files.remark) == (0, "")
    lutloom.load_build(build)


def test_every_key_is_documented(tied: Path) -> None:
    lutloom.verify(tied, tied.parent / "x.npy", samples=700, csim=False)
    found = read(tied)
    layer = next(entry for entry in found["layers"] if entry["ties"])
    keys = {*found, *found["quantizers"], *found["checks"][0], *layer, *layer["ties"][0]}
    keys |= set(layer["nearest"][0]) if layer["nearest"] else set()
    documented = set(re.findall(r"`(\w+)`", DOCUMENT)) | set(re.findall(r'"(\w+)":', DOCUMENT))
    assert keys <= documented
    assert {stage.name.lower() for stage in Stage} <= documented


def test_numbers_that_json_can_not_say_are_null() -> None:
    far = Difference(0, (1,), 0, 1, float("inf"), float("inf"))
    layer = LayerComparison(
        "v",
        "n",
        10,
        0,
        3,
        1,
        1,
        0,
        float("inf"),
        float("inf"),
        (),
        (far,),
        (TiedElement((1,), 5, 1),),
    )
    result = lutloom.Verification((), 1, (layer,))
    (said,) = json.loads(json.dumps(report(result), allow_nan=False))["layers"]
    assert said["median_bound"] is said["largest_bound"] is None
    assert said["first_unexplained"][0]["bound"] is None
    assert said["unexplained"] == 1
    assert said["passed"] is False


def test_no_layers_add_up_to_nothing() -> None:
    assert totals(()) == {
        "elements": 0,
        "equal": 0,
        "explained": 0,
        "structural": 0,
        "unexplained": 0,
        "explained_share": 0.0,
        "largest_ratio": 0.0,
    }
