from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lutloom.codegen import (
    Golden,
    default_plan,
    largest_plan,
    lower,
    unfolded_plan,
    write_project,
)
from lutloom.codegen.cpp_names import collect, directions
from lutloom.codegen.cpp_scopes import parse
from lutloom.codegen.cpp_tokens import Kind, Token, tokenize
from lutloom.codegen.pragma_check import check_pragmas, check_project
from lutloom.codegen.pragma_rules import DEAD, RULES, STORAGE_IMPLEMENTATIONS
from lutloom.core.graph import Graph, Node
from lutloom.core.ops.add import Add
from lutloom.core.ops.linear import Linear
from lutloom.core.ops.threshold import Threshold
from lutloom.core.ops.top_k import TopK
from lutloom.core.types import Const, IntType, TensorType
from lutloom.sim.reference import run

PROCESSES = """\
#pragma once
#include <ap_int.h>
#include <hls_stream.h>
namespace lutloom {
constexpr int ceil_divide(int a, int b) { return (a + b - 1) / b; }
enum { kLanes = 4, kDepth };
template <int N, int PE, typename Word>
void scale(hls::stream<Word>& in, hls::stream<Word>& out, const short (&table)[N / PE][PE]) {
#pragma HLS BIND_STORAGE variable=table type=rom_1p impl=lutram
#pragma HLS ARRAY_PARTITION variable=table type=complete dim=2
  constexpr int kFolds = ceil_divide(N, PE);
  Word history[N][2];
#pragma HLS BIND_STORAGE variable=history type=ram_s2p impl=bram latency=2
#pragma HLS ARRAY_PARTITION variable=history cyclic factor=PE dim=1
  static ap_uint<8> count = 0;
#pragma HLS RESET variable=count
  Word sums[PE];
#pragma HLS ARRAY_PARTITION variable=sums complete
rows:
  for (int fold = 0; fold < N / PE; ++fold) {
#pragma HLS PIPELINE II=1 style=flp
#pragma HLS DEPENDENCE variable=history type=inter dependent=false
#pragma HLS LOOP_TRIPCOUNT min=1 max=kFolds
    const Word x = in.read();  // a / b % c
    for (int lane = 0; lane < PE; ++lane) {
#pragma HLS UNROLL
      const Word product = x * table[fold][lane];
#pragma HLS BIND_OP variable=product op=mul impl=dsp latency=2
      sums[lane] = product;
      history[fold][0] = history[fold][1] + product;
    }
    count = count + 1;
    out.write(x);
  }
}
template <int BEATS>
void to_axis(hls::stream<ap_uint<8> >& in, hls::stream<ap_axiu<8, 0, 0, 0> >& out) {
  for (int beat = 0; beat < BEATS; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
    ap_axiu<8, 0, 0, 0> transfer;
    transfer.data = in.read();
    transfer.keep = -1;
    transfer.strb = -1;
    transfer.last = beat == BEATS - 1;
    out.write(transfer);
  }
}
template <int BEATS>
void from_axis(hls::stream<ap_axiu<8, 0, 0, 0> >& in, hls::stream<ap_uint<8> >& out) {
  for (int beat = 0; beat < BEATS; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
    out.write(in.read().data);
#ifndef __SYNTHESIS__
    if (in.empty()) { std::printf("%s", "}{"); }
#endif
  }
}
}  // namespace lutloom
"""

TOP = """\
#include "top.hpp"
namespace {
const short kTable[2][4] = {{1, 2, 3, 4}, {5, 6, 7, 8}};
void scale_0(hls::stream<ap_uint<8> >& in, hls::stream<ap_uint<8> >& out) {
#pragma HLS INLINE off
  lutloom::scale<8, 4, ap_uint<8> >(in, out, kTable);
}
}
extern "C" void top(hls::stream<ap_axiu<8, 0, 0, 0> >& in,
                    hls::stream<ap_axiu<8, 0, 0, 0> >& out) {
#pragma HLS INTERFACE mode=ap_ctrl_none port=return
#pragma HLS INTERFACE axis register_mode=both port=in
#pragma HLS INTERFACE mode=axis port=out
#pragma HLS DATAFLOW disable_start_propagation
  hls::stream<ap_uint<8> > first("first");
#pragma HLS STREAM variable=first depth=2
  hls::stream<ap_uint<8> > second;
#pragma HLS STREAM variable=second depth=64
#pragma HLS BIND_STORAGE variable=second type=fifo impl=srl
  static_assert(8 % 4 == 0, "PE should divide N");
  lutloom::from_axis<8>(in, first);
  scale_0(first, second);
  lutloom::to_axis<8>(second, out);
}
"""

