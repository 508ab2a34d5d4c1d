from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lutloom.codegen import Golden, lower, unfolded_plan, write_project
from lutloom.codegen.folding import default_plan
from lutloom.codegen.initializer import dimensions, initializer
from lutloom.codegen.pragma_check import check_project
from lutloom.core.graph import Graph, Node
from lutloom.core.ops import Concat, Linear, Threshold, TopK
from lutloom.core.types import BIPOLAR, Const, TensorType
from lutloom.sim.reference import run
from lutloom.sim.toolchain import find_ap_headers

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = (
    'fc"0',
    "a\nb",
    "$(reboot)`x`",
    "[exec ls]",
    "*/ int x; /*",
    "x??/",
    "\\",
    "layer\u00fc",
    "int",
    "#pragma HLS PIPELINE",
)


def net(names: tuple[str, ...]) -> Graph:
    rng = np.random.default_rng(0)
    nodes: list[Node] = []
    last = "in"
    for index, name in enumerate(names[:-1]):
        if index % 2 == 0:
            op = Linear(Const(rng.choice([-1, 1], size=(8, 8))))
            nodes.append(Node((name,), op, (last,)))
        else:
            steps = Const(rng.integers(-3, 4, size=(8, 1)))
            staircase = Threshold(steps, Const([-1] * 8), Const([[2]] * 8))
            nodes.append(Node((name,), staircase, (last,)))
        last = name
    nodes.append(Node((names[-1],), TopK(1), (last,)))
    return lower(Graph({"in": TensorType(BIPOLAR, (8,))}, tuple(nodes), (names[-1],)))


def write(graph: Graph, directory: Path, *, name: str = "tiny", unit_limit: int = 12) -> Path:
    inputs = np.random.default_rng(1).choice([-1, 1], size=(5, 8))
    golden = Golden(inputs, run(graph, {"in": inputs})[graph.outputs[0]])
    plan = default_plan(graph, cycles=16)
    write_project(graph, plan, name=name, golden=golden, directory=directory, unit_limit=unit_limit)
    return directory / "hls"


def compile_testbench(hls: Path, compiler: str, *flags: str) -> subprocess.CompletedProcess[str]:
    sources = [*sorted(hls.glob("src/*.cpp")), hls / "tb" / "testbench.cpp"]
    includes = [f"-I{hls / name}" for name in ("csim", "src", "include")]
    options = ["-std=c++14", "-O0", *flags, *includes, "-isystem", str(find_ap_headers())]
    command = [compiler, *options, *map(str, sources), "-o", str(hls / "testbench")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_layer_that_is_called_as_a_kernel_gets_another_name_in_cpp(tmp_path: Path) -> None:
    """So that whoever reads a call by its name, as our checker does, finds the right function."""
    x = TensorType(BIPOLAR, (8,))
    graph = lower(Graph({"in": x}, (Node(("Concat",), Concat(0), ("in", "in")),), ("Concat",)))
    inputs = np.random.default_rng(1).choice([-1, 1], size=(5, 8))
    golden = Golden(inputs, run(graph, {"in": inputs})[graph.outputs[0]])
    write_project(graph, default_plan(graph), name="tiny", golden=golden, directory=tmp_path)
    assert (tmp_path / "hls" / "src" / "params" / "concat_2.hpp").exists()
    assert check_project(tmp_path) == []


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_hostile_names_compile_without_a_warning_and_pass(compiler: str, tmp_path: Path) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"needs {compiler}")
    hls = write(net(HOSTILE), tmp_path, name='evil"; */ $(x)\n', unit_limit=6)
    done = compile_testbench(hls, compiler, "-Wall", "-Wextra", "-Wno-unknown-pragmas")
    assert (done.returncode, done.stderr) == (0, "")
    ran = subprocess.run([hls / "testbench"], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "passed: 5 images, four times\n")
    for path in hls.rglob("*"):
        if path.suffix in (".cpp", ".hpp"):
            text = path.read_text(encoding="ascii")
            assert "reboot)`" not in text
            assert 'fc"0' not in text
            assert path.name.replace(".", "").replace("_", "").isalnum()


