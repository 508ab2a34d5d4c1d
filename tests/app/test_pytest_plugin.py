"""``lutloom_design``: a user's tests of a design, run as pytest runs them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import lutloom
from lutloom.core.graph import Graph
from lutloom.sim.reference import run
from lutloom.testing import Design
from lutloom.verification import Verification
from tests.app.commands import contents

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lutloom.core.types import IntArray

pytest_plugins = ("pytester",)


def simulated(build: Path, models: Path) -> NDArray[Any]:
    engine = lutloom.Engine.REFERENCE
    return lutloom.simulate(build, models / "float.npy", engine=engine).outputs


@pytest.fixture
def labels(float_build: Path, models: Path, tmp_path: Path) -> Path:
    """Return classes of the seven images, of which the design tells five."""
    told = simulated(float_build, models).argmax(axis=1)
    told[2:4] = (told[2:4] + 1) % 4
    np.save(tmp_path / "labels.npy", told)
    return tmp_path / "labels.npy"


def outcome(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, test: str
) -> pytest.RunResult:
    """Return what becomes of ``test`` where lutloom is installed, or only importable.

    There is no compiler: in pytester's home no kernels are kept, and compiling takes a while.
    """
    monkeypatch.setenv("CXX", "no-such-compiler")
    installed = {point.name for point in entry_points(group="pytest11")}
    plugin = () if "lutloom" in installed else ("-p", "lutloom.pytest_plugin")
    pytester.makepyfile(test)
    return pytester.runpytest_subprocess(*plugin, "-p", "no:cacheprovider")


def test_a_design_is_exact_and_good_or_the_test_says_what_it_is(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    build: Path,
    models: Path,
    labels: Path,
) -> None:
    place, model, data = str(build), str(models / "float.onnx"), str(models / "float.npy")
    before = contents(models)
    result = outcome(
        pytester,
        monkeypatch,
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
    assert "raise AssertionError" not in result.stdout.str()
    assert contents(models) == before


def test_outputs_are_compared_and_models_compiled_once(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    build: Path,
    models: Path,
    tmp_path: Path,
) -> None:
    outputs = simulated(build, models)
    np.save(tmp_path / "before.npy", outputs)
    outputs[3, 1] += 1
    np.save(tmp_path / "other.npy", outputs)
    result = outcome(
        pytester,
        monkeypatch,
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
        ["E*AssertionError: *[[]3, 1[]] is * instead of *; numbers that differ: 1, in images: 1"]
    )


def wrong_for(is_wrong: Callable[[Graph], bool]) -> Callable[..., dict[str, IntArray]]:
    """Return the reference with outputs that are one too large, of graphs that are ``is_wrong``.

    It is not asked where there are no images.
    """

    def wrong(
        graph: Graph,
        inputs: Mapping[str, IntArray],
        *,
        wanted: Collection[str] | None = None,
        trusts_types: bool = False,
    ) -> dict[str, IntArray]:
        found = run(graph, inputs, wanted=wanted, trusts_types=trusts_types)
        (output,) = graph.outputs
        if len(found[output]) and is_wrong(graph):
            found[output] = found[output] + 1
        return found

    return wrong


def test_processes_that_compute_something_else_are_not_exact(
    build: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    design = Design(lutloom.load_build(build), models / "float.npy")
    wrong = wrong_for(lambda graph: graph is design.build.processes)
    monkeypatch.setattr("lutloom.sim.reference.run", wrong)
    said = r"^\S+: the integer graph and the processes differ in 28 of 28: first at \[0, 0\]: "
    with pytest.raises(AssertionError, match=said):
        design.assert_exact(csim=False)


def test_an_engine_that_computes_something_else_than_its_reference_is_not_exact(
    build: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    design = Design(lutloom.load_build(build), models / "float.npy")
    # The reference is run first; and verify has nothing to say.
    runs = iter([True])
    wrong = wrong_for(lambda _: next(runs, False))
    monkeypatch.setattr("lutloom.sim.reference.run", wrong)
    monkeypatch.setattr("lutloom.simulation.default_engine", lambda _: lutloom.Engine.REFERENCE)
    monkeypatch.setattr("lutloom.testing.verify", lambda *_, **__: Verification((), 7))
    said = r"^the engine and its reference differ: .*; numbers that differ: 28, in images: 7$"
    with pytest.raises(AssertionError, match=said):
        design.assert_exact()
