from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lutloom.codegen import check_plan, legal_values, lower, write_project
from lutloom.codegen.fifos import fifo_depths
from lutloom.codegen.folding import legal_choices, unfolded_plan
from lutloom.codegen.kernels import KERNELS, Site
from lutloom.codegen.kernels.kernel import recoding
from lutloom.codegen.kernels.line_buffer import axes_of
from lutloom.codegen.kernels.span import Span
from lutloom.codegen.kernels.window import Form, form_of, schedule_of
from lutloom.codegen.pragma_check import check_project
from lutloom.codegen.project import Golden
from lutloom.codegen.streams import Wiring, processes_of, site_of
from lutloom.core.errors import PlanError
from lutloom.core.graph import Graph, Node
from lutloom.core.ops import Reshape, Window
from lutloom.core.plan import Folding, Plan
from lutloom.core.types import BIPOLAR, IntType, TensorType
from lutloom.sim import csim
from lutloom.sim.toolchain import CSimError
from tests.windows import SIDE_BY_SIDE, random_windows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KERNEL = KERNELS["window"]


def random_window(rng: np.random.Generator, x: TensorType, *, most: int = 400) -> Window:
    """Return windows that show few elements, in types of few bits."""
    divisors = [n for n in range(1, x.channels + 1) if x.channels % n == 0]
    while True:
        w = random_windows(rng, x.shape[:-1])
        groups = int(rng.choice([1, 1, *divisors]))
        fill = int(rng.choice([0, 0, x.element.lo, x.element.hi, x.element.lo - x.element.step, 6]))
        op = Window(w.kernel, w.stride, w.dilation, w.pads, w.spacing, groups, fill)
        (y,) = op.infer(x)
        # Data that are constants show nothing.
        if y.size <= most and y.element.count > 1 and y.element.bits <= 12:
            return op


