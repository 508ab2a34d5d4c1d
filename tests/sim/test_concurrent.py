from __future__ import annotations

import pytest

from lutloom.sim.concurrent import concurrent, ticking
from lutloom.sim.toolchain import CSimError

UNIT = """extern "C" void top(int& in,
                    int& out) {
#pragma HLS INTERFACE mode=axis port=in
#pragma HLS DATAFLOW disable_start_propagation
  hls::stream<ap_uint<8> > a("a");
#pragma HLS STREAM variable=a depth=7
  hls::stream<ap_uint<8> > b("b");
#pragma HLS STREAM variable=b depth=2

  lutloom::read_axis<64, 8, 3>(in, a);
  net::fc(a, out);
}
"""


def test_calls_become_processes_and_depths_become_bounds() -> None:
    assert concurrent(UNIT, {"fc": "matvec"}, {"a": 3}).splitlines()[3:] == [
        "#pragma HLS DATAFLOW disable_start_propagation",
        '  hls::stream<ap_uint<8> > a("a");',
        "  a.set_depth(7, 3);",
        '  hls::stream<ap_uint<8> > b("b");',
        "  b.set_depth(2, -1);",
        "",
        '  lutloom_csim::Scheduler::get().spawn("read_axis(in, a)", 2, {&in, &a},'
        " [&] { lutloom::read_axis<64, 8, 3>(in, a); });",
        '  lutloom_csim::Scheduler::get().spawn("fc", 16, {&a, &out}, [&] { net::fc(a, out); });',
        "  lutloom_csim::Scheduler::get().hold();",
        "}",
    ]


def test_a_source_without_a_dataflow_region_is_refused() -> None:
    with pytest.raises(CSimError, match=r"^a unit should have one dataflow region, not 0$"):
        concurrent("int main() {\n}\n", {}, {})


def test_iterations_begin_where_loops_are_pipelined() -> None:
    kernel = "  //   #pragma HLS PIPELINE II=1\n#pragma HLS PIPELINE II=1 style=flp\n    run();\n"
    assert ticking(kernel).splitlines() == [
        "  //   #pragma HLS PIPELINE II=1",
        "lutloom_csim::tick();",
        "    run();",
    ]
