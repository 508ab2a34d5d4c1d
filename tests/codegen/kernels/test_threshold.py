from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.codegen import check_plan, lower, unfolded_plan
from lutloom.codegen.folding import legal_choices, settled_plan
from lutloom.codegen.kernels import KERNELS, Site
from lutloom.codegen.kernels.kernel import CONSTANTS, PRODUCTS
from lutloom.codegen.kernels.slopes import slope_of
from lutloom.codegen.kernels.stairs import stairs_of
from lutloom.codegen.kernels.threshold import MOST_PARALLEL, form_of, look_up_tables
from lutloom.codegen.pragma_check import check_project
from lutloom.core.errors import PlanError
from lutloom.core.graph import Graph, Node
from lutloom.core.ops import Add, Threshold
from lutloom.core.plan import Comparison, Folding, Memory, Multiplier
from lutloom.core.types import BIPOLAR, Const, IntType, TensorType

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lutloom.core.types import IntArray


def test_staircases_up_and_down_agree_however_they_are_folded(
    chain: Callable[..., Any], draw_plan: Callable[..., Any], agree: Callable[..., Any]
) -> None:
    net = chain(3, TensorType(IntType(-8, 7), (3, 4)))
    for _ in range(10):
        net.threshold()
    for target in (IntType(-8, 7), BIPOLAR, IntType(0, 3), IntType(-3, 3, 2), IntType(0, 15)):
        net.count(target)
    # Values and thresholds of 62 bits.
    wide = net.last
    net.append(Add(Const([[3**35], [-(2**40)]])), wide)
    net.threshold(IntType(-128, 127), steps=7)
    graph = net.graph
    lowered = lower(graph)
    agree(lowered, draw_plan(np.random.default_rng(5), lowered))


@st.composite
def sites(draw: st.DrawFn) -> Site:
    lo = draw(st.integers(-12, 12))
    step = draw(st.integers(1, 4))
    x = IntType(lo, lo + step * draw(st.integers(0, 12)), step)
    channels = draw(st.integers(1, 3))
    steps = draw(st.integers(0, 5))
    small = st.integers(-30, 30)
    rows = [sorted(draw(st.lists(small, min_size=steps, max_size=steps))) for _ in range(channels)]
    base = draw(st.lists(small, min_size=channels, max_size=channels))
    deltas = draw(
        st.lists(
            st.lists(small, min_size=steps, max_size=steps), min_size=channels, max_size=channels
        )
    )
    shape = (channels, steps)
    op = Threshold(
        Const(np.array(rows, np.int64).reshape(shape)),
        Const(base),
        Const(np.array(deltas, np.int64).reshape(shape)),
    )
    tensor = TensorType(x, (channels,))
    return Site(op, (tensor,), op.infer(tensor))


def by_code(site: Site) -> tuple[IntArray, IntArray]:
    """Return every code of the input, and the code of the level that each channel gives for it."""
    x, y = site.inputs[0].element, site.outputs[0].element
    values = np.arange(x.lo, x.hi + 1, x.step)
    (levels,) = site.op.reference(np.repeat(values[:, np.newaxis], site.inputs[0].channels, 1))
    return x.encode(values), y.encode(levels)


@given(sites())
def test_staircases_in_codes_are_the_operator_on_every_value(site: Site) -> None:
    codes, expected = by_code(site)
    stairs = stairs_of(site)
    assert (stairs.first, stairs.final) == (codes[0], codes[-1])
    for channel, (row, levels) in enumerate(zip(stairs.thresholds, stairs.levels, strict=True)):
        count = int(stairs.counts[channel])
        reached = (codes[:, np.newaxis] >= row[:count]).sum(axis=1)
        assert levels[reached].tolist() == expected[:, channel].tolist()
        steps = row[:count].tolist()
        assert steps == sorted(set(steps))
        assert (np.diff(levels[: count + 1]) != 0).all()
        assert set(levels[count:].tolist()) == {levels[count]}


