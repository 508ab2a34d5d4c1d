"""FINN's estimates, and a folding file on our processes."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks.finn import formulas
from benchmarks.finn.compare import (
    Comparison,
    estimate_table,
    layer_table,
    missing_table,
    synthesized_table,
    table,
)
from benchmarks.finn.formulas import Estimate, Operands, Product, Windowing
from benchmarks.finn.mapping import Mapped, mapped
from benchmarks.finn.networks import PublishedDesign, keyword_layers
from benchmarks.finn.plans import against_table, in_least_forms, plan_against, rate_table
from benchmarks.finn.published import PublishedFolding, Synthesized
from lutloom.boards import load_board
from lutloom.codegen.costs.design import DesignCost, Kind
from lutloom.codegen.costs.processes import process_cost
from lutloom.codegen.costs.shell import shell_cost
from lutloom.codegen.folding import check_plan
from lutloom.codegen.kernels import KERNELS
from lutloom.codegen.lower import lower
from lutloom.codegen.streams import processes_of, site_of
from lutloom.core.graph import Graph, Node
from lutloom.core.ops import Conv, Linear, Threshold
from lutloom.core.plan import Comparison as Search
from lutloom.core.plan import Folding, Memory, Multiplier
from lutloom.core.types import BIPOLAR, Const, IntType, TensorType

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from benchmarks.finn.published import Settings

TWO = Operands(weights=2, inputs=2, accumulator=32, is_signed=True)
DEVICE = load_board("pynq-z1").device


def test_an_mvau_takes_what_finns_own_test_expects() -> None:
    # tests/fpgadataflow/test_fpgadataflow_res_estimate.py of FINN: 317 look-up tables, no memory
    node = Product(4, 4, 1, TWO, pe=1, simd=1, is_embedded=True)
    assert formulas.mvau_hls(node) == Estimate(cycles=16, lut=317)


def test_a_weight_memory_is_of_block_rams_unless_the_file_says_otherwise() -> None:
    # CNV's second layer: 1024 bits, 36 words; block RAMs of 36 bits
    operands = Operands(weights=1, inputs=1, accumulator=11, is_signed=False)
    rams = {
        style: formulas.mvau_hls(Product(64, 576, 784, operands, 32, 32, style))
        for style in ("auto", "block", "distributed", "ultra")
    }
    assert [rams[style].bram18 for style in rams] == [29, 29, 0, 0]
    assert [rams[style].uram for style in rams] == [0, 0, 0, 15]
    assert rams["distributed"].lut == rams["auto"].lut + 1024
    assert {estimate.cycles for estimate in rams.values()} == {28224}


@pytest.mark.parametrize(
    ("words", "bits", "rams"),
    [
        (16385, 1, 2),
        (8192, 2, 1),
        (4097, 3, 2),
        (2048, 9, 1),
        (1025, 10, 2),
        (513, 37, 3),
        (512, 37, 2),
    ],
)
def test_block_rams_are_cut_as_the_device_can_cut_them(words: int, bits: int, rams: int) -> None:
    assert formulas.block_rams(words, bits) == rams


def test_an_rtl_product_has_no_look_up_tables_for_finn() -> None:
    node = Product(64, 96, 10, Operands(4, 4, 16, is_signed=False), 16, 24)
    assert formulas.mvau_rtl(node) == Estimate(160, lut=0, bram18=43, dsp=4 * 24)
    assert formulas.mvau_rtl(node, is_versal=True).dsp == 16 * 8


def test_a_pool_of_a_signal_is_not_that_of_an_image() -> None:
    assert formulas.streaming_max_pool((28, 28), 2) == Estimate(980)
    assert formulas.streaming_max_pool((1, 1024), 2) == Estimate(1536)


def test_thresholds_count_where_they_are_in_a_vvau_only() -> None:
    operands = Operands(4, 4, 12, is_signed=False)
    node, bare = (Product(64, 9, 100, operands, 8, 1, output_bits=bits) for bits in (4, 0))
    assert formulas.mvau_hls(node) == formulas.mvau_hls(bare)
    # 15 thresholds of 12 bits, 8 channels of each lane in memories of 64 words, eight lanes
    assert formulas.vvau_hls(node).lut - formulas.vvau_hls(bare).lut == int(1.1 * 8 * 180 * 1.125)


def test_a_sliding_window_waits_for_its_first_window_and_then_gives_a_tap_a_cycle() -> None:
    # CNV's second layer by 32 channels
    node = Windowing((30, 30), (28, 28), 64, (3, 3), (1, 1), bits=1, simd=32)
    first = (2 * 30 + 2 + 1) * 2
    assert node.depth == first
    assert formulas.sliding_window(node) == Estimate(
        first + 28 * 28 * 9 * 2, lut=300 + 32 * -(-first // 38)
    )


def test_a_sliding_window_over_a_signal_has_no_first_row() -> None:
    node = Windowing((1, 1026), (1, 1024), 2, (1, 3), (1, 1), bits=8, simd=2, memory="block")
    assert formulas.sliding_window(node) == Estimate(1024 * 3 + 2, lut=300, bram18=1)


def test_thresholds_of_their_own_are_memories_and_no_comparators() -> None:
    few = formulas.thresholding_rtl(channels=32, vectors=10, pe=1, threshold_bits=19, output_bits=4)
    # stages of 32, 64, 128 and 256 words, in tables of 64
    assert few == Estimate(320, lut=19 * (1 + 1 + 2 + 4))
    many = formulas.thresholding_rtl(
        channels=512,
        vectors=1,
        pe=1,
        threshold_bits=18,
        output_bits=4,
        trigger_bram=1024,
        trigger_uram=4096,
    )
    assert (many.lut, many.bram18, many.uram) == (18 * 8, 1 + 2, 1)


def folding(path: Path, nodes: Mapping[str, Settings]) -> PublishedFolding:
    file = path / "folding.json"
    file.write_text(json.dumps({"Defaults": {}, **nodes}), encoding="utf-8")
    return PublishedFolding.read(file)


def test_nodes_come_by_their_numbers_and_edges_are_left_alone(tmp_path: Path) -> None:
    nodes: dict[str, Settings] = {f"MVAU_hls_{number}": {"PE": number} for number in (10, 9, 0)}
    file = folding(tmp_path, {**nodes, "MVAU_rtl_0": {"PE": 7}, "StreamingFIFO_rtl_0": {}})
    taken = [file.take("MVAU_hls", "MVAU_rtl") for _ in range(3)]
    assert taken == [("MVAU_hls", {"PE": number}) for number in (0, 9, 10)]
    assert file.left() == {"MVAU_rtl": 1}
    assert file.take("MVAU_hls", "MVAU_rtl") == ("MVAU_rtl", {"PE": 7})
    assert file.take("MVAU_hls", "MVAU_rtl") is None
    assert file.left() == {}


def cycles_of(on: Mapped, name: str) -> int:
    site = site_of(on.graph, processes_of(on.graph)[name])
    return KERNELS[site.op.name].cycles(site, on.plan.foldings[name])


LANES = [(32, 10), (32, 8), (32, 8), (1, 8)]


def keywords(path: Path) -> Mapped:
    nodes: dict[str, Settings] = {
        f"MVAU_hls_{index}": {"PE": pe, "SIMD": simd, "ram_style": "block", "resType": "lut"}
        for index, (pe, simd) in enumerate(LANES)
    }
    published = folding(path, {**nodes, "LabelSelect_hls_0": {"PE": 1}})
    return mapped(keyword_layers(), published, DEVICE)


def test_products_take_the_cycles_that_finn_states(tmp_path: Path) -> None:
    on = keywords(tmp_path)
    check_plan(on.graph, on.plan)
    assert on.left == {"LabelSelect_hls": 1}
    assert [layer.processes for layer in on.layers] == [
        *((f"layer{index}", f"levels{index}") for index in range(3)),
        ("layer3",),
    ]
    for layer, (pe, simd) in zip(on.layers, LANES, strict=True):
        product = layer.processes[0]
        assert on.plan.foldings[product] == Folding(pe, simd, Memory.BRAM, Multiplier.FABRIC)
        assert {on.plan.foldings[name].pe for name in layer.processes} == {pe}
        assert cycles_of(on, product) == layer.estimate.cycles


def connected(weight_values: tuple[int, ...], levels: IntType) -> Graph:
    """TFC by its shapes, with random weights and thresholds."""
    rng = np.random.default_rng(0)
    types = {"x": TensorType(IntType(0, 255), (784,))}
    nodes: list[Node] = []
    last = "x"

    def quantize(name: str) -> None:
        nonlocal last
        x = types[last]
        count = levels.count - 1
        rows = np.sort(rng.integers(x.element.lo, x.element.hi, size=(x.channels, count)), axis=1)
        steps = Const([[levels.step]] * x.channels)
        op = Threshold(Const(rows), Const([levels.lo] * x.channels), steps)
        nodes.append(Node((name,), op, (last,)))
        (types[name],) = op.infer(x)
        last = name

    quantize("signs")
    for index, neurons in enumerate((64, 64, 64, 10)):
        product = Linear(Const(rng.choice(weight_values, size=(types[last].channels, neurons))))
        nodes.append(Node((f"fc{index}",), product, (last,)))
        (types[f"fc{index}"],) = product.infer(types[last])
        last = f"fc{index}"
        if neurons != 10:
            quantize(f"levels{index}")
    return lower(Graph({"x": types["x"]}, tuple(nodes), (last,)))


@pytest.mark.parametrize(
    ("weights", "levels", "rams"),
    [((-1, 1), BIPOLAR, 7), ((-1, 1), IntType(-2, 1), 10), ((-1, 0, 1), IntType(-2, 1), 10)],
)
def test_tfc_takes_what_finn_says_of_it(
    weights: tuple[int, ...], levels: IntType, rams: int, tmp_path: Path
) -> None:
    one: Settings = {"PE": 1, "SIMD": 1, "ram_style": "auto", "resType": "lut"}
    nodes = {"Thresholding_rtl_0": {"PE": 1}, **{f"MVAU_hls_{n}": one for n in range(4)}}
    on = mapped(connected(weights, levels), folding(tmp_path, nodes), DEVICE)
    whole = reduce(add, (layer.estimate for layer in on.layers))
    # FINN+ 1.6.1 with all PE and SIMD 1: 50,176 cycles, and for 1W1A 1,355 look-up tables
    assert (whole.cycles, whole.bram18) == (50176, rams)
    if levels == BIPOLAR:
        assert whole.lut == 1355


def separable() -> Graph:
    """A padded convolution, and a depthwise-separable one, with thresholds behind each."""
    rng = np.random.default_rng(0)
    types = {"x": TensorType(IntType(0, 255), (8, 8, 4))}
    nodes: list[Node] = []
    last = "x"
    for name, kernel, channels, outputs, groups in (
        ("dense", 3, 4, 8, 1),
        ("depth", 3, 1, 8, 8),
        ("point", 1, 8, 16, 1),
    ):
        pad = kernel // 2
        weights = Const(rng.integers(-7, 8, size=(kernel, kernel, channels, outputs)))
        conv = Conv(weights, (1, 1), (1, 1), (pad,) * 4, (1, 1), groups, 0)
        (sums,) = conv.infer(types[last])
        rows = np.sort(rng.integers(sums.element.lo, sums.element.hi, size=(outputs, 15)), axis=1)
        levels = Threshold(Const(rows), Const([0] * outputs), Const([[1]] * outputs))
        nodes += [Node((name,), conv, (last,)), Node((f"{name}/levels",), levels, (name,))]
        last = f"{name}/levels"
        (types[last],) = levels.infer(sums)
    return lower(Graph({"x": types["x"]}, tuple(nodes), (last,)))


def test_a_separable_convolution_finds_its_paddings_windows_and_thresholds(tmp_path: Path) -> None:
    product: Settings = {"PE": 2, "SIMD": 4, "ram_style": "auto", "resType": "dsp"}
    published = folding(
        tmp_path,
        {
            "ConvolutionInputGenerator_rtl_0": {"SIMD": 2, "ram_style": "distributed"},
            "MVAU_rtl_0": product,
            "Thresholding_rtl_0": {"PE": 1},
            "FMPadding_rtl_0": {"SIMD": 4},
            "ConvolutionInputGenerator_rtl_1": {"SIMD": 4, "ram_style": "block"},
            "VVAU_hls_0": {"PE": 4, "resType": "lut"},
            "Thresholding_rtl_1": {"PE": 2},
            "MVAU_rtl_1": product,
            "Thresholding_rtl_2": {"PE": 4},
        },
    )
    graph = separable()
    on = mapped(graph, published, DEVICE)
    check_plan(graph, on.plan)
    assert on.left == {}
    assert [[kind.partition("_")[0] for kind, _ in layer.nodes] for layer in on.layers] == [
        # one padding in the file: FINN pads the image on the host
        ["ConvolutionInputGenerator", "MVAU", "Thresholding"],
        ["FMPadding", "ConvolutionInputGenerator", "VVAU", "Thresholding"],
        ["MVAU", "Thresholding"],
    ]
    assert on.plan.foldings["dense/window"] == Folding(1, 2, Memory.LUTRAM)
    # rows share a slice, as in MVAU_rtl
    assert on.plan.foldings["dense"].multiplier is Multiplier.PACKED_25
    assert on.plan.foldings["depth"].multiplier is Multiplier.FABRIC
    for name, pe in (("dense", 1), ("depth", 2), ("point", 4)):
        levels = on.plan.foldings[f"{name}/levels"]
        assert (levels.pe, levels.comparison) == (pe, Search.SEARCH)
    estimates = dict(on.layers[1].nodes)
    assert estimates["FMPadding_rtl"].cycles == 10 * 10 * 8 // 4
    assert estimates["VVAU_hls"].cycles == 8 * 8 * 9 * 8 // 4


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^layer1: the file has no MVAU for it$"):
        mapped(keyword_layers(), folding(tmp_path, {"MVAU_hls_0": {"PE": 1, "SIMD": 1}}), DEVICE)


def comparison(path: Path) -> Comparison:
    found = Synthesized("a report", lut=10**6, ff=None, bram18=250, dsp=0, has_shell=False)
    published = PublishedDesign("folding.json", keyword_layers, "pynq-z1", synthesized=(found,))
    return Comparison("KWS", published, keywords(path), DEVICE)


def cells(text: str) -> list[list[str]]:
    return [line.strip("| ").split(" | ") for line in text.splitlines()]


def test_a_table_is_markdown() -> None:
    assert table(("a", "b", "c"), [("x", 1234, 0.5), ("y", None, 0)]) == (
        "| a | b | c |\n| --- | ---: | ---: |\n| x | 1,234 | 0.50 |\n| y | - | 0 |\n"
    )


def test_layers_add_up_to_what_the_design_takes(tmp_path: Path) -> None:
    both = comparison(tmp_path)
    layers = cells(layer_table(both))[2:]
    (whole,) = cells(estimate_table([both]))[2:]

    def added(column: int) -> str:
        return f"{sum(int(row[column].replace(',', '')) for row in layers):,}"

    assert [added(column) for column in (4, 5, 7, 8)] == [whole[i] for i in (3, 4, 7, 8)]
    assert whole[1:3] == ["392", "392"]
    # a ratio for each layer, which all lie between the least and the most
    ratios = [float(row[6]) for row in layers]
    least, _, most = (float(word) for word in whole[6].split(" .. "))
    assert (min(ratios), max(ratios)) == (least, most)


def test_a_layer_is_the_sum_of_its_processes(tmp_path: Path) -> None:
    both = comparison(tmp_path)
    layer = both.mapped.layers[0]
    nodes, plan = processes_of(both.mapped.graph), both.mapped.plan
    lut = sum(
        process_cost(
            site_of(both.mapped.graph, nodes[name]), plan.foldings[name], DEVICE
        ).resources.lut
        for name in layer.processes
    )
    assert both.ours(layer)[1].lut == lut > 0


def test_what_finn_leaves_out_is_what_our_model_has_besides_products(tmp_path: Path) -> None:
    both = comparison(tmp_path)
    (row,) = cells(missing_table([both]))[2:]
    fifos, ports = (both.cost.sum(kind).resources for kind in (Kind.FIFO, Kind.PORT))
    assert row[1] == f"{both.cost.total.resources.ff:,}"
    assert (row[3], row[5]) == (f"{fifos.lut:,}", f"{ports.lut:,}")
    assert int(row[2].replace(",", "")) > 0


def test_figures_that_nobody_published_have_no_ratio(tmp_path: Path) -> None:
    both = comparison(tmp_path)
    (row,) = cells(synthesized_table([both]))[2:]
    ours = both.cost.total.resources
    assert row[0] == "KWS: a report"
    assert row[3:5] == [f"{ours.lut:,}", f"{ours.lut / 10**6:.2f}"]
    assert row[5:8] == ["-", f"{ours.ff:,}", "-"]
    (found,) = both.published.synthesized
    whole = replace(both.published, synthesized=(replace(found, has_shell=True),))
    (row,) = cells(synthesized_table([replace(both, published=whole)]))[2:]
    ours += shell_cost(load_board("pynq-z1"), 2, both.mapped.plan.word_bits).resources
    assert (row[3], row[6], row[10]) == (f"{ours.lut:,}", f"{ours.ff:,}", f"{ours.bram18:,}")
    assert synthesized_table([]) == "\n".join(synthesized_table([both]).splitlines()[:2]) + "\n"


def test_the_least_forms_have_the_same_lanes_and_take_no_more(tmp_path: Path) -> None:
    both = comparison(tmp_path)
    least = in_least_forms(both)
    for name, folding in both.mapped.plan.foldings.items():
        other = least.mapped.plan.foldings[name]
        assert (other.pe, other.simd) == (folding.pe, folding.simd)
    ours, theirs = least.cost.total.resources, both.cost.total.resources
    assert ours.lut < theirs.lut
    assert (ours.bram18, ours.dsp) <= (theirs.bram18, theirs.dsp)


def test_our_plan_is_as_fast_as_the_folding_and_takes_no_more(tmp_path: Path) -> None:
    against = plan_against(comparison(tmp_path))
    assert against.planned is not None
    assert against.is_no_more
    rows = cells(against_table([against]))[2:]
    assert [row[1] for row in rows] == ["published", "in least forms", "ours"]
    luts = [int(row[3].replace(",", "")) for row in rows]
    assert luts == sorted(luts, reverse=True)
    assert rows[2][-1] == "yes"
    # one that is slower, takes more or is none is said to be so
    slower = replace(against.planned, cycles=393)
    more = replace(against.planned, cost=DesignCost(2 * against.published.cost.items))
    for planned in (slower, more, None):
        assert cells(against_table([replace(against, planned=planned)]))[4][-1] == "NO"


def test_the_highest_rate_fits_and_is_that_of_the_cycle_model(tmp_path: Path) -> None:
    if not any(map(shutil.which, ("g++", "clang++", "c++"))):
        pytest.skip("needs g++")
    both = comparison(tmp_path)
    (row,) = cells(rate_table([both], tmp_path))[2:]
    theirs, ours = (int(entry.replace(",", "")) for entry in row[2:4])
    folding_rate, ideal, pessimistic = (int(entry.replace(",", "")) for entry in row[4:7])
    assert ours <= theirs == 392
    assert folding_rate == round(10**8 / 392)
    assert folding_rate <= ideal == round(10**8 / ours)
    assert 0 < pessimistic <= ideal
    assert 0 < float(row[7]) <= 70


def test_a_design_that_fits_at_no_rate_has_none(tmp_path: Path) -> None:
    both = comparison(tmp_path)
    (row,) = cells(rate_table([replace(both, device=replace(DEVICE, lut=100))], tmp_path))[2:]
    assert row[2:4] == ["392", "-"]
    assert row[5:-1] == ["-"] * 7
