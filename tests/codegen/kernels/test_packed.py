from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lutloom.hls_templates
from lutloom.boards.device import DspType
from lutloom.codegen import check_plan, lower, unfolded_plan
from lutloom.codegen.folding import legal_choices
from lutloom.codegen.kernels.packed import (
    WIDER_FACTOR,
    Packing,
    packed_multiplier,
    packing,
    products_per_slice,
)
from lutloom.core.errors import PlanError
from lutloom.core.graph import Graph, Node
from lutloom.core.ops import MatMul, MatVec
from lutloom.core.plan import Folding, Multiplier, Plan
from lutloom.core.types import Const, IntType, TensorType
from lutloom.sim.toolchain import find_ap_headers

if TYPE_CHECKING:
    from collections.abc import Callable

TEMPLATES = Path(lutloom.hls_templates.__file__).parent
PACKED = tuple(WIDER_FACTOR)


def signed(bits: int) -> IntType:
    return IntType(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def unsigned(bits: int) -> IntType:
    return IntType(0, (1 << bits) - 1)


@given(st.integers(1, 20), st.integers(1, 20), st.sampled_from(PACKED), st.data())
def test_no_lane_reaches_into_the_next_one(
    weight_bits: int, code_bits: int, multiplier: Multiplier, data: st.DataObject
) -> None:
    found = packing(unsigned(weight_bits), unsigned(code_bits), multiplier)
    if found is None:
        return
    lanes = range(found.lanes)
    weights = st.lists(
        st.integers(0, (1 << weight_bits) - 1), min_size=len(lanes), max_size=len(lanes)
    )
    codes = st.integers(0, (1 << code_bits) - 1)
    columns = data.draw(st.lists(st.tuples(weights, codes), max_size=min(found.chain, 20)))
    columns += [([(1 << weight_bits) - 1] * len(lanes), (1 << code_bits) - 1)] * (
        found.chain - len(columns)
    )
    total = 0
    for column, code in columns:
        factor = sum(column[lane] << found.spacing * lane for lane in lanes)
        # Both factors are numbers of the slice's signed multiplier.
        assert factor < 1 << (WIDER_FACTOR[multiplier] - 1)
        assert code < 1 << 17
        total += factor * code
    cut = [total >> found.spacing * lane & ((1 << found.spacing) - 1) for lane in lanes]
    assert cut == [sum(column[lane] * code for column, code in columns) for lane in lanes]
    assert total < 1 << found.sum_bits


@pytest.mark.parametrize(
    ("weight_bits", "code_bits", "in_27", "in_25"),
    [
        (8, 8, Packing(8, 8, 2, 18), None),
        (8, 4, Packing(8, 4, 2, 15), Packing(8, 4, 2, 15)),
        (4, 8, Packing(4, 8, 2, 15), Packing(4, 8, 2, 15)),
        (4, 4, Packing(4, 4, 3, 11), Packing(4, 4, 3, 10)),
        (4, 2, Packing(4, 2, 4, 7), Packing(4, 2, 3, 9)),
        (3, 3, Packing(3, 3, 4, 7), Packing(3, 3, 4, 7)),
        (2, 2, Packing(2, 2, 5, 6), Packing(2, 2, 5, 5)),
        (8, 9, Packing(8, 9, 2, 18), None),
        (9, 9, None, None),
        (12, 12, None, None),
        (1, 18, None, None),
    ],
)
def test_slices_hold_as_many_products_as_fit(
    weight_bits: int, code_bits: int, in_27: Packing | None, in_25: Packing | None
) -> None:
    weights, x = signed(weight_bits), unsigned(code_bits)
    assert packing(weights, x, Multiplier.PACKED) == in_27
    assert packing(weights, x, Multiplier.PACKED_25) == in_25
    assert products_per_slice(weights, x, DspType.DSP48E2) == (in_27.lanes if in_27 else 1)
    assert products_per_slice(weights, x, DspType.DSP58) == (in_27.lanes if in_27 else 1)
    assert products_per_slice(weights, x, DspType.DSP48E1) == (in_25.lanes if in_25 else 1)


def test_the_table_in_the_documentation_is_that_of_the_rule() -> None:
    page = (Path(__file__).parents[3] / "docs" / "hardware.md").read_text(encoding="utf-8")
    (head,) = re.findall(r"^\| products in a slice.*$", page, re.MULTILINE)
    widths = [(int(w), int(x)) for w, x in re.findall(r"(\d+) x (\d+)", head)]
    for multiplier in PACKED:
        (row,) = re.findall(rf"^\| `{multiplier.value}` \|(.*)\|$", page, re.MULTILINE)
        found = [packing(signed(w), unsigned(x), multiplier) for w, x in widths]
        lanes = [str(made.lanes) if made is not None else "–" for made in found]
        assert [cell.strip() for cell in row.split("|")] == lanes


def test_a_pair_of_bytes_does_not_fit_the_slices_of_7_series() -> None:
    """The issue's case: 17 bits apart for sums of two, 25 bits and a sign."""
    assert packed_multiplier(DspType.DSP48E1) is Multiplier.PACKED_25
    for x in (signed(8), unsigned(8)):
        assert packing(signed(8), x, Multiplier.PACKED_25) is None
        assert packing(signed(8), x, Multiplier.PACKED) is not None


@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from(PACKED))
def test_one_lane_more_or_wider_gaps_would_not_fit(
    weight_bits: int, code_bits: int, multiplier: Multiplier
) -> None:
    found = packing(unsigned(weight_bits), unsigned(code_bits), multiplier)
    port = WIDER_FACTOR[multiplier] - 1
    largest = ((1 << weight_bits) - 1) * ((1 << code_bits) - 1)
    least = (2 * largest).bit_length()
    lanes = 1 if found is None else found.lanes
    assert lanes * least + weight_bits > port
    if found is not None:
        assert found.chain >= 2
        assert (lanes - 1) * (found.spacing + 1) + weight_bits > port or found.chain >= 8


