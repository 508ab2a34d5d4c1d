from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lutloom.codegen import Golden, default_plan, lower, write_project
from lutloom.core.errors import RangeError
from lutloom.core.graph import Graph, Node
from lutloom.core.ops import Linear, Threshold, TopK
from lutloom.core.types import Const, IntType, TensorType
from lutloom.sim import csim
from lutloom.sim.csim import CSimError
from lutloom.sim.reference import run

if TYPE_CHECKING:
    from pathlib import Path

NODES = (
    Node(("fc",), Linear(Const(np.random.default_rng(0).integers(-3, 4, size=(6, 8)))), ("x",)),
    Node(("act",), Threshold(Const([[-3, 0, 4]]), Const([0]), Const([[1, 1, 1]])), ("fc",)),
    Node(("y",), TopK(3), ("act",)),
)
GRAPH = lower(Graph({"x": TensorType(IntType(-8, 7), (6,))}, NODES, ("y",)))
INPUTS = np.random.default_rng(1).integers(-8, 8, size=(9, 6))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("project")
    golden = Golden(INPUTS, run(GRAPH, {"x": INPUTS})["y"])
    write_project(GRAPH, default_plan(GRAPH), name="net", golden=golden, directory=directory)
    return directory


@pytest.fixture(scope="module")
def simulation(project: Path) -> csim.CSim:
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    return csim.build(project, compiler="g++")


@pytest.mark.parametrize("batch", [None, 1, 2, 7, 100])
def test_outputs_do_not_depend_on_the_batch(simulation: csim.CSim, batch: int | None) -> None:
    assert np.array_equal(simulation.run(INPUTS, batch=batch), run(GRAPH, {"x": INPUTS})["y"])


def test_no_image_gives_no_output(simulation: csim.CSim) -> None:
    assert simulation.run(INPUTS[:0]).shape == (0, 3)
    assert simulation.trace(INPUTS[:0])["fc"].shape == (0, 8)


def test_the_trace_has_every_value_of_the_graph(simulation: csim.CSim) -> None:
    expected = run(GRAPH, {"x": INPUTS})
    traced = simulation.trace(INPUTS)
    assert set(traced) == set(expected)
    for name, values in traced.items():
        assert np.array_equal(values, expected[name])


def test_inputs_outside_the_type_are_refused(simulation: csim.CSim) -> None:
    with pytest.raises(RangeError, match=r"^x\[0, 2\] is 8, outside int<-8..7>$"):
        simulation.run(np.array([[0, 0, 8, 0, 0, 0]]))
    with pytest.raises(CSimError, match=r"^a batch should hold at least 1 image, not 0$"):
        simulation.run(INPUTS, batch=0)


def damaged(project: Path, tmp_path: Path, path: str, old: str, new: str) -> Path:
    copy = tmp_path / "damaged"
    shutil.copytree(project, copy)
    file = copy / "hls" / path
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))
    return copy


@pytest.mark.parametrize(
    ("path", "old", "new", "message"),
    [
        (
            "include/lutloom/axis.hpp",
            "    transfer.keep = -1;\n",
            "",
            "image 0, transfer 0 of the output: keep and strb should be all ones",
        ),
        (
            "include/lutloom/axis.hpp",
            "transfer.last = last.read();",
            "transfer.last = !last.read();",
            "image 0, transfer 0 of the output has TLAST",
        ),
        (
            "include/lutloom/top_k.hpp",
            "VECTORS * kBeats",
            "VECTORS * kBeats - 1",
            "y_out is read while it is empty",
        ),
        (
            "include/lutloom/matvec.hpp",
            "    if (column == kColumnFolds - 1) {\n      out.write(y);",
            "    if (column == kColumnFolds - 1) {\n      if (row == 0) out.write(y);\n"
            "      out.write(y);",
            "fc_out still holds 1 words after the last image",
        ),
    ],
)
def test_a_design_that_misbehaves_is_reported(
    project: Path, tmp_path: Path, path: str, old: str, new: str, message: str
) -> None:
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    broken = csim.build(damaged(project, tmp_path, path, old, new), compiler="g++")
    with pytest.raises(CSimError, match=f"^C simulation: {message}$"):
        broken.run(INPUTS, batch=4)


def test_the_compilers_complaint_is_shown(project: Path, tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    broken = damaged(project, tmp_path, "src/net_top.cpp", "#pragma HLS DATAFLOW", "typo;\n//")
    with pytest.raises(CSimError, match=r"(?s)^the C\+\+ compiler refuses the .* 'typo'"):
        csim.build(broken, compiler="g++")


def test_a_cached_design_is_not_compiled_again(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    cache = tmp_path / "cache"
    first = csim.build(project, cache=cache, compiler="g++")
    assert [path.name for path in cache.iterdir()] == [first.library.name]

    def fail(*_: object) -> Path:
        pytest.fail("compiled again")

    monkeypatch.setattr("lutloom.sim.shared_library.compile_sources", fail)
    again = csim.build(project, cache=cache, compiler="g++")
    assert np.array_equal(again.run(INPUTS), first.run(INPUTS))


def test_a_directory_without_a_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CSimError, match=r"is no project: .*design\.json is missing$"):
        csim.build(tmp_path)
    (tmp_path / "hls").mkdir()
    (tmp_path / "hls" / "design.json").write_text('{"format": 99}')
    with pytest.raises(CSimError, match="is of another format than this version reads"):
        csim.build(tmp_path)


def test_an_adversary_needs_bounded_fifos(simulation: csim.CSim) -> None:
    with pytest.raises(CSimError, match=r"^an adversary needs bounded FIFOs: build the simulation"):
        simulation.run(INPUTS, adversary=0)


def test_an_adversary_changes_no_number(project: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    bounded = csim.build(project, bounded=True, compiler="g++")
    expected = run(GRAPH, {"x": INPUTS})["y"]
    assert np.array_equal(bounded.run(INPUTS), expected)
    for seed in (0, 1, 2**40):
        assert np.array_equal(bounded.run(INPUTS, batch=2, adversary=seed), expected)
