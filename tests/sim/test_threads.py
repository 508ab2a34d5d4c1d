from __future__ import annotations

import pytest

from lutloom.sim.threads import threaded
from lutloom.sim.toolchain import CSimError

UNIT = """extern "C" void top(int& in,
                    int& out) {
#pragma HLS INTERFACE mode=axis port=in
#pragma HLS DATAFLOW disable_start_propagation
  hls::stream<ap_uint<8> > a("a");
#pragma HLS STREAM variable=a depth=7

  lutloom::read_axis<64, 8, 3>(in, a);
  net::fc(a, out);
}
"""


def test_calls_become_threads_and_depths_become_bounds() -> None:
    assert threaded(UNIT).splitlines()[3:] == [
        "#pragma HLS DATAFLOW disable_start_propagation",
        '  hls::stream<ap_uint<8> > a("a");',
        "  a.set_depth(7);",
        "",
        '  lutloom_csim::Scheduler::get().spawn("read_axis(in, a)",'
        " [&] { lutloom::read_axis<64, 8, 3>(in, a); });",
        '  lutloom_csim::Scheduler::get().spawn("fc(a, out)", [&] { net::fc(a, out); });',
        "  lutloom_csim::Scheduler::get().hold();",
        "}",
    ]


def test_a_source_without_a_dataflow_region_is_refused() -> None:
    with pytest.raises(CSimError, match=r"^a unit should have one dataflow region, not 0$"):
        threaded("int main() {\n}\n")
