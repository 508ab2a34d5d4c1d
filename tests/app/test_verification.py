"""Every stage of ``verify`` fails where its two sides differ, and names the first that does."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import lutloom
from lutloom import Stage
from lutloom.core.errors import LutloomWarning
from lutloom.core.graph import Graph, Node
from lutloom.core.ops import Threshold
from lutloom.core.store import load_graph, save_graph
from lutloom.core.types import Const
from tests.app.commands import Invoke


def fails(build: Path) -> lutloom.Check:
    """Return the first comparison of ``build`` that failed."""
    result = lutloom.verify(build, samples=40, csim=False)
    assert not result.passed
    failure = result.first_failure
    assert failure is not None
    assert failure.differing > 0
    return failure


def mutate(stem: Path) -> str:
    """Change one threshold of a saved graph; return the name of the value that it makes."""
    graph = load_graph(stem)
    nodes = list(graph.nodes)
    index = next(i for i, node in enumerate(nodes) if isinstance(node.op, Threshold))
    op = nodes[index].op
    assert isinstance(op, Threshold)
    thresholds = np.array(op.thresholds.data)
    thresholds[0, 0] += 2
    fresh = Threshold(Const(np.sort(thresholds, axis=1)), op.base, op.deltas)
    nodes[index] = Node(nodes[index].results, fresh, nodes[index].inputs)
    save_graph(Graph(graph.inputs, tuple(nodes), graph.outputs), stem)
    return nodes[index].name


def test_a_whole_build_passes(float_build: Path) -> None:
    result = lutloom.verify(float_build, samples=10, csim=False)
    assert result.passed
    assert result.first_failure is None
    assert result.samples == 10
    assert {check.stage for check in result.checks} == {
        Stage.MODEL,
        Stage.ENGINE,
        Stage.PROCESSES,
        Stage.FILES,
    }
    assert all(check.elements > 0 for check in result.checks)


def test_the_exact_interpreter_is_a_stage_where_it_is_asked_for(
    invoke: Invoke, build: Path
) -> None:
    ended = invoke("verify", build, "--exact", "3", "--samples", "5", "--no-csim")
    assert ended.status == 0
    assert "exact: the exact interpreter of the model and the integer graph" in ended.out
    name = mutate(build / "model")
    result = lutloom.verify(build, samples=40, exact=40, csim=False)
    assert result.first_failure is not None
    assert (result.first_failure.stage, result.first_failure.subject) == (Stage.EXACT, name)


def test_another_model_differs_from_the_integers(build: Path) -> None:
    model = onnx.load(build / "model.onnx")
    matmul = next(node for node in model.graph.node if node.op_type == "MatMul")
    quantizer = next(node for node in model.graph.node if node.output[0] == matmul.input[1])
    weights = next(t for t in model.graph.initializer if t.name == quantizer.input[0])
    negated = -numpy_helper.to_array(weights)
    weights.CopyFrom(numpy_helper.from_array(negated, weights.name))
    onnx.save(model, build / "model.onnx")
    failure = fails(build)
    assert (failure.stage, failure.subject) == (Stage.MODEL, "Quant_4")


def test_other_thresholds_of_the_integers_differ_from_the_model(build: Path) -> None:
    name = mutate(build / "model")
    failure = fails(build)
    assert (failure.stage, failure.subject) == (Stage.MODEL, name)


def test_other_thresholds_of_the_processes_differ_from_the_integers(
    invoke: Invoke, build: Path
) -> None:
    name = mutate(build / "processes")
    with pytest.warns(LutloomWarning, match=r"report\.html stays as it was: the plan is for the"):
        failure = fails(build)
    assert (failure.stage, failure.subject) == (Stage.PROCESSES, name)
    assert re.fullmatch(r"first at \[\d+, 0\]: -?\d+ instead of -?\d+", failure.remark)
    ended = invoke("verify", build, "--no-csim")
    assert ended.status == 1
    assert all("report.html stays as it was" in line for line in ended.err.splitlines())
    assert f"{name}: the integer graph and the processes differ in" in ended.out
    assert "processes.npz" in ended.out
    assert "All stages agree" not in ended.out


@pytest.fixture
def compiler() -> None:
    if shutil.which("g++") is None:
        pytest.skip("needs g++")


@pytest.mark.usefixtures("compiler")
def test_another_weight_in_the_cplusplus_differs_from_the_processes(
    invoke: Invoke, build: Path
) -> None:
    path = build / "hls" / "src" / "params" / "matmul_2.hpp"
    text = path.read_text()
    word = re.search(r"\b0x[0-9a-f]+", text)
    assert word is not None
    changed = f"{int(word[0], 16) ^ 1:#0{len(word[0])}x}"
    path.write_text(text[: word.start()] + changed + text[word.end() :])
    ended = invoke("verify", build, "--samples", "40")
    assert ended.status == 1
    assert "MatMul_2: the processes and the compiled C++ differ in" in ended.out
    assert ended.out.startswith("Changed since it was compiled: hls/src/params/matmul_2.hpp")


@pytest.mark.usefixtures("compiler")
def test_a_deadlock_fails_where_the_fifos_are_bounded(invoke: Invoke, build: Path) -> None:
    path = build / "hls" / "src" / "n_float_top.cpp"
    lines = path.read_text().splitlines(keepends=True)
    calls = [line for line in lines if re.match(r"  \w+::matmul_\d\(", line)]
    assert len(calls) > 1
    # The last process never runs: with threads, what it should have read fills up.
    text = "".join(lines).replace(calls[-1], f"#ifndef LUTLOOM_BOUNDED\n{calls[-1]}#endif\n")
    path.write_text(text)
    ended = invoke("verify", build, "--samples", "3")
    assert (ended.status, ended.err) == (1, "")
    assert "n_float_top.cpp" in ended.out
    assert "deadlock" in ended.out.lower()
    assert "the processes and the compiled C++ with bounded FIFOs differ in" in ended.out


def test_edits_that_change_no_number_pass_and_are_named(invoke: Invoke, build: Path) -> None:
    path = build / "scripts" / "n_float_top.cfg"
    path.write_text(f"# mine\n{path.read_text()}")
    ended = invoke("verify", build, "--no-csim", "--samples", "3")
    assert ended.status == 0
    assert "scripts/n_float_top.cfg" in ended.out
    assert "All stages agree on 3 images." in ended.out


def test_batches_of_images_are_added_up(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = lutloom.verify(build, samples=7)
    monkeypatch.setattr("lutloom.simulation.MOST_NUMBERS", 150)
    monkeypatch.setattr("lutloom.stages._MOST_FLOATS", 100)
    steps: list[str] = []
    parts = lutloom.verify(build, samples=7, exact=4, on_step=steps.append)
    assert [check for check in parts.checks if check.stage is not Stage.EXACT] == list(whole.checks)
    exact = [check for check in parts.checks if check.stage is Stage.EXACT]
    sizes = {check.subject: check.elements // 7 for check in whole.checks}
    assert all(check.elements == 4 * sizes.get(check.subject, check.elements) for check in exact)
    assert "Compared 7 of 7 images" in steps
    assert sum(step.startswith("Compared") for step in steps) > 2


def test_a_difference_has_the_number_of_its_image(
    build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutate(build / "processes")
    (build / "report.html").unlink()
    whole = lutloom.verify(build, samples=20, csim=False).first_failure
    monkeypatch.setattr("lutloom.simulation.MOST_NUMBERS", 150)
    part = lutloom.verify(build, samples=20, csim=False).first_failure
    assert whole is not None
    assert part == whole