MEMORY_TOP = """\
extern "C" {
void run(const int* weights, int count, hls::stream<int>& out) {
#pragma HLS INTERFACE mode=m_axi port=weights bundle=gmem depth=64 offset=slave
#pragma HLS INTERFACE mode=s_axilite port=count
#pragma HLS INTERFACE mode=s_axilite port=return
#pragma HLS interface axis port=out
  for (int i = 0; i < 64; i++) {
#pragma HLS pipeline ii=1 style=FLP
    out.write(weights[i] + count);
  }
}
}
"""

LINE_BUFFER = """\
struct Window {
  int taps[3][3];
  static constexpr int kSize = 3;
};
typedef hls::stream<int> Words;
template <class T, unsigned WIDTH>
class Buffer {
 public:
  Buffer() {}
  void push(Words& in, Words &out) {
#pragma HLS array_partition variable=window.taps type=complete dim=0
#pragma HLS array_partition variable=rows type=block factor=Window::kSize dim=1
    Window window;
loop: for (unsigned i = 0; i < WIDTH; ++i) {
#pragma HLS pipeline II=2*Window::kSize style=flp
#pragma HLS loop_flatten off
      if (i > 0) out << rows[0][i]; else { in >> rows[0][i]; }
      switch (i) { case 0: break; default: rows[1][i] = 2; }
    }
  }
 private:
  T rows[3][WIDTH];
};
static const unsigned long long kTable[] = {0x0123456789abcdefULL, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
"""

KERNELS = Path(__file__).parents[2] / "hls_templates" / "include" / "lutloom"


def write_design(directory: Path, processes: str = PROCESSES, top: str = TOP) -> Path:
    (directory / "hls" / "include" / "lutloom").mkdir(parents=True)
    (directory / "hls" / "src" / "params").mkdir(parents=True)
    (directory / "hls" / "tb").mkdir()
    (directory / "hls" / "include" / "lutloom" / "scale.hpp").write_text(processes)
    (directory / "hls" / "src" / "top.cpp").write_text(top)
    (directory / "hls" / "src" / "params" / "a.hpp").write_text("const int kA[2] = {1, 2};\n")
    (directory / "hls" / "tb" / "testbench.cpp").write_text("int main() { return in.empty(); }\n")
    return directory


@pytest.mark.parametrize(
    "text",
    [PROCESSES, PROCESSES + TOP, MEMORY_TOP, LINE_BUFFER.replace("    Window window;\n", "", 1)],
    ids=["processes", "design", "memory", "line-buffer"],
)
def test_good_text_raises_no_alarm(text: str) -> None:
    if "window.taps" in text:
        text = text.replace(
            "  void push(Words& in, Words &out) {\n",
            "  void push(Words& in, Words &out) {\n    Window window;\n",
        )
    assert [str(problem) for problem in check_pragmas(text, file="good.cpp")] == []


def test_good_project_raises_no_alarm(tmp_path: Path) -> None:
    assert [str(problem) for problem in check_project(write_design(tmp_path))] == []


@pytest.mark.parametrize("header", sorted(KERNELS.glob("*.hpp")), ids=lambda path: path.name)
def test_kernel_raises_no_alarm(header: Path) -> None:
    text = header.read_text(encoding="utf-8")
    assert [str(problem) for problem in check_pragmas(text, file=header.name)] == []


def test_kernels_are_seen_with_their_streams() -> None:
    # An alarm that is not raised says little of functions that were not seen.
    files = {path.name: parse(path.read_text()) for path in sorted(KERNELS.glob("*.hpp"))}
    names = collect(files)
    functions = {function.name: function for function in names.functions}
    for name in ("matvec", "threshold", "top_k", "permute"):
        found = directions(functions[name], names)
        assert (set(found["in"]), set(found["out"])) == ({"read"}, {"write"}), name
    assert directions(functions["duplicate"], names)["others"] == {"write"}
    assert directions(functions["concat"], names) == {"out": {"write"}, "ins": {"read"}}
    assert directions(functions["split"], names) == {"in": {"read"}, "outs": {"write"}}
    assert functions["matvec"].parameters[3].dimensions == 2


