"""The loops of the model of throughput against those of the generated C++."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lutloom.codegen import Golden, largest_plan, lower, write_project
from lutloom.codegen.assembly import make_design
from lutloom.codegen.design import Call, Design
from lutloom.codegen.kernels import NO_PROCESS
from lutloom.codegen.schedules import (
    SCHEDULES,
    Schedule,
    converter_schedule,
    process_schedule,
    reader_schedule,
    writer_schedule,
)
from lutloom.core.graph import Graph, Node
from lutloom.core.ops import (
    Add,
    BorderThreshold,
    Concat,
    Conv,
    Lookup,
    MatMul,
    MaxPool,
    Multiply,
    Permute,
    Requantize,
    Reshape,
    Split,
    SumPool,
    TopK,
    Upsample,
    Window,
)
from lutloom.core.types import Const, IntType, TensorType
from lutloom.sim.reference import run
from lutloom.sim.toolchain import find_ap_headers
from tests.codegen.conftest import Chain, in_pixels, random_plan, random_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# A stream that says in which iteration of which call each of its words was read or written.
STREAM = r"""
#pragma once
#include <cstdio>
#include <deque>
#include <string>
namespace logged {
inline void begin(const char* call) { std::printf("\n%s:", call); }
inline void iteration() { std::printf("\n"); }
}  // namespace logged
namespace hls {
template <typename T>
struct stream {
  std::string name;
  std::deque<T> items;
  stream() = default;
  explicit stream(const char* given) : name(given) {}
  T read() {
    std::printf(" %s", name.c_str());
    const T item = items.at(0);
    items.pop_front();
    return item;
  }
  void write(const T& item) {
    std::printf(" %s", name.c_str());
    items.push_back(item);
  }
};
}  // namespace hls
"""


def chain(shape: tuple[int, ...]) -> Chain:
    return Chain(np.random.default_rng(0), TensorType(IntType(0, 7), shape))


def dense() -> Graph:
    made = chain((2, 3, 12))
    made.threshold(IntType(-4, 3))
    made.append(Permute((1, 0, 2)))
    made.matvec(10)
    before = made.last
    made.threshold(IntType(-4, 3))
    made.append(Add(Const([[3], [-2]])), before)
    made.append(TopK(4))
    return made.graph


def requantized() -> Graph:
    made = chain((5, 12))
    one, zero = Const([[1]]), Const([[0]])
    made.append(Requantize(one, zero, 1, Const([0]), Const([3])))
    made.append(Permute((1, 0)))
    return made.graph


def windows() -> Graph:
    """Windows that overlap, lie apart, hang over, have gaps; in groups; pools of both kinds."""
    made = chain((11, 13, 4))
    made.append(Window((3, 2), (1, 2), (2, 1), (1, 0, 2, 1), (1, 1), 2, 0))
    made.matvec(6)
    made.threshold(IntType(0, 3))
    table, classes = Const([[[[0, 2]]], [[[1, 2]]]]), Const([0] * 9 + [1])
    made.append(BorderThreshold(table, Const([[[0]], [[1]]]), table, classes, Const([0])))
    made.append(MaxPool((2, 2), (2, 2), (1, 1), (0, 1, 0, 0)))
    made.append(MaxPool((2, 3), (1, 1), (1, 1), (1, 1, 0, 1)))
    kernel = Const(made.rng.integers(-2, 3, size=(2, 3, 1, 6)))
    made.append(Conv(kernel, (1, 1), (1, 1), (1, 1, 0, 1), (1, 1), 6, 0))
    made.threshold(IntType(0, 3))
    made.append(Window((2, 2), (1, 1), (1, 1), (0, -1, 0, 0), (2, 1), 1, 1))
    made.threshold(IntType(0, 3))
    made.append(SumPool((3, 3), (2, 1), (1, 1), (1, 1, 1, 1)))
    made.append(SumPool(made.type.shape[:-1], (1, 1), (1, 1), (0, 0, 0, 0)))
    return made.graph


def products() -> Graph:
    made = chain((4, 6))
    before = made.last
    made.threshold(IntType(-4, 3))
    made.append(Multiply(), before)
    made.threshold(IntType(-4, 3))
    made.append(Lookup(Const(np.arange(8 * 12).reshape(8, 12)), -4))
    made.append(Reshape((2, 12, 12)))
    made.append(MatMul(), made.last)
    return made.graph


def moves() -> Graph:
    """Elements that change places."""
    made = chain((2, 3, 4))
    made.threshold(IntType(-4, 3))
    made.append(Concat(1), "x")
    made.append(Upsample((1, 2, 1)))
    made.append(Upsample((2, 3, 2)))
    made.nodes.append(Node(("a", "b"), Split(1, (0, 3, 6, 18)), (made.last,)))
    made.last = "b"
    made.append(Concat(1), "a")
    made.append(Permute((1, 0, 2)))
    return made.graph


GRAPHS: dict[str, Callable[[], Graph]] = {
    "dense": dense,
    "moves": moves,
    "products": products,
    "requantized": requantized,
    "windows": windows,
}


def log(hls: Path) -> None:
    """Make the C++ below ``hls`` log the iterations of its loops, and the calls of its units."""
    for path in hls.rglob("*.hpp"):
        path.write_text(re.sub("#pragma HLS PIPELINE.*", "logged::iteration();", path.read_text()))
    call = re.compile(r"^(?=  \w+::\w+(?:<[^()]*>)?\(([\w, ]+)\);$)", re.MULTILINE)
    for path in hls.glob("src/*.cpp"):
        path.write_text(call.sub(r'  logged::begin("\1");', path.read_text()))
    (hls / "csim" / "hls_stream.h").write_text(STREAM)


def logged(directory: Path, design: Design) -> dict[str, list[list[str]]]:
    """Return, by the arguments of each call of an image, the streams that each iteration used."""
    hls = directory / "hls"
    log(hls)
    (unit,) = design.units
    names = [border.argument for border in unit.borders]
    streams = "\n".join(
        f'  hls::stream<ap_axiu<{border.axis_bits}, 0, 0, 0> > {name}("{name}");'
        for name, border in zip(names, unit.borders, strict=True)
    )
    given = "\n".join(f"  {b.argument}.items.resize({b.beats});" for b in unit.entries)
    main = f"""