def random_shape(rng: np.random.Generator, size: int) -> tuple[int, ...]:
    """Return an image of one or two axes, and few channels."""
    channels = int(rng.choice([c for c in (1, 2, 3, 4, 6) if size % c == 0]))
    pixels = size // channels
    height = int(rng.choice([h for h in range(1, pixels + 1) if pixels % h == 0]))
    return (pixels, channels) if rng.integers(4) == 0 else (height, pixels // height, channels)


def wide_plan(rng: np.random.Generator, graph: Graph, plan: Plan) -> Plan:
    """Return ``plan`` with words of several taps, or windows, where legal, for most processes."""
    for name, folding in plan.foldings.items():
        found = site_of(graph, processes_of(graph)[name])
        channels = found.inputs[0].channels // found.op.groups
        wide = [simd for simd in legal_values(graph, name)["simd"] if simd > channels]
        of_one = replace(folding, simd=int(rng.choice(wide or [folding.simd])), pixels=1)
        pixels = legal_choices(graph, name, of_one).pixels
        wider = plan.with_folding(name, replace(of_one, pixels=int(rng.choice(pixels))))
        try:
            check_plan(graph, wider)
        except PlanError:
            continue
        plan = wider if rng.integers(4) else plan
    return plan


def windows_in_a_row(chain: Callable[..., Any], seed: int, x: TensorType, count: int) -> Graph:
    """Return a graph of so many windows, each over what the last one shows, in another shape."""
    net = chain(seed, x)
    # A frame of what lies just below.
    fill = x.element.lo - x.element.step
    net.append(Window((1, 1), (1, 1), (1, 1), (1, 0, 0, 2), (1, 1), 1, fill))
    for _ in range(count):
        net.append(Reshape(random_shape(net.rng, net.type.size)))
        net.append(random_window(net.rng, net.type))
    graph: Graph = net.graph
    return graph


@pytest.mark.parametrize(
    ("seed", "element"),
    [(6, BIPOLAR), (12, IntType(-2, 1)), (45, IntType(-7, -1, 3)), (102, IntType(0, 255))],
)
def test_windows_of_any_kind_agree_however_they_are_folded(
    seed: int,
    element: IntType,
    chain: Callable[..., Any],
    draw_plan: Callable[..., Any],
    agree: Callable[..., Any],
) -> None:
    rng = np.random.default_rng(seed)
    graph = windows_in_a_row(chain, seed, TensorType(element, (6, 5, 4)), 12)
    plan = wide_plan(rng, graph, draw_plan(rng, graph))
    forms = {
        form_of(site_of(graph, node), plan.foldings[name])
        for name, node in processes_of(graph).items()
    }
    assert forms == set(Form)
    assert sum(folding.pixels > 1 for folding in plan.foldings.values()) >= 2
    agree(graph, plan, images=3)


def test_windows_agree_where_streams_are_bounded(
    chain: Callable[..., Any], draw_plan: Callable[..., Any], agree: Callable[..., Any]
) -> None:
    rng = np.random.default_rng(9)
    graph = windows_in_a_row(chain, 9, TensorType(IntType(-1, 1), (6, 5, 4)), 6)
    agree(graph, draw_plan(rng, graph), images=3, bounded=True)


def site(op: Window, shape: tuple[int, ...], element: IntType = BIPOLAR) -> Site:
    x = TensorType(element, shape)
    return Site(op, (x,), op.infer(x))


def square(kernel: int, stride: int = 1, pad: int = 0, groups: int = 1, fill: int = -1) -> Window:
    sizes = ((kernel,) * 2, (stride,) * 2, (1, 1), (pad,) * 4, (1, 1))
    return Window(*sizes, groups, fill)


@pytest.mark.parametrize(
    ("op", "shape", "simd"),
    [
        (square(3), (8, 8, 4), (1, 2, 4, 12, 36)),
        (square(3, pad=1), (8, 8, 4), (1, 2, 4, 12, 36)),
        (square(3, groups=2), (8, 8, 4), (1, 2)),
        (square(1, stride=2), (8, 8, 4), (1, 2, 4)),
        # Two columns of padding more than windows of three keep the size with: they overtake.
        (square(3, pad=2), (8, 8, 4), (1, 2, 4, 12)),
        (Window((1, 3), (1, 1), (1, 1), (0,) * 4, (1, 1), 1, 0), (8, 8, 2), (1, 2, 6)),
        (Window((3, 1), (1, 1), (1, 1), (0,) * 4, (1, 1), 1, 0), (8, 8, 2), (1, 2, 6)),
        (Window((5,), (1,), (1,), (9, 9), (1,), 1, 0), (8, 2), (1, 2, 10)),
        # Gaps between columns: which pixel a tap sees differs from window to window.
        (Window((3, 3), (1, 1), (1, 1), (2,) * 4, (2, 2), 1, 0), (8, 8, 2), (1, 2)),
        (Window((3, 3), (1, 1), (1, 1), (2,) * 4, (2, 1), 1, 0), (8, 8, 2), (1, 2, 6)),
        (Window((1, 3), (1, 1), (1, 1), (2,) * 4, (2, 1), 1, 0), (8, 8, 2), (1, 2)),
    ],
)
def test_words_are_channels_of_a_tap_or_all_of_a_kernel_row_or_of_a_window(
    op: Window, shape: tuple[int, ...], simd: tuple[int, ...]
) -> None:
    assert KERNEL.legal(site(op, shape), Folding()).simd == simd


@pytest.mark.parametrize(
    ("op", "simd", "form", "words", "extra"),
    [
        (square(3), 1, Form.TAP, 30 * 30 * 9 * 4, 234),
        (square(3), 4, Form.TAP, 30 * 30 * 9, 60),
        (square(3), 12, Form.ROW, 30 * 30 * 3, 66),
        (square(3), 36, Form.WHOLE, 32 * 32, 0),
        (square(3, pad=1), 12, Form.ROW, 32 * 32 * 3, 33),
        (square(3, pad=1), 36, Form.WHOLE, 32 * 32, 33),
        (square(3, 2, 1), 12, Form.ROW, 32 * 32, 17),
        (square(3, 2, 1), 36, Form.WHOLE, 32 * 32, 0),
        (square(1, 2), 1, Form.TAP, 32 * 32 * 4, 0),
    ],
)
def test_a_frame_takes_its_input_or_output_words_and_a_constant(
    op: Window, simd: int, form: Form, words: int, extra: int
) -> None:
    found = site(op, (32, 32, 4))
    folding = Folding(simd=simd)
    assert form_of(found, folding) is form
    assert KERNEL.cycles(found, folding) == words + extra
    steps = schedule_of(found, folding)
    assert steps.beats == words + extra
    (lanes_in,), (lanes_out,) = KERNEL.lanes(found, folding)
    assert len(steps.takes) * lanes_in == found.inputs[0].size
    assert len(steps.gives) * lanes_out == found.outputs[0].size
    for beats in (steps.takes, steps.gives):
        assert (np.diff(beats) >= 1).all()
        assert beats[0] >= 0
        assert beats[-1] < steps.beats
    # Nothing is left to do in the last beat only by reading or writing.
    assert max(steps.takes[-1], steps.gives[-1]) == steps.beats - 1


def test_a_product_behind_whole_windows_takes_a_pixel_a_cycle() -> None:
    found = site(square(3, pad=1), (32, 32, 64))
    assert KERNEL.cycles(found, Folding(simd=64 * 9)) < 1.04 * 32 * 32


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_shift_register_shows_each_window_when_its_last_tap_has_come(seed: int) -> None:
    rng = np.random.default_rng(seed)
    windows = random_windows(rng, (5, 4), spaced=False)
    places = (windows.stride, windows.dilation, windows.pads, windows.spacing)
    op = Window(windows.kernel, *places, 1, 0)
    found = site(op, (5, 4, 1))
    if found.outputs[0].channels not in KERNEL.legal(found, Folding()).simd:
        return
    steps = schedule_of(found, Folding(simd=windows.taps))
    (down, has_row), (right, has_column) = (a.pixels() for a in axes_of(windows, (5, 4)))
    for (y, x), beat in zip(np.ndindex(len(down), len(right)), steps.gives, strict=True):
        seen = 4 * down[y][has_row[y]][:, None] + right[x][has_column[x]]
        assert (steps.takes[seen] <= beat).all()


@pytest.mark.parametrize(
    ("x", "fill", "base", "factor"),
    [
        (BIPOLAR, -1, 0, 1),
        (BIPOLAR, 0, -1, 2),
        (BIPOLAR, 3, 0, 1),
        (BIPOLAR, 2, -1, 2),
        (IntType(0, 12, 4), -2, 1, 2),
        (IntType(0, 12, 4), -8, 2, 1),
        (IntType(-7, -1, 3), -10, 1, 1),
        (IntType(0, 7), -1, 0, 1),
        (IntType(5, 5), 9, 0, 0),
        (IntType(5, 5), 6, 5, 0),
    ],
)
def test_codes_are_those_of_the_type_that_holds_the_fill_too(
    x: IntType, fill: int, base: int, factor: int
) -> None:
    y = x.including(fill)
    assert recoding(x, y) == (base, factor)
    values = np.arange(x.lo, x.hi + 1, x.step)
    assert (y.encode(values) == base + factor * x.encode(values)).all()


def one_window(chain: Callable[..., Any], op: Window, shape: tuple[int, ...]) -> Graph:
    net = chain(0, TensorType(BIPOLAR, shape))
    net.append(op)
    graph: Graph = net.graph
    return graph


@pytest.mark.parametrize("simd", [2, 6, 18])
def test_a_loop_of_one_beat_less_leaves_something_undone(
    simd: int, chain: Callable[..., Any], tmp_path: Path
) -> None:
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    graph = one_window(chain, square(3), (6, 5, 2))
    plan = unfolded_plan(graph).with_folding("window0", Folding(simd=simd))
    inputs = np.ones((2, 6, 5, 2), np.int64)
    directory = tmp_path / "project"
    golden = Golden(inputs, np.ones((2, 4, 3, 18), np.int64))
    write_project(graph, plan, name="net", golden=golden, directory=directory)
    assert check_project(directory) == []
    beats = KERNEL.cycles(site_of(graph, processes_of(graph)["window0"]), Folding(simd=simd))
    (parameters,) = (directory / "hls" / "src" / "params").glob("*.hpp")
    text = parameters.read_text(encoding="utf-8")
    assert text.count(f", {beats},") == 1
    parameters.write_text(text.replace(f", {beats},", f", {beats - 1},"), encoding="utf-8")
    with pytest.raises(CSimError, match="ended before all"):
        csim.build(directory, compiler="g++").run(inputs)


@pytest.mark.parametrize("memory", ["auto", "lutram", "bram"])
def test_the_memory_is_where_the_plan_says(memory: str) -> None:
    found = site(square(3), (8, 8, 4))
    (choice,) = (m for m in KERNEL.legal(found, Folding()).memory if m.value == memory)
    storage = KERNEL.code(found, Folding(memory=choice)).facts["storage"]
    assert storage == ("" if memory == "auto" else f" impl={memory}")


@pytest.mark.parametrize(("width", "slots"), [(3, 0), (5, 0), (6, 3), (32, 29), (1, 0)])
def test_what_lies_between_kernel_rows_is_a_memory_if_it_is_worth_one(
    width: int, slots: int
) -> None:
    pad = 1 if width < 3 else 0
    op = Window((3, 3), (1, 1), (1, 1), (0, pad, 0, pad), (1, 1), 1, -1)
    (x,) = site(op, (8, width, 1)).inputs
    assert Span(*axes_of(op.windows, x.shape[:-1])).slots == slots


def test_the_least_of_64_bits_is_an_expression_that_every_compiler_takes() -> None:
    widest = IntType(-(2**63), 2**63 - 1)
    op = Window((2,), (1,), (1,), (1, 0), (1,), 1, widest.lo)
    facts = KERNEL.code(site(op, (4, 1), widest), Folding()).facts
    assert facts["fill"] == "(-9223372036854775807 - 1)"


def side_by_side(element: IntType) -> tuple[Graph, Plan]:
    """Return windows of all those kinds over one image, with so many pixels."""
    names = tuple(f"window{index}" for index in range(len(SIDE_BY_SIDE)))
    fill = element.lo - element.step
    ops = [
        Window(kernel, stride, dilation, pads, (1, 1), 1, fill)
        for kernel, stride, dilation, pads, _ in SIDE_BY_SIDE
    ]
    nodes = [Node((name,), op, ("x",)) for name, op in zip(names, ops, strict=True)]
    graph = lower(Graph({"x": TensorType(element, (5, 8, 2))}, tuple(nodes), names))
    plan = unfolded_plan(graph)
    for name, op, (*_, pixels) in zip(names, ops, SIDE_BY_SIDE, strict=True):
        plan = plan.with_folding(name, Folding(simd=2 * op.windows.taps, pixels=pixels))
    check_plan(graph, plan)
    return graph, plan


@pytest.mark.parametrize("bounded", [False, True])
def test_several_windows_of_a_word_agree(bounded: bool, agree: Callable[..., Any]) -> None:
    graph, plan = side_by_side(IntType(-3, 3, 2))
    agree(graph, replace(plan, fifos=fifo_depths(Wiring(graph, plan))), images=3, bounded=bounded)


def test_so_many_pixels_take_as_many_times_fewer_beats_but_for_a_constant() -> None:
    graph, plan = side_by_side(BIPOLAR)
    for name, folding in plan.foldings.items():
        if not name.startswith("window"):
            continue
        found = site_of(graph, processes_of(graph)[name])
        steps = schedule_of(found, folding)
        (lanes_in,), (lanes_out,) = KERNEL.lanes(found, folding)
        assert lanes_in == 2 * folding.pixels
        assert len(steps.takes) == 5 * 8 // folding.pixels
        assert len(steps.gives) * lanes_out == found.outputs[0].size
        assert KERNEL.cycles(found, folding) == steps.beats
        one = KERNEL.cycles(found, replace(folding, pixels=1))
        assert len(steps.takes) <= steps.beats < one
        assert KERNEL.operators(found, folding) == lanes_out


def test_a_product_behind_several_windows_takes_several_pixels_a_cycle() -> None:
    found = site(square(3, pad=1), (32, 32, 4))
    assert KERNEL.cycles(found, Folding(simd=36, pixels=4)) == 32 * 32 // 4 + 32 // 4 + 1


@pytest.mark.parametrize(
    ("op", "shape", "pixels"),
    [
        (square(3, pad=1), (8, 12, 4), (1, 2, 3, 4, 6, 12)),
        # Of twelve pixels there are ten windows.
        (square(3), (8, 12, 4), (1, 2)),
        # Windows begin in each second pixel, or third: in the same ones of all words.
        (square(3, stride=2, pad=1), (8, 12, 4), (1, 2, 4, 6, 12)),
        (square(3, stride=3, pad=1), (8, 12, 4), (1, 3, 6, 12)),
        (square(1, stride=4), (8, 12, 4), (1, 2, 4, 12)),
        (square(3, pad=1, groups=2), (8, 12, 4), (1,)),
        # They would overtake each other.
        (square(3, pad=2), (8, 12, 4), (1,)),
        (Window((3,), (1,), (1,), (1, 1), (1,), 1, 0), (6, 4), (1, 2, 3, 6)),
    ],
)
def test_pixels_and_windows_of_a_word_are_whole(
    op: Window, shape: tuple[int, ...], pixels: tuple[int, ...]
) -> None:
    found = site(op, shape)
    simd = found.inputs[0].channels // op.groups * op.windows.taps
    assert KERNEL.legal(found, Folding(simd=simd)).pixels == pixels
    if pixels != (1,):
        assert KERNEL.legal(found, Folding(simd=1)).pixels == (1,)