def test_rows_that_are_left_over_take_a_slice_a_column() -> None:
    assert Packing(4, 4, 3, 11).slices(pe=7, simd=5) == 3 * 5
    assert Packing(4, 4, 3, 11).slices(pe=1, simd=5) == 5


HARNESS = """
#include <cstdio>
#include <cstdlib>

#include "lutloom/packed.hpp"

// Sums of all rows, and what they should be, of weights and codes as they are stored.
template <int X, bool IS_SIGNED, int W, long long LEAST, int LANES, int SPACING, int PE, int N>
long long mistakes(const ap_uint<N * X>& x, const ap_uint<PE * N * W>& weights) {
  typedef lutloom::Packed<X, IS_SIGNED, W, LEAST, LANES, SPACING> Product;
  typedef lutloom::Rows<Product, PE, N> Rows;
  ap_int<Rows::kBits> sums[PE];
  Rows::of(x, weights, sums);
  long long wrong = 0;
  for (int row = 0; row < PE; ++row) {
    long long sum = 0;
    for (int column = 0; column < N; ++column) {
      const long long code = lutloom::get_lane<ap_uint<X> >(x, column).to_int64();
      const long long weight =
          lutloom::get_lane<ap_uint<W> >(weights, row * N + column).to_int64() + LEAST;
      const long long half = 1LL << (X - 1);
      // Two's complement, above its least.
      sum += weight * (!IS_SIGNED ? code : (code >= half ? code - 2 * half : code) + half);
    }
    wrong += sums[row].to_int64() != sum;
  }
  return wrong;
}

// Every code by every word of weights, STRIDE apart.
template <int X, bool IS_SIGNED, int W, long long LEAST, int LANES, int SPACING>
void every(long long stride) {
  long long wrong = 0, count = 0;
  for (long long word = 0; word < 1LL << LANES * W; word += stride) {
    for (int code = 0; code < 1 << X; ++code, ++count) {
      wrong += mistakes<X, IS_SIGNED, W, LEAST, LANES, SPACING, LANES, 1>(code, word);
    }
  }
  std::printf("%lld %lld\\n", wrong, count);
}

// Random words, and those with nothing or everything set.
template <int X, bool IS_SIGNED, int W, long long LEAST, int LANES, int SPACING, int PE, int N>
void some(int count) {
  long long wrong = 0;
  std::srand(N);
  for (int round = 0; round < count; ++round) {
    ap_uint<N * X> x = 0;
    ap_uint<PE * N * W> weights = 0;
    for (int bit = 0; bit < N * X; ++bit) x[bit] = round & 1 ? 1 : std::rand() >> 7 & 1;
    for (int bit = 0; bit < PE * N * W; ++bit) weights[bit] = round & 2 ? 1 : std::rand() >> 9 & 1;
    wrong += mistakes<X, IS_SIGNED, W, LEAST, LANES, SPACING, PE, N>(x, weights);
  }
  std::printf("%lld %d\\n", wrong, count);
}

int main() {
%s
}
"""