# Each mutant: a text that the design holds, what it becomes, and what is said of it.
MUTANTS = {
    "misspelt HLS": ("#pragma HLS UNROLL", "#pragma HSL UNROLL", "no pragma that any tool reads"),
    "misspelt pragma": ("HLS PIPELINE II", "HLS PIPLINE II", "no pragma PIPLINE.*pipeline"),
    "misspelt dataflow": ("HLS DATAFLOW", "HLS DATA_FLOW", "no pragma DATA_FLOW"),
    "misspelt option": ("II=1 style=flp\n#pragma HLS DEP", "IL=1 style=flp\n#pragma HLS DEP", "IL"),
    "misspelt style": ("II=1 style=flp\n#pragma HLS DEP", "II=1 style=flq\n#pragma HLS DEP", "flq"),
    "style left out": ("II=1 style=flp\n    out", "II=1\n    out", "wants style=flp"),
    "style of another kind": (
        "II=1 style=flp\n    out",
        "II=1 style=stp\n    out",
        "wants style=fl",
    ),
    "rewind": ("II=1 style=flp\n    out", "II=1 style=flp rewind\n    out", "rewind withholds"),
    "rewind with frp": ("II=1 style=flp\n    out", "II=1 style=frp rewind\n    out", "exclude one"),
    "dead flush": ("II=1 style=flp\n    out", "II=1 enable_flush\n    out", "enable_flush is dead"),
    "interval of nothing": ("II=1 style=flp\n    out", "II=0 style=flp\n    out", "at least 1"),
    "interval no integer": ("II=1 style=flp\n    out", "II=1.5 style=flp\n    out", "an integer"),
    "interval unknown": (
        "II=1 style=flp\n    out",
        "II=IVAL style=flp\n    out",
        "no constant here",
    ),
    "interval twice": ("II=1 style=flp\n    out", "II=1 II=2 style=flp\n    out", "given twice"),
    "dead resource": (
        "BIND_STORAGE variable=history type=ram_s2p impl=bram latency=2",
        "RESOURCE variable=history core=RAM_S2P_BRAM",
        "RESOURCE is dead.*bind_storage",
    ),
    "dead data_pack": ("RESET variable=count", "DATA_PACK variable=count", "DATA_PACK is dead"),
    "memory type": ("type=ram_s2p", "type=ram_s2", "type=ram_s2 should be one of"),
    "memory without type": ("type=ram_s2p impl=bram", "impl=bram", "type is missing"),
    "memory implementation": ("ram_s2p impl=bram", "ram_s2p impl=srl", "no implementation srl"),
    "true dual port of tables": (
        "ram_s2p impl=bram",
        "ram_t2p impl=lutram",
        "implementation lutra",
    ),
    "memory latency": ("impl=bram latency=2", "impl=bram latency=4", "above the longest, 3"),
    "memory of a constant": ("type=rom_1p", "type=ram_1p", "wants a memory that can be written"),
    "constant of a memory": (
        "type=ram_s2p impl=bram latency=2",
        "type=rom_2p",
        "wants a constant, but history is none",
    ),
    "URAM as ROM": ("rom_1p impl=lutram", "rom_1p impl=uram", "no implementation uram"),
    "FIFO on an array": ("type=ram_s2p impl=bram latency=2", "type=fifo", "does not go with hist"),
    "RAM on a stream": ("type=fifo impl=srl", "type=ram_2p", "does not go with second, a stream"),
    "wrong variable": ("BIND_STORAGE variable=history", "BIND_STORAGE variable=histroy", "histroy"),
    "variable of another scope": ("variable=sums complete", "variable=product complete", "product"),
    "variable declared later": (
        "  Word sums[PE];\n#pragma HLS ARRAY_PARTITION variable=sums complete\n",
        "#pragma HLS ARRAY_PARTITION variable=sums complete\n  Word sums[PE];\n",
        "sums is not declared before it",
    ),
    "no variable": ("RESET variable=count", "RESET", "variable is missing"),
    "variable no name": ("RESET variable=count", "RESET variable=3", "the name of a variable"),
    "wrong dimension": (
        "variable=table type=complete dim=2",
        "variable=table dim=3",
        "2 dimensions",
    ),
    "negative dimension": ("type=complete dim=2", "type=complete dim=-1", "at least 0"),
    "partition of a scalar": ("variable=sums complete", "variable=count complete", "an array, not"),
    "partition of a stream": ("variable=sums complete", "variable=in complete", "not a stream"),
    "partition type": ("cyclic factor=PE", "cyclical factor=PE", "cyclical is not known"),
    "partition without factor": ("cyclic factor=PE dim=1", "cyclic dim=1", "cyclic wants a factor"),
    "factor of a complete one": (
        "sums complete",
        "sums complete factor=2",
        "block and cyclic only",
    ),
    "factor unknown": ("factor=PE", "factor=SIMD", "SIMD, which is no constant"),
    "two partition types": ("cyclic factor=PE", "cyclic block factor=PE", "type is given twice"),
    "registers and memory": ("cyclic factor=PE dim=1", "dim=0", "partitioned into registers"),
    "twice on one variable": (
        "RESET variable=count\n",
        "RESET variable=count\n#pragma HLS RESET variable=count\n",
        "there are two on count",
    ),
    "two pipelines": (
        "II=1 style=flp\n    out",
        "II=1 style=flp\n#pragma HLS PIPELINE II=2 style=flp\n    out",
        "two in this block",
    ),
    "operator": ("op=mul", "op=mult", "op=mult should be one of"),
    "operator implementation": ("impl=dsp", "impl=dps", "impl=dps should be one of"),
    "operator latency": ("impl=dsp latency=2", "impl=dsp latency=9", "above the longest, 4"),
    "operator of no variable": (
        "variable=product op",
        "variable=produkt op",
        "produkt is not decl",
    ),
    "operator without op": (
        "variable=product op=mul impl=dsp",
        "variable=product",
        "op is missing",
    ),
    "pipeline in a branch": (
        "#pragma HLS UNROLL\n",
        "if (lane) {\n#pragma HLS PIPELINE II=1 style=flp\n}\n#pragma HLS UNROLL\n",
        "should stand directly inside a loop or the body",
    ),
    "unroll outside of a loop": (
        "#pragma HLS RESET variable=count",
        "#pragma HLS RESET variable=count\n#pragma HLS UNROLL",
        "should stand directly inside a loop",
    ),
    "pragma before its loop": (
        "rows:\n  for (int fold = 0; fold < N / PE; ++fold) {\n",
        "rows:\n  for (int fold = 0; fold < N / PE; ++fold)\n#pragma HLS LOOP_FLATTEN off\n {\n",
        "in the midst of a statement",
    ),
    "pragma within parentheses": (
        "(hls::stream<Word>& in, hls::stream<Word>& out,",
        "(hls::stream<Word>& in,\n#pragma HLS INLINE off\n hls::stream<Word>& out,",
        "outside of a function",
    ),
    "pragma outside of functions": (
        "namespace lutloom {\n",
        "namespace lutloom {\n#pragma HLS INLINE\n",
        "outside of a function",
    ),
    "pragma in simulation only": (
        "#ifndef __SYNTHESIS__\n",
        "#ifndef __SYNTHESIS__\n#pragma HLS LOOP_FLATTEN off\n",
        "text that synthesis leaves out",
    ),
    "unroll dropped": ("#pragma HLS UNROLL\n", "", "neither PIPELINE nor UNROLL"),
    "pipeline dropped": (
        "#pragma HLS PIPELINE II=1 style=flp\n    out",
        "    out",
        "neither PIPELINE nor UNROLL",
    ),
    "loop in a pipelined loop": (
        "#pragma HLS UNROLL\n",
        "#pragma HLS LOOP_FLATTEN off\n",
        "neither PIPELINE nor UNROLL",
    ),
    "dependence on a scalar": ("DEPENDENCE variable=history", "DEPENDENCE variable=x", "x is not"),
    "dependence of a kind": ("type=inter", "type=between", "type=between should be one of"),
    "dependence of nothing": ("variable=history type=inter", "type=inter", "variable or class"),
    "tripcount upside down": ("min=1 max=kFolds", "min=9 max=8", "min=9 is above max=8"),
    "tripcount without maximum": ("min=1 max=kFolds", "min=1", "max is missing"),
    "reset of a local": (
        "RESET variable=count",
        "RESET variable=history",
        "a static variable, not",
    ),
    "reset dropped": ("#pragma HLS RESET variable=count\n", "", "keeps its value over a reset"),
    "memory reset": (
        "  Word sums[PE];\n",
        "  static Word sums[PE];\n#pragma HLS RESET variable=sums\n",
        "static array sums is reset",
    ),
    "division": ("x * table[fold][lane]", "x / table[fold][lane]", "run time"),
    "modulo of a counter": ("count = count + 1", "count = (count + 1) % N", "count at run time"),
    "division in a condition": ("fold < N / PE", "fold / PE < N", "fold at run time"),
    "poll": ("const Word x = in.read();", "if (in.empty()) return; const Word x = 0;", "empty()"),
    "read that does not block": ("= in.read();  // a", "= in.read_nb();  // a", "does not block"),
    "write that does not block": ("    out.write(x);", "    out.write_nb(x);", "does not block"),
    "keep forgotten": ("    transfer.keep = -1;\n", "", "transfer.keep should be set to -1"),
    "strobe of nothing": ("transfer.strb = -1", "transfer.strb = 0", "transfer.strb should be"),
    "interface on a process": (
        "#pragma HLS INLINE off",
        "#pragma HLS INTERFACE mode=axis port=in",
        "directly inside the body of the top",
    ),
    "interface mode": ("INTERFACE mode=axis", "INTERFACE mode=axi", "mode=axi should be one of"),
    "interface mode missing": ("INTERFACE mode=axis", "INTERFACE", "mode is missing"),
    "interface of no port": (
        "mode=axis port=out",
        "mode=axis port=output",
        "output is not declared",
    ),
    "interface of a local": (
        "mode=axis port=out",
        "mode=axis port=kTable",
        "a parameter of the fun",
    ),
    "interface dropped": (
        "#pragma HLS INTERFACE mode=axis port=out\n",
        "",
        "out of the top function",
    ),
    "interface twice": ("mode=axis port=out", "mode=axis port=in", "two on in"),
    "return dropped": (
        "#pragma HLS INTERFACE mode=ap_ctrl_none port=return\n",
        "",
        "no INTERFACE for port=return",
    ),
    "return as stream": (
        "mode=ap_ctrl_none port=return",
        "mode=axis port=return",
        "not for port=re",
    ),
    "control of a port": (
        "mode=axis port=out",
        "mode=ap_ctrl_none port=out",
        "for port=return only",
    ),
    "lite on a stream": (
        "mode=axis port=out",
        "mode=s_axilite port=out",
        "is a stream: use mode axi",
    ),
    "option of another mode": (
        "mode=axis port=out",
        "mode=axis port=out bundle=a",
        "bundle is not",
    ),
    "register mode": ("register_mode=both", "register_mode=all", "register_mode=all should be one"),
    "top not extern": ('extern "C" void top', "void top", "the body of the top function"),
    "dataflow late": (
        "#pragma HLS DATAFLOW disable_start_propagation\n"
        '  hls::stream<ap_uint<8> > first("first");',
        '  hls::stream<ap_uint<8> > first("first");\n#pragma HLS DATAFLOW',
        "at the start of the body",
    ),
    "depth of nothing": ("variable=first depth=2", "variable=first depth=0", "at least 1"),
    "depth missing": ("variable=first depth=2", "variable=first", "depth is missing"),
    "depth at run time": (
        "variable=first depth=2",
        "variable=first depth=deep",
        "no constant here",
    ),
    "depth of an array": (
        "STREAM variable=first",
        "STREAM variable=kTable",
        "a stream, not an array",
    ),
    "stream unknown": ("STREAM variable=first", "STREAM variable=frist", "frist is not declared"),
    "buffer of a stream": (
        "variable=first depth=2",
        "variable=first depth=2 type=pipo",
        "for arrays",
    ),
    "second reader": (
        "  lutloom::to_axis<8>(second, out);",
        "  lutloom::to_axis<8>(second, out);\n  scale_0(first, second);",
        "not 3 users",
    ),
    "reader before writer": (
        "  lutloom::from_axis<8>(in, first);\n  scale_0(first, second);\n",
        "  scale_0(first, second);\n  lutloom::from_axis<8>(in, first);\n",
        "first is read by scale_0 before it is written",
    ),
    "writer twice": ("scale_0(first, second)", "lutloom::from_axis<8>(in, second)", "not 2"),
    "feedback": ("scale_0(first, second)", "scale_0(first, first)", "one argument twice"),
    "swapped arguments": ("to_axis<8>(second, out)", "to_axis<8>(out, second)", "never"),
    "reader forgotten": ("  lutloom::to_axis<8>(second, out);\n", "", "out should have one user"),
    "stream of nobody": (
        "#pragma HLS STREAM variable=first depth=2\n",
        "#pragma HLS STREAM variable=first depth=2\n  hls::stream<ap_uint<8> > third;\n",
        "stream third should have a writer and a reader",
    ),
    "argument unknown": (
        "scale_0(first, second)",
        "scale_0(first, scond)",
        "scond is declared neit",
    ),
    "call in a branch": (
        "  scale_0(first, second);\n",
        "  if (true) {\n    scale_0(first, second);\n  }\n",
        "no block in it",
    ),
    "loop in dataflow": (
        "  scale_0(first, second);\n",
        "  for (int i = 0; i < 2; ++i) {\n#pragma HLS UNROLL\n    scale_0(first, second);\n  }\n",
        "no block in it",
    ),
    "return in dataflow": (
        "  scale_0(first",
        "  return;\n  scale_0(first",
        "neither declaration nor",
    ),
    "access in dataflow": ("  scale_0(first", "  first.write(1);\n  scale_0(first", "neither decl"),
    "scalar in dataflow": (
        "  scale_0(first",
        "  int x = 1;\n  scale_0(first",
        "x in a dataflow body",
    ),
    "process inlined": ("#pragma HLS INLINE off", "#pragma HLS INLINE", "scale_0 is inlined"),
    "process with a result": ("void scale_0(", "int scale_0(", "returns a value"),
    "brace lost": ("#pragma HLS UNROLL\n", "#pragma HLS UNROLL\n{\n", "has no ';'"),
    "quote lost": ('"PE should divide N"', '"PE should divide N', "begins no token"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_is_caught(name: str) -> None:
    before, after, said = MUTANTS[name]
    good = PROCESSES + TOP
    assert before in good, "the mutant should change the text"
    problems = check_pragmas(good.replace(before, after, 1), file="design.cpp")
    assert any(re.search(said, problem.message) for problem in problems), problems


def test_there_are_mutants_enough() -> None:
    assert len(MUTANTS) >= 100


def kernel_mutants() -> Iterator[tuple[str, int, str, str]]:
    """Yield each line of a kernel that holds a pragma, broken in each way that fits it."""
    for header in sorted(KERNELS.glob("*.hpp")):
        for number, line in enumerate(header.read_text(encoding="utf-8").splitlines()):
            found = re.match(r"#pragma HLS (\w+)(.*)", line)
            if found is None:
                continue
            name, options = found.groups()
            yield header.name, number, "HLS", line.replace("HLS", "HSL")
            yield header.name, number, "pragma", line.replace(name, name + "S")
            yield header.name, number, "flag", line + " really"
            yield header.name, number, "dead", line.replace(name, "RESOURCE")
            if "=" in options:
                yield header.name, number, "option", line.replace("=", "_=", 1)
                yield header.name, number, "value", re.sub(r"=\w+", "=no_such", line, count=1)
            for option in ("type", "style", "op", "impl", "II", "dim"):
                if re.search(rf"\b{option}=", options):
                    broken = re.sub(rf"\b{option}=\w+", f"{option}=99.5", line)
                    yield header.name, number, option, broken
            if name in ("PIPELINE", "UNROLL"):
                yield header.name, number, "dropped", ""


@pytest.mark.parametrize(
    ("header", "number", "kind", "line"),
    list(kernel_mutants()),
    ids=[f"{header}:{number + 1}-{kind}" for header, number, kind, _ in kernel_mutants()],
)
def test_kernel_mutant_is_caught(header: str, number: int, kind: str, line: str) -> None:
    lines = (KERNELS / header).read_text(encoding="utf-8").splitlines()
    lines[number] = line
    problems = check_pragmas("\n".join(lines), file=header)
    assert problems, kind
    assert kind == "dropped" or any(problem.line == number + 1 for problem in problems)


def test_problem_says_where(tmp_path: Path) -> None:
    broken = PROCESSES.replace("impl=dsp", "impl=dps")
    problems = check_project(write_design(tmp_path, broken))
    number = broken[: broken.index("impl=dps")].count("\n") + 1
    assert [str(problem) for problem in problems] == [
        f"hls/include/lutloom/scale.hpp:{number}: pragma BIND_OP: "
        "impl=dps should be one of dsp, fabric"
    ]


def test_project_is_read_as_one_text(tmp_path: Path) -> None:
    # Neither file alone shows that the process writes what it is to read.
    swapped = PROCESSES.replace("transfer.data = in.read();", "in.write(1);")
    problems = check_project(write_design(tmp_path, swapped))
    assert any("never read" in problem.message for problem in problems), problems


def test_unknown_process_is_a_problem_of_the_project_only(tmp_path: Path) -> None:
    top = TOP.replace("lutloom::to_axis<8>", "lutloom::to_axes<8>")
    assert check_pragmas(top, file="top.cpp") == []
    problems = check_project(write_design(tmp_path, top=top))
    assert [p.message for p in problems] == ["no function to_axes of 2 arguments is there"]


def test_project_without_top_is_a_problem(tmp_path: Path) -> None:
    directory = write_design(tmp_path, top="// nothing\n")
    assert ["no source file has a top function" in str(p) for p in check_project(directory)] == [
        True
    ]
    assert len(check_project(tmp_path / "nowhere")) == 1


def test_options_and_words_may_be_of_either_case() -> None:
    text = (
        (PROCESSES + TOP)
        .replace("type=ram_s2p", "TYPE=RAM_S2P")
        .replace("HLS UNROLL", "hls unroll")
    )
    assert check_pragmas(text, file="design.cpp") == []


@pytest.mark.parametrize("kind", STORAGE_IMPLEMENTATIONS)
@pytest.mark.parametrize(
    "implementation",
    ["auto", "bram", "bram_ecc", "lutram", "memory", "srl", "uram", "uram_ecc"],
)
def test_pair_of_storage_is_legal_or_refused(kind: str, implementation: str) -> None:
    const = "const " if kind.startswith("rom") else ""
    declared = "hls::stream<int> a" if kind == "fifo" else f"{const}int a[4] = {{1, 2, 3, 4}}"
    pragma = f"#pragma HLS bind_storage variable=a type={kind} impl={implementation}"
    problems = check_pragmas(f"void f() {{\n{declared};\n{pragma}\n}}\n", file="f.cpp")
    assert (problems == []) == (implementation in STORAGE_IMPLEMENTATIONS[kind])


@pytest.mark.parametrize("name", DEAD)
def test_dead_pragma_names_its_successor(name: str) -> None:
    (problem,) = check_pragmas(f"void f() {{\n#pragma HLS {name} variable=a\n}}\n", file="f.cpp")
    assert "is dead" in problem.message
    assert name not in RULES


def test_table_of_a_million_bits_is_checked_at_once() -> None:
    words = ", ".join(f"0x{index:016x}ULL" for index in range(16384))
    text = f"const unsigned long long kTable[16384] = {{\n{words}\n}};\n"
    assert check_pragmas(PROCESSES + text, file="params.hpp") == []


@pytest.mark.parametrize("row", ["{{0x{0:016x}ULL}}", "{{0x{0:x}, -{0}, 7}}", "{{-{0}, 3}}"])
def test_rows_of_a_table_are_one_token(row: str) -> None:
    rows = ",\n".join(row.format(index) for index in range(1, 5000))
    tokens = tokenize(f"const long kTable[][1] = {{\n{rows},\n}};\nint next;")
    assert len(tokens) < 20
    assert tokens[-3:] == tuple(
        Token(kind, text, 5002)
        for kind, text in (
            (Kind.NAME, "int"),
            (Kind.NAME, "next"),
            (Kind.PUNCTUATION, ";"),
        )
    )


def generated(directory: Path, plan: str, unit_limit: int) -> Path:
    """Write the project of a small graph with a branch, with every kind of process in it."""
    rng = np.random.default_rng(7)

    def signs(fan_in: int, outputs: int) -> Const:
        return Const(rng.integers(0, 2, (fan_in, outputs)) * 2 - 1)

    def staircase(lo: int, hi: int, steps: int) -> Threshold:
        rows = np.sort(rng.integers(lo, hi, (8, steps)), axis=1)
        base, height = (-1, 2) if steps == 1 else (0, 1)
        return Threshold(Const(rows), Const(np.full(8, base)), Const(np.full((8, 1), height)))

    nodes = (
        Node(("first",), Linear(signs(12, 8)), ("x",)),
        Node(("second",), staircase(-300, 300, 3), ("first",)),
        Node(("third",), Linear(signs(8, 8)), ("second",)),
        Node(("meet",), Add(Const(np.array([[3], [-2]]))), ("third", "second")),
        Node(("sign",), staircase(-20, 20, 1), ("meet",)),
        Node(("last",), Linear(signs(8, 10)), ("sign",)),
        Node(("class",), TopK(1), ("last",)),
    )
    graph = Graph({"x": TensorType(IntType(0, 255, 1), (12,))}, nodes, ("class",))
    images = rng.integers(0, 256, (2, 12))
    golden = Golden(images, run(graph, {"x": images})["class"])
    lowered = lower(graph)
    plans = {"unfolded": unfolded_plan, "default": default_plan, "largest": largest_plan}
    write_project(
        lowered,
        plans[plan](lowered),
        name="#pragma HLS */ nonsense {",
        golden=golden,
        directory=directory,
        unit_limit=unit_limit,
    )
    return directory


@pytest.mark.parametrize("plan", ["unfolded", "default", "largest"])
@pytest.mark.parametrize("unit_limit", [12, 3])
def test_generated_project_raises_no_alarm(tmp_path: Path, plan: str, unit_limit: int) -> None:
    directory = generated(tmp_path, plan, unit_limit)
    assert len(list((directory / "hls" / "src").glob("*.cpp"))) == (1 if unit_limit == 12 else 3)
    assert [str(problem) for problem in check_project(directory)] == []


def test_every_mutant_of_a_generated_project_is_caught(tmp_path: Path) -> None:
    directory = generated(tmp_path, "default", 12)
    (unit,) = (directory / "hls" / "src").glob("*.cpp")
    lines = unit.read_text(encoding="utf-8").splitlines()
    calls = [number for number, line in enumerate(lines) if re.match(r"  \w+::\w.*>?\(\w", line)]
    calls = [number for number in calls if "hls::stream" not in lines[number]]
    mutants: list[list[str]] = []
    for number in calls:
        # Forgotten, done twice, and done before the one that it waits for.
        mutants.append([*lines[:number], *lines[number + 1 :]])
        mutants.append([*lines[: number + 1], *lines[number:]])
        if number - 1 in calls:
            swapped = [lines[number], lines[number - 1]]
            mutants.append([*lines[: number - 1], *swapped, *lines[number + 1 :]])
        for word in re.findall(r"\w+", lines[number].split("(")[1]):
            line = re.sub(rf"\b{word}\b(?=[,)])", f"{word}_", lines[number])
            mutants.append([*lines[:number], line, *lines[number + 1 :]])
    for number, line in enumerate(lines):
        if "#pragma HLS INTERFACE" in line:
            mutants.append([*lines[:number], *lines[number + 1 :]])
        for old, new in (("variable=", "variable=x"), ("port=", "port=x"), ("depth=", "dept=")):
            if line.startswith("#pragma HLS") and old in line:
                mutants.append([*lines[:number], line.replace(old, new), *lines[number + 1 :]])
        if "hls::stream" in line and line.endswith(";"):
            mutants.append([*lines[:number], *lines[number + 1 :]])
    assert len(calls) >= 9
    assert len(mutants) >= 80
    survivors = []
    for mutant in mutants:
        unit.write_text("\n".join(mutant) + "\n", encoding="utf-8")
        if not check_project(directory):
            survivors.append([line for line in mutant if line not in lines])
    assert survivors == []