#include "{unit.top}.cpp"
int main() {{
{streams}
{given}
  {unit.top}({", ".join(names)});
}}
"""
    (hls / "main.cpp").write_text(main)
    includes = [f"-I{hls / folder}" for folder in ("csim", "src", "include")]
    flags = ["-std=c++14", "-w", "-isystem", str(find_ap_headers())]
    command = ["g++", *flags, *includes, str(hls / "main.cpp"), "-o", str(hls / "main")]
    subprocess.run(command, check=True)
    text = subprocess.run([hls / "main"], check=True, capture_output=True, text=True).stdout
    calls: dict[str, list[list[str]]] = {}
    for line in text.splitlines()[1:]:
        if line.endswith(":"):
            calls[line[:-1]] = iterations = []
        else:
            iterations.append(sorted(line.split()))
    return calls


def schedules(design: Design) -> Iterator[tuple[tuple[str, ...], Schedule]]:
    (unit,) = design.units
    for entry in unit.entries:
        schedule = reader_schedule(entry.beats, len(entry.tokens))
        yield (entry.argument, entry.fifo, *entry.tokens), schedule
    for call in unit.calls:
        yield call.arguments, schedule_of(call)
    for exit_ in unit.exits:
        yield (exit_.fifo, *exit_.tokens, exit_.argument), writer_schedule(exit_.beats)


def schedule_of(call: Call) -> Schedule:
    if call.process is not None:
        return process_schedule(call.process.site, call.process.folding)
    assert call.converter is not None
    return converter_schedule(call.converter)


def test_every_process_is_in_a_graph_here() -> None:
    graphs = [lower(make()) for make in GRAPHS.values()]
    processes = {node.op.name for graph in graphs for node in graph.nodes}
    assert processes - NO_PROCESS == set(SCHEDULES)


@pytest.mark.parametrize("kind", ["random", "largest", "pixels"])
@pytest.mark.parametrize("name", GRAPHS)
def test_every_loop_reads_and_writes_as_its_cpp_does(name: str, kind: str, tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    graph = lower(GRAPHS[name]())
    rng = np.random.default_rng(0)
    plan = largest_plan(graph) if kind == "largest" else random_plan(rng, graph, 8)
    if kind == "pixels":
        plan = in_pixels(rng, graph, plan)
    ((source, tensor),) = graph.inputs.items()
    inputs = random_values(rng, tensor, 2)
    golden = Golden(inputs, run(graph, {source: inputs})[graph.outputs[0]])
    write_project(graph, plan, name="net", golden=golden, directory=tmp_path, unit_limit=99)
    design = make_design(graph, plan, name="net", unit_limit=99)
    calls = logged(tmp_path, design)
    for arguments, schedule in schedules(design):
        masks = schedule.dense
        used = [
            sorted(argument for port, argument in enumerate(arguments) if mask >> port & 1)
            for mask in masks.tolist()
        ]
        assert calls[", ".join(arguments)] == used
    assert len(calls) == len(design.units[0].calls) + 2