def arguments(weight_bits: int, code_bits: int, x_is_signed: bool, found: Packing) -> str:
    sign = "true" if x_is_signed else "false"
    least = -(1 << (weight_bits - 1))
    return f"{code_bits}, {sign}, {weight_bits}, {least}, {found.lanes}, {found.spacing}"


def counts(calls: list[str], directory: Path, optimization: str = "-O1") -> list[tuple[int, int]]:
    """Return how many sums are wrong, of how many words, for each call."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("needs g++")
    source, program = directory / "packed.cpp", directory / "packed"
    source.write_text(HARNESS.replace("%s", "\n".join(calls)), encoding="utf-8")
    headers = ["-isystem", str(find_ap_headers()), "-I", str(TEMPLATES / "include")]
    flags = ["-std=c++14", optimization, "-Wall", "-Wno-unknown-pragmas", "-Wno-uninitialized"]
    subprocess.run([compiler, *flags, *headers, str(source), "-o", str(program)], check=True)
    done = subprocess.run([program], check=True, capture_output=True, text=True)
    return [(int(wrong), int(count)) for wrong, count in map(str.split, done.stdout.splitlines())]


def every_packing(
    widths: list[tuple[int, int]], multipliers: tuple[Multiplier, ...] = PACKED
) -> list[tuple[int, int, bool, Packing]]:
    """Return each packing of ``widths`` once, of codes with a sign and without by turns."""
    found: dict[Packing, tuple[int, int, bool, Packing]] = {}
    for weight_bits, code_bits in widths:
        for multiplier in multipliers:
            made = packing(signed(weight_bits), unsigned(code_bits), multiplier)
            if made is not None:
                found.setdefault(made, (weight_bits, code_bits, len(found) % 2 == 0, made))
    return list(found.values())


def test_all_products_of_up_to_four_bits_come_out_of_cpp(tmp_path: Path) -> None:
    cases = every_packing([(w, x) for w in range(1, 5) for x in range(1, 5)])
    calls = [f"  every<{arguments(*case)}>(1);" for case in cases]
    results = counts(calls, tmp_path)
    assert results == [(0, 1 << case[3].lanes * case[0] + case[1]) for case in cases]
    assert len(cases) > 16


def test_sums_of_any_length_come_out_of_cpp(tmp_path: Path) -> None:
    cases = every_packing([(8, 8), (4, 4)], (Multiplier.PACKED,))
    calls = [
        f"  some<{arguments(*case)}, {pe}, {n}>(200);"
        for case in cases
        for pe, n in ((1, 1), (case[3].lanes + 1, 2 * case[3].chain + 1))
    ]
    assert counts(calls, tmp_path, "-O0") == [(0, 200)] * len(calls)


@pytest.mark.parametrize("stride", [61, pytest.param(1, marks=pytest.mark.thorough)])
def test_all_pairs_of_bytes_come_out_of_cpp(stride: int, tmp_path: Path) -> None:
    found = packing(signed(8), unsigned(8), Multiplier.PACKED)
    assert found is not None
    signs = (False, True)
    calls = [f"  every<{arguments(8, 8, is_signed, found)}>({stride});" for is_signed in signs]
    assert counts(calls, tmp_path) == [(0, -(-(1 << 16) // stride) << 8)] * 2


MODULE = """
module top(input clk, input [{0}:0] a, input [{1}:0] b, output reg [{2}:0] product);
  reg [{0}:0] left;
  reg [{1}:0] right;
  always @(posedge clk) begin
    left <= a;
    right <= b;
    product <= left * right;
  end
