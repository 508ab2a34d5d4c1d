"""``lutloom_design``: a user's tests of a design, run as pytest runs them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import lutloom
from lutloom.core.graph import Graph
from lutloom.sim.reference import run
from lutloom.testing import Design
from tests.app.commands import contents

if TYPE_CHECKING:
    from lutloom.core.types import IntArray

pytest_plugins = ("pytester",)


@pytest.fixture
def labels(float_build: Path, models: Path, tmp_path: Path) -> Path:
    """Return classes of the seven images, of which the design tells five."""
    told = lutloom.simulate(float_build, models / "float.npy").outputs.argmax(axis=1)
    told[2:4] = (told[2:4] + 1) % 4
    np.save(tmp_path / "labels.npy", told)
    return tmp_path / "labels.npy"


def outcome(pytester: pytest.Pytester, test: str) -> pytest.RunResult:
    """Return what becomes of ``test`` where lutloom is installed, or only importable."""
    installed = {point.name for point in entry_points(group="pytest11")}
    plugin = () if "lutloom" in installed else ("-p", "lutloom.pytest_plugin")
    pytester.makepyfile(test)
    return pytester.runpytest_subprocess(*plugin, "-p", "no:cacheprovider")


def test_a_design_is_exact_and_good_or_the_test_says_what_it_is(
    pytester: pytest.Pytester, build: Path, models: Path, labels: Path
) -> None:
    place, model, data = str(build), str(models / "float.onnx"), str(models / "float.npy")
    before = contents(models)
    result = outcome(
        pytester,
        f"""
def test_a_build(lutloom_design):
    design = lutloom_design({place!r}, {data!r}, labels={str(labels)!r})
    design.assert_exact(samples=5, csim=False)
    design.assert_accuracy(at_least=0.71)

def test_a_model(lutloom_design):
    design = lutloom_design({model!r}, {data!r}, labels={str(labels)!r})
    design.assert_exact(csim=False)
    design.assert_accuracy(at_least=0.71)

def test_one_that_is_not_good_enough(lutloom_design):
    design = lutloom_design({place!r}, {data!r}, labels={str(labels)!r})
    design.assert_accuracy(at_least=0.72)
        """,
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        ["E*AssertionError: 5 of 7 labels met (71.43%), and should be at least 72.00%"]
    )
    # Its own line is shown, and nothing of ours.
    assert "testing.py" not in result.stdout.str()
    assert contents(models) == before


def test_outputs_are_compared_and_models_compiled_once(
    pytester: pytest.Pytester, build: Path, models: Path, tmp_path: Path
) -> None:
    outputs = lutloom.simulate(build, models / "float.npy").outputs
    np.save(tmp_path / "before.npy", outputs)
    outputs[3, 1] += 1
    np.save(tmp_path / "other.npy", outputs)
    result = outcome(
        pytester,
        f"""
from lutloom.core.errors import RangeError
import pytest

@pytest.fixture
def design(lutloom_design):
    return lutloom_design({str(build)!r}, {str(models / "float.npy")!r})

def test_before(design):
    design.assert_outputs({str(tmp_path / "before.npy")!r})

def test_other(design):
    design.assert_outputs({str(tmp_path / "other.npy")!r})

def test_a_model_is_compiled_once(lutloom_design):
    one, two = (lutloom_design({str(models / "float.onnx")!r}).build for _ in range(2))
    named = lutloom_design({str(models / "float.onnx")!r}, name="another").build
    assert one is two
    assert (one.name, named.name) == ("float", "another")

def test_nothing_passes_without_labels(lutloom_design, design):
    with pytest.raises(RangeError, match="there are no labels"):
        design.assert_accuracy(at_least=0.5)
    with pytest.raises(RangeError, match="has no data to simulate"):
        lutloom_design({str(build)!r}).assert_accuracy(at_least=0.5)
        """,
    )
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(
        ["E*AssertionError: *[[]3, 1[]] is * instead of *: 1 numbers differ*"]
    )


def test_processes_that_compute_something_else_are_not_exact(
    build: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    design = Design(lutloom.load_build(build), models / "float.npy")

    def wrong(
        graph: Graph, inputs: Mapping[str, IntArray], *, wanted: Collection[str] | None = None
    ) -> dict[str, IntArray]:
        found = run(graph, inputs, wanted=wanted)
        if graph is design.build.processes:
            (output,) = graph.outputs
            found[output] = found[output] + 1
        return found

    monkeypatch.setattr("lutloom.sim.reference.run", wrong)
    said = r"^\S+: the integer graph and the processes differ in 28 of 28: first at \[0, 0\]: "
    with pytest.raises(AssertionError, match=said):
        design.assert_exact(csim=False)