def _counts(site: Site) -> bool:
    stairs = stairs_of(site)
    heights = {
        int(height)
        for row, count in zip(np.diff(stairs.levels, axis=1), stairs.counts, strict=True)
        for height in row[:count]
    }
    return heights <= {1} and len(set(stairs.levels[:, 0].tolist())) == 1


@given(sites())
def test_levels_are_counts_exactly_where_the_template_says_so(site: Site) -> None:
    code = KERNELS["threshold"].code(site, Folding(comparison=Comparison.PARALLEL))
    plain = _counts(site)
    assert code.facts["counts_steps"] == plain
    assert len(code.tables) == (1 if plain else 3)


def test_a_threshold_out_of_reach_is_one_above_the_largest_code() -> None:
    op = Threshold(Const([[0, 2], [0, 99]]), Const([-1, -1]), Const([[1, 1], [1, 1]]))
    x = TensorType(IntType(-4, 4, 2), (2,))
    folding = Folding(comparison=Comparison.PARALLEL)
    code = KERNELS["threshold"].code(Site(op, (x,), op.infer(x)), folding)
    # 0 is code 2, 2 is code 3; the largest code is 4.
    assert code.facts["base"] == -1
    assert code.tables[0].data.ravel().tolist() == [2, 3, 2, 5]
    assert code.facts["limit_type"] == "ap_uint<3>"


def product_levels(site: Site, codes: IntArray) -> IntArray:
    """Return the codes that the form ``multiply`` gives, from its very tables."""
    code = KERNELS["threshold"].code(site, Folding(comparison=Comparison.MULTIPLY))
    tables = {table.name: table.data.ravel().astype(object) for table in code.tables}
    sums = codes[:, np.newaxis].astype(object) * tables["multipliers"] + tables["biases"]
    assert max(abs(int(total)) for total in sums.ravel()).bit_length() < int(
        str(code.facts["sum_bits"])
    )
    levels = np.array([total >> code.facts["shift"] for total in sums.ravel()], object)
    return np.clip(levels.reshape(sums.shape), tables["lowest"], tables["highest"])


@given(sites())
def test_a_product_is_legal_only_where_it_gives_every_level(site: Site) -> None:
    codes, expected = by_code(site)
    if slope_of(site) is not None:
        assert (product_levels(site, codes) == expected).all()
    legal = KERNELS["threshold"].legal(site, Folding()).comparison
    assert (Comparison.MULTIPLY in legal) == (slope_of(site) is not None)


def searched(site: Site, folding: Folding, codes: IntArray) -> IntArray:
    """Return the codes that the form ``search`` gives, from its very tables, by its steps."""
    code = KERNELS["threshold"].code(site, folding)
    tables = {table.name: table.data for table in code.tables}
    channels, pe = site.inputs[0].channels, folding.pe
    folds = channels // pe
    result = np.zeros((len(codes), channels), np.int64)
    for channel in range(channels):
        fold, lane = channel // pe, channel % pe
        path = np.zeros(len(codes), np.int64)
        for stage in range(code.widest - 1):
            table = tables[f"thresholds{stage}"]
            assert table.shape in {(pe, folds, 1 << stage), (pe, 1, 1 << stage)}
            limits = table[lane, fold % table.shape[1]].astype(np.int64)
            path = 2 * path + (codes >= limits[path])
        if code.facts["counts_steps"]:
            base, falls = (
                int(np.broadcast_to(tables[name], (folds, pe))[fold, lane])
                for name in ("bases", "falls")
            )
            result[:, channel] = base - path if falls else base + path
        else:
            levels = tables["levels"][lane, fold % tables["levels"].shape[1]]
            result[:, channel] = levels[path]
    return result


@given(sites(), st.data())
def test_a_search_finds_every_level_of_any_staircase(site: Site, data: st.DataObject) -> None:
    codes, expected = by_code(site)
    pe = data.draw(st.sampled_from(KERNELS["threshold"].legal(site, Folding()).pe))
    folding = Folding(pe, comparison=Comparison.SEARCH)
    assert (searched(site, folding, codes) == expected).all()