def test_the_testbench_fails_when_a_weight_is_wrong(tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    hls = write(net(("fc", "y")), tmp_path)
    weights = hls / "src" / "params" / "fc.hpp"
    text = weights.read_text()
    first = text.index("{0x")
    flipped = f"0x{int(text[first + 3 : first + 19], 16) ^ (2**64 - 1):016x}"
    weights.write_text(text[: first + 1] + flipped + text[first + 19 :])
    assert compile_testbench(hls, "g++").returncode == 0
    ran = subprocess.run([hls / "testbench"], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "differs from the golden one" in ran.stdout


def test_equal_designs_are_equal_bytes(tmp_path: Path) -> None:
    graph = net(("fc0", "act0", "fc1", "y"))
    trees = []
    for name in ("a", "b"):
        hls = write(graph, tmp_path / name)
        trees.append({p.relative_to(hls): p.read_bytes() for p in hls.rglob("*") if p.is_file()})
    assert trees[0] == trees[1]


def test_only_kernels_that_are_used_are_written(tmp_path: Path) -> None:
    hls = write(net(("fc", "y")), tmp_path)
    names = {path.stem for path in (hls / "include" / "lutloom").iterdir()}
    assert {"matvec", "top_k", "axis", "products", "bits", "lanes"} <= names
    assert not names & {"add", "permute", "duplicate", "threshold"}


def test_a_unit_reads_like_its_network(tmp_path: Path) -> None:
    hls = write(net(("fc0", "act0", "fc1", "y")), tmp_path)
    calls = [
        line.strip()
        for line in (hls / "src" / "tiny_top.cpp").read_text().splitlines()
        if line.endswith(");") and "::" in line and "stream" not in line
    ]
    assert calls == [
        "lutloom::read_axis<64, 64, 1>(s_axis, in_words, last);",
        "lutloom::narrow<64, 4, 8>(in_words, fc0_in);",
        "tiny_design::fc0(fc0_in, fc0_out);",
        "tiny_design::act0(fc0_out, act0_out);",
        "tiny_design::fc1(act0_out, fc1_out);",
        "tiny_design::y(fc1_out, y_out);",
        "lutloom::gearbox<3, 64, 3>(y_out, out_words);",
        "lutloom::write_axis<64, 64, 1>(out_words, last, m_axis);",
    ]


def test_the_description_names_what_the_simulator_needs(tmp_path: Path) -> None:
    graph = net(("fc0", "act0", "y"))
    document = json.loads((write(graph, tmp_path) / "design.json").read_text())
    (given,), (found,) = document["inputs"], document["outputs"]
    assert (given["value"], given["type"], given["shape"]) == ("in", [-1, 1, 2], [8])
    assert (found["value"], found["type"], found["shape"]) == ("y", [0, 7, 1], [1])
    assert found["tlast_of"] == "in"
    assert [unit["top"] for unit in document["units"]] == ["tiny_top"]
    assert [stream["value"] for stream in document["streams"]] == ["fc0", "act0", "y"]
    assert document["graph"] == unfolded_plan(graph).graph


def test_an_lfc_is_written_in_a_second(tmp_path: Path) -> None:
    import time

    rng = np.random.default_rng(0)
    nodes: list[Node] = []
    last, width = "in", 784
    for index, rows in enumerate((1024, 1024, 1024, 10)):
        matrix = Const(rng.choice([-1, 1], size=(width, rows)))
        nodes.append(Node((f"fc{index}",), Linear(matrix), (last,)))
        if index < 3:
            op = Threshold(Const(np.zeros((rows, 1), int)), Const([-1] * rows), Const([[2]] * rows))
            nodes.append(Node((f"act{index}",), op, (f"fc{index}",)))
        last, width = nodes[-1].name, rows
    nodes.append(Node(("class",), TopK(1), (last,)))
    graph = lower(Graph({"in": TensorType(BIPOLAR, (784,))}, tuple(nodes), ("class",)))
    golden = Golden(np.ones((1, 784), np.int64), np.zeros((1, 1), np.int64))
    start = time.process_time()
    write_project(graph, default_plan(graph), name="lfc", golden=golden, directory=tmp_path)
    # Processor time on a slow machine; about a third of it here.
    assert time.process_time() - start < 3


def test_golden_vectors_of_another_shape_are_refused(tmp_path: Path) -> None:
    graph = net(("fc", "y"))
    for inputs, outputs in (((0, 8), (0, 1)), ((2, 7), (2, 1)), ((2, 8), (1, 1))):
        golden = Golden(np.ones(inputs, np.int64), np.zeros(outputs, np.int64))
        with pytest.raises(ValueError, match=r"^the golden vectors of (in|y) should be \["):
            write_project(
                graph, unfolded_plan(graph), name="net", golden=golden, directory=tmp_path
            )


def test_initialisers_have_all_their_braces() -> None:
    assert dimensions((2, 1, 3)) == "[2][1][3]"
    table = np.arange(6).reshape(2, 1, 3)
    assert initializer(table) == "{\n    {{0, 1, 2}}, {{3, 4, 5}},\n}"
    assert initializer(np.array([[10], [255]]), hexadecimal_bits=8) == "{\n    {0x0a}, {0xff},\n}"
    least = np.array([-(2**63)])
    assert initializer(least) == "{\n    (-9223372036854775807 - 1),\n}"


def test_lines_of_tables_stay_within_the_page() -> None:
    text = initializer(np.arange(500) * 1001)
    assert max(map(len, text.splitlines())) <= 100