endmodule
"""


@pytest.mark.thorough
@pytest.mark.parametrize(("family", "multiplier"), [("xc7", PACKED[1]), ("xcup", PACKED[0])])
def test_the_widest_packed_factor_takes_one_slice_and_a_wider_one_two(
    family: str, multiplier: Multiplier, tmp_path: Path
) -> None:
    yosys = shutil.which("yosys")
    if yosys is None:
        pytest.skip("needs yosys")
    for wide, slices in ((WIDER_FACTOR[multiplier] - 1, 1), (WIDER_FACTOR[multiplier], 2)):
        source, code_bits = tmp_path / "top.v", 8
        text = MODULE.format(wide - 1, code_bits - 1, wide + code_bits - 1)
        source.write_text(text, encoding="utf-8")
        script = f"read_verilog {source}; synth_xilinx -family {family} -top top; stat"
        done = subprocess.run([yosys, "-p", script], check=True, capture_output=True, text=True)
        assert [int(n) for n in re.findall(r"DSP48E\d +(\d+)", done.stdout)][-1] == slices


def packed_plan(graph: Graph, multiplier: Multiplier) -> Plan:
    """Return a plan with packed products wherever there are some: of most rows, of few columns."""
    plan = unfolded_plan(graph)
    for name in plan.foldings:
        legal = legal_choices(graph, name, Folding())
        if multiplier in legal.multiplier:
            folding = Folding(legal.pe[-1], legal.simd[len(legal.simd) // 2], multiplier=multiplier)
            plan = plan.with_folding(name, folding)
    return plan


@pytest.mark.parametrize(
    "multiplier",
    [Multiplier.PACKED, pytest.param(Multiplier.PACKED_25, marks=pytest.mark.thorough)],
)
def test_packed_products_agree_with_the_reference(
    multiplier: Multiplier, chain: Callable[..., Any], agree: Callable[..., Any]
) -> None:
    """Of offset codes and of two's complement, by weights of all signs, and multiples of sums."""
    net = chain(3, TensorType(IntType(-100, 27), (2, 12)))
    for rows, values, element in (
        (7, tuple(range(-8, 8)), IntType(-8, 7)),
        (12, (-1, 0, 1), IntType(-3, 3, 2)),
        (9, (0, 1, 3), IntType(0, 15)),
        (10, (-8, -4, 0, 4), IntType(5, 5)),
        (6, (-7, -5), IntType(0, 12, 4)),
    ):
        net.matvec(rows, values)
        net.threshold(element)
    graph = net.graph
    plan = packed_plan(graph, multiplier)
    assert [f.multiplier for f in plan.foldings.values()].count(multiplier) >= 4
    agree(graph, plan)


def test_packed_products_of_groups_and_borders_agree(
    chain: Callable[..., Any], agree: Callable[..., Any]
) -> None:
    rng = np.random.default_rng(4)
    net = chain(4, TensorType(IntType(-8, 7), (3, 4, 6)))
    matrix = rng.integers(-4, 4, size=(8, 3))
    border = rng.integers(-9, 10, size=(2, 2, 8))
    places = Const([0, 1, 0]), Const([1, 0, 0, 1])
    net.append(MatVec(Const(matrix), 2, Const(border), *places))
    plan = packed_plan(net.graph, Multiplier.PACKED)
    assert plan.foldings[net.last] == Folding(4, 3, multiplier=Multiplier.PACKED)
    agree(net.graph, plan)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (IntType(-8, 7), IntType(-8, 7)),
        pytest.param(IntType(-9, 9, 3), IntType(-8, 7), marks=pytest.mark.thorough),
        pytest.param(IntType(0, 15), IntType(2, 14, 4), marks=pytest.mark.thorough),
    ],
)
def test_packed_products_of_matrices_agree(
    a: IntType, b: IntType, agree: Callable[..., Any]
) -> None:
    x, y = TensorType(a, (2, 3, 4)), TensorType(b, (2, 5, 4))
    graph = lower(Graph({"x": x, "y": y}, (Node(("z",), MatMul(), ("x", "y")),), ("z",)))
    plan = packed_plan(graph, Multiplier.PACKED)
    assert plan.foldings["z"] == Folding(5, 2, multiplier=Multiplier.PACKED)
    agree(graph, plan)


@pytest.mark.parametrize(
    ("values", "element", "message"),
    [
        (
            (-128, 127),
            IntType(0, 255),
            r"^matvec0: multiplier is 'packed25', but sums of two products of 8 and 8 bits do not"
            r" fit beside each other in a multiplier of 25 x 18: use one of"
            r" \['auto', 'fabric', 'dsp', 'packed'\]$",
        ),
        (
            (-1, 1),
            IntType(0, 3),
            r"^matvec0: multiplier is 'packed25', but nothing is multiplied where all weights are"
            r" -1 and \+1: use one of \['auto', 'fabric'\]$",
        ),
    ],
)
def test_what_can_not_be_packed_is_refused_with_the_reason(
    values: tuple[int, ...], element: IntType, message: str, chain: Callable[..., Any]
) -> None:
    net = chain(0, TensorType(element, (8,)))
    net.append(MatVec(Const([list(values) * 4] * 4)))
    plan = unfolded_plan(net.graph)
    plan = plan.with_folding(net.last, Folding(multiplier=Multiplier.PACKED_25))
    with pytest.raises(PlanError, match=message):
        check_plan(net.graph, plan)