@given(sites(), st.data())
def test_a_table_has_the_level_of_every_code(site: Site, data: st.DataObject) -> None:
    codes, expected = by_code(site)
    pe = data.draw(st.sampled_from(KERNELS["threshold"].legal(site, Folding()).pe))
    code = KERNELS["threshold"].code(site, Folding(pe, comparison=Comparison.TABLE))
    (levels,) = (table.data for table in code.tables)
    assert levels.shape[0] == pe
    assert code.facts["first"] == str(codes[0])
    for channel in range(site.inputs[0].channels):
        fold = channel // pe % levels.shape[1]
        assert levels[channel % pe, fold].tolist() == expected[:, channel].tolist()


@pytest.mark.parametrize("lo", [-(2**63), 2**63 - 4])
def test_a_table_of_codes_at_the_ends_of_int64_is_right(lo: int) -> None:
    site = site_of_rows([[lo + 1, lo + 3]], [0], [[1]], IntType(lo, lo + 3))
    (levels,) = KERNELS["threshold"].code(site, Folding(comparison=Comparison.TABLE)).tables
    assert levels.data.ravel().tolist() == [0, 1, 1, 2]


@pytest.mark.parametrize(
    ("x", "bits", "offset"),
    [
        (IntType(0, 63), 6, 0),
        (IntType(-32, 20), 6, 0),
        (IntType(-30, 34, 4), 5, 0),
        (IntType(3, 60), 6, 6),
        (IntType(0, 64), 7, 0),
    ],
)
def test_the_size_of_a_table_is_that_of_its_bits(x: IntType, bits: int, offset: int) -> None:
    site = site_of_rows([[5, 10, 15]] * 2, [0, 2], [[1]] * 2, x)
    assert x.bits == bits
    blocks = {1: -(-2 * x.count // 64), 2: 2 * -(-x.count // 64)}
    y = site.outputs[0].element.bits
    for pe in (1, 2):
        folding = Folding(pe, comparison=Comparison.TABLE)
        assert look_up_tables(site, folding) == y * blocks[pe] + offset * pe


def test_few_codes_are_looked_up_and_many_are_not() -> None:
    def site(hi: int, channels: int) -> Site:
        rows = np.sort(np.random.default_rng(hi).integers(1, hi, size=(channels, 15)), axis=1)
        return site_of_rows(rows, [0] * channels, [[1]] * channels, IntType(0, hi))

    assert form_of(site(63, 1), Folding()) is Comparison.TABLE
    assert form_of(site(4095, 1), Folding()) is Comparison.PARALLEL
    for channels, is_legal in ((16, True), (17, False)):
        legal = KERNELS["threshold"].legal(site(4095, channels), Folding()).comparison
        assert (Comparison.TABLE in legal) == is_legal


def test_tables_of_a_search_are_bound_where_they_are_deep_enough() -> None:
    site = site_of_rows(np.arange(200).reshape(2, 100), [0, 5], [[1], [1]], BYTE)

    def bound(memory: Memory) -> list[Memory]:
        folding = Folding(comparison=Comparison.SEARCH, memory=memory)
        tables = KERNELS["threshold"].code(site, folding).tables
        # Behind the codes of the lowest levels, and whether steps go down.
        return [table.memory for table in tables[2:]]

    assert bound(Memory.AUTO) == [Memory.AUTO] * 7
    assert bound(Memory.LUTRAM) == [Memory.LUTRAM] * 7
    # Of 2 * 2^stage words.
    assert bound(Memory.BRAM) == [Memory.LUTRAM] * 6 + [Memory.BRAM]


@pytest.mark.parametrize(("hi", "is_bound"), [(63, False), (64, True)])
def test_a_table_of_levels_is_bound_where_it_is_deep_enough(hi: int, is_bound: bool) -> None:
    site = site_of_rows([[5]], [0], [[1]], IntType(0, hi))
    folding = Folding(comparison=Comparison.TABLE, memory=Memory.BRAM)
    (levels,) = KERNELS["threshold"].code(site, folding).tables
    assert levels.memory is (Memory.BRAM if is_bound else Memory.LUTRAM)


@st.composite
def affine_sites(draw: st.DrawFn) -> Site:
    """Draw quantizers of 1 to 8 bits of ``slope * x + offset``, steps of one height for each."""
    x_step = draw(st.sampled_from([1, 1, 2, 3]))
    x_lo = draw(st.integers(-2000, 2000))
    x = IntType(x_lo, x_lo + x_step * draw(st.integers(1, 3000)), x_step)
    channels = draw(st.integers(1, 4))
    steps = (1 << draw(st.integers(1, 8))) - 1
    height = draw(st.sampled_from([1, 2]))
    base = draw(st.sampled_from([-steps, -(1 << 7), 0, 3]))
    rows, bases, deltas = [], [], []
    span = x.hi - x.lo + 1
    for _ in range(channels):
        # A step every `run` values, or every few values a step.
        run = Fraction(draw(st.integers(1, 4 * span)), steps * draw(st.integers(1, 4)))
        first = draw(st.integers(x.lo - span, x.hi)) + Fraction(draw(st.integers(0, 96)), 97)
        rows.append([ceil(first + run * step) for step in range(steps)])
        falls = draw(st.booleans())
        bases.append(base + height * steps * falls)
        deltas.append([-height if falls else height])
    op = Threshold(Const(rows), Const(bases), Const(deltas))
    tensor = TensorType(x, (channels if channels > 1 else draw(st.integers(1, 3)),))
    return Site(op, (tensor,), op.infer(tensor))


@given(affine_sites())
def test_a_quantizer_of_an_affine_function_is_a_product(site: Site) -> None:
    slope = slope_of(site)
    x, y = site.inputs[0].element, site.outputs[0].element
    # In codes steps are one high, unless channels with one level only have another parity.
    if abs(int(site.op.deltas.int64[0, 0])) == 1 or y.step == 2:
        assert slope is not None
    if slope is not None:
        codes, expected = by_code(site)
        assert (product_levels(site, codes) == expected).all()
        assert x.encode(np.array([x.hi])).tolist() == [codes[-1]]


@given(affine_sites())
def test_no_smaller_shift_would_do(site: Site) -> None:
    slope = slope_of(site)
    if slope is None or slope.line.shift == 0:
        return
    # By brute force: which multiplier and bias of a channel give all levels with a bit less?
    codes, expected = by_code(site)
    shift = slope.line.shift - 1
    possible = []
    for channel in range(len(slope.line.multipliers)):
        wanted = expected[:, channel]
        least, most = int(wanted.min()), int(wanted.max())
        guess = int(slope.line.multipliers[channel]) / 2
        found = False
        for m in range(int(guess) - 3, int(guess) + 4):
            lower = (wanted << shift) - m * codes
            inside = lower[wanted > least].max(initial=-(2**62))
            upper = (((wanted + 1) << shift) - 1 - m * codes)[wanted < most].min(initial=2**62)
            found = found or bool(inside <= upper)
        possible.append(found)
    assert not all(possible)


def site_of_rows(rows: Any, base: Any, deltas: Any, x: IntType) -> Site:  # noqa: ANN401
    op = Threshold(Const(rows), Const(base), Const(deltas))
    tensor = TensorType(x, (len(rows),))
    return Site(op, (tensor,), op.infer(tensor))


BYTE = IntType(0, 255)


@pytest.mark.parametrize(
    ("rows", "base", "deltas"),
    [
        ([[10, 20, 40]], [0], [[1]]),  # bent
        ([[10, 20, 30]], [0], [[1, 1, -1]]),  # up and down
        ([[10, 20, 30]], [0], [[1, 2, 1]]),  # a step of two, where x moves by ten
        ([[10, 20, 31, 41, 51], [10, 20, 40, 60, 70]], [0, 0], [[1], [1]]),  # one channel of two
        ([[10, 11, 12, 13, 20]], [0], [[1]]),
    ],
)
def test_tables_that_no_product_gives_are_refused(rows: Any, base: Any, deltas: Any) -> None:  # noqa: ANN401
    assert slope_of(site_of_rows(rows, base, deltas, BYTE)) is None


def test_thresholds_at_the_ends_of_int64_are_compared_and_not_multiplied() -> None:
    site = site_of_rows([[-(2**63) + 1, 2**63 - 1]], [0], [[1]], IntType(-(2**63), 2**63 - 1))
    assert slope_of(site) is None
    stairs = stairs_of(site)
    assert stairs.thresholds.tolist() == [[-(2**63) + 1, 2**63 - 1]]
    legal = KERNELS["threshold"].legal(site, Folding())
    assert legal.comparison == (Comparison.AUTO, Comparison.PARALLEL, Comparison.SEARCH)


def quantizer(channels: int, steps: int, run: float, *, bend: int = 0) -> Graph:
    """Return a graph of one process: steps every ``run`` of 16-bit integers, or not quite."""
    x = TensorType(IntType(-(2**15), 2**15 - 1), (channels,))
    rows = [[round(run * (step - steps / 2) + c) for step in range(steps)] for c in range(channels)]
    rows[0][1] += bend
    op = Threshold(Const(rows), Const([0] * channels), Const([[1]] * channels))
    return Graph({"x": x}, (Node(("act",), op, ("x",)),), ("act",))


def test_a_plan_that_leaves_it_open_gets_the_cheapest_form_and_says_so() -> None:
    def chosen(graph: Graph) -> Comparison:
        return unfolded_plan(graph).foldings["act"].comparison

    assert chosen(quantizer(4, MOST_PARALLEL, 100.0)) is Comparison.PARALLEL
    assert chosen(quantizer(4, 255, 100.0)) is Comparison.MULTIPLY
    assert chosen(quantizer(4, 255, 100.0, bend=50)) is Comparison.SEARCH
    graph = quantizer(1, 31, 100.0)
    plan = unfolded_plan(graph).with_folding("act", Folding())
    settled = settled_plan(graph, plan)
    assert settled.foldings["act"].comparison is not Comparison.AUTO
    assert settled == settled_plan(graph, settled)


def test_each_form_has_choices_of_its_own() -> None:
    graph = quantizer(4, 255, 100.0)

    def choices(comparison: Comparison) -> tuple[int, int]:
        legal = legal_choices(graph, "act", Folding(comparison=comparison))
        return len(legal.memory), len(legal.multiplier)

    assert choices(Comparison.PARALLEL) == (1, 1)
    assert choices(Comparison.SEARCH) == (len(CONSTANTS), 1)
    assert choices(Comparison.MULTIPLY) == (1, len(PRODUCTS))


@pytest.mark.parametrize(
    ("graph", "folding", "message"),
    [
        (
            quantizer(4, 255, 100.0, bend=50),
            Folding(comparison=Comparison.MULTIPLY),
            "act: comparison is 'multiply', but no (m * x + b) >> s with integers m and b for each"
            " channel, one s and sums below 2^62 gives these levels: use one of"
            " ['auto', 'parallel', 'search']",
        ),
        (
            quantizer(4, 255, 100.0),
            Folding(comparison=Comparison.TABLE),
            "act: comparison is 'table', but its levels by code and channel would be a table of"
            " more than 65536 entries: use one of ['auto', 'parallel', 'search', 'multiply']",
        ),
        (
            quantizer(4, 255, 100.0),
            Folding(comparison=Comparison.PARALLEL, memory=Memory.BRAM),
            "act: memory is 'bram': use one of ['auto']",
        ),
        (
            quantizer(4, 255, 100.0),
            Folding(comparison=Comparison.SEARCH, multiplier=Multiplier.DSP),
            "act: multiplier is 'dsp': use one of ['auto']",
        ),
        (
            quantizer(64, 255, 100.0),
            Folding(pe=64, comparison=Comparison.PARALLEL),
            "act: with pe 64 and simd 1 it has 16320 operators at work in one cycle, more than"
            " 4096",
        ),
    ],
)
def test_a_form_that_does_not_fit_is_refused_with_what_does(
    graph: Graph, folding: Folding, message: str
) -> None:
    plan = unfolded_plan(graph).with_folding("act", folding)
    with pytest.raises(PlanError) as caught:
        check_plan(graph, plan)
    assert str(caught.value) == message


def test_operators_are_counted_by_form() -> None:
    graph = quantizer(64, 255, 100.0)
    op = graph.nodes[0].op
    site = Site(op, (graph.types["x"],), (graph.types["act"],))
    counts = {
        form: KERNELS["threshold"].operators(site, Folding(pe=16, comparison=form))
        for form in Comparison
        if form is not Comparison.AUTO
    }
    assert counts == {
        Comparison.PARALLEL: 16 * 255,
        Comparison.SEARCH: 16 * 8,
        Comparison.MULTIPLY: 16,
        Comparison.TABLE: 16,
    }
    assert form_of(site, Folding()) is Comparison.MULTIPLY


def every_kind(chain: Callable[..., Any]) -> Graph:
    """Return thresholds of many kinds: up and down, shared, of unequal heights, in codes."""
    net = chain(17, TensorType(IntType(-3000, 3000), (2, 6)))
    steps = np.arange(255)
    slopes = np.array([11.5, 9.25, 30.0, -17.0, -8.125, 3.0])
    rows = np.ceil((steps - 127.3) * np.abs(slopes)[:, np.newaxis] + 0.21).astype(np.int64)
    falls = slopes < 0
    # Ramps up and down; one of them reaches a few of its steps only.
    net.append(
        Threshold(
            Const(rows),
            Const(np.where(falls, 127, -128)),
            Const(np.where(falls, -1, 1)[:, np.newaxis]),
        )
    )
    net.append(Threshold(Const([list(range(-100, 100, 3))]), Const([-67]), Const([[2]])))
    net.append(Threshold(Const([list(range(-70, 70, 2))]), Const([35]), Const([[-1]])))
    net.threshold(IntType(-60, 60, 4), steps=40)
    net.count(IntType(0, 31))
    net.count(IntType(-20, 20, 2))
    net.threshold(IntType(-8, 7), steps=3)
    graph: Graph = net.graph
    return graph


@pytest.mark.parametrize("form", [form for form in Comparison if form is not Comparison.AUTO])
def test_every_form_gives_the_reference_s_levels(
    form: Comparison, chain: Callable[..., Any], agree: Callable[..., Any], tmp_path: Path
) -> None:
    graph = every_kind(chain)
    rng = np.random.default_rng(list(Comparison).index(form))
    plan = unfolded_plan(graph)
    took = 0
    for name in plan.foldings:
        folding = Folding(int(rng.choice([1, 2, 3, 6])), comparison=form)
        if form not in legal_choices(graph, name, Folding()).comparison:
            continue
        took += 1
        legal = legal_choices(graph, name, folding)
        folding = replace(
            folding,
            memory=legal.memory[rng.integers(len(legal.memory))],
            multiplier=legal.multiplier[rng.integers(len(legal.multiplier))],
        )
        plan = plan.with_folding(name, folding)
    check_plan(graph, plan)
    assert took == len(plan.foldings) or form is Comparison.MULTIPLY
    assert took >= 3
    agree(graph, plan, images=12)
    assert check_project(tmp_path / "project0") == []


def test_searches_of_4095_steps_agree(chain: Callable[..., Any], agree: Callable[..., Any]) -> None:
    net = chain(4, TensorType(IntType(-(2**17), 2**17 - 1), (2,)))
    rng = np.random.default_rng(9)
    rows = np.sort(rng.integers(-(2**17), 2**17, size=(2, 4095)), axis=1)
    net.append(Threshold(Const(rows), Const([0, 4095]), Const([[1], [-1]])))
    plan = unfolded_plan(net.graph)
    ((name, folding),) = plan.foldings.items()
    assert folding.comparison is Comparison.SEARCH
    agree(net.graph, plan.with_folding(name, replace(folding, memory=Memory.BRAM)), images=30)
