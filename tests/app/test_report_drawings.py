"""Where reports draw: boxes apart, streams downwards, nothing lost; axes and names that fit."""

from __future__ import annotations

import doctest
import html
import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lutloom
from lutloom.build import Build
from lutloom.core.counts import counted
from lutloom.reporting import wording
from lutloom.reporting.charts import Axis, bars
from lutloom.reporting.drawing import Box, Column, stages_of
from lutloom.reporting.facts import facts_of
from lutloom.reporting.placement import place
from lutloom.reporting.wording import shortened
from tests.random_branches import random_branched_network

_GAP, _LANE = 10, 4
# Run in the page: how wide it is, and which texts leave their boxes.
MEASURE = """<script>
const outside = [];
for (const drawn of document.querySelectorAll(".graph a, .graph .port")) {
  const box = drawn.querySelector("rect.box").getBBox();
  for (const text of drawn.querySelectorAll("text")) {
    const at = text.getBBox();
    if (at.x < box.x || at.x + at.width > box.x + box.width) outside.push(text.textContent);
  }
}
parent.document.documentElement.setAttribute(
  "data-found", document.documentElement.scrollWidth + "|" + outside.join(";"));
</script>"""


@st.composite
def drawn_graphs(draw: st.DrawFn) -> tuple[list[int], list[tuple[int, int]], int, int]:
    """Widths of boxes, edges between them, and how many begin above all others or end below."""
    count = draw(st.integers(1, 9))
    pairs = [(a, b) for b in range(count) for a in range(b)]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    first = draw(st.integers(0, count - 1))
    last = draw(st.integers(0, count - 1 - first))
    edges = [(a, b) for a, b in edges if b >= first and a < count - last]
    widths = draw(st.lists(st.integers(2, 40), min_size=count, max_size=count))
    return widths, edges, first, last


@given(drawn_graphs())
def test_boxes_lie_apart_and_edges_lead_down(
    graph: tuple[list[int], list[tuple[int, int]], int, int],
) -> None:
    widths, edges, first, last = graph
    found = place(widths, edges, _GAP, _LANE, first, last)
    rows: dict[int, list[tuple[int, int]]] = {}
    for x, layer, width in zip(found.x, found.layer, widths, strict=True):
        rows.setdefault(layer, []).append((x, width))
    for passes in found.passes:
        for x, layer in passes:
            rows.setdefault(layer, []).append((x, _LANE))
    for row in rows.values():
        for (x, width), (other, wide) in pairwise(sorted(row)):
            # Centres are rounded to whole pixels, each by half a pixel at most.
            assert other - x >= (width + wide) / 2 + _GAP - 1
        assert all(width / 2 - 1 <= x <= found.width - width / 2 + 1 for x, width in row)
    for (source, target), passes in zip(edges, found.passes, strict=True):
        layers = [found.layer[source], *(layer for _, layer in passes), found.layer[target]]
        assert layers == list(range(layers[0], layers[-1] + 1))
        assert len(layers) > 1
    assert {found.layer[box] for box in range(first)} <= {0}
    inner = [found.layer[box] for box in range(first, len(widths) - last)]
    assert min(inner) >= (first > 0)
    assert all(found.layer[box] == max(inner) + 1 for box in range(len(widths) - last, len(widths)))


def test_a_chain_is_a_straight_line() -> None:
    found = place([30, 8, 20], [(0, 1), (1, 2)], _GAP, _LANE)
    assert found.layer == (0, 1, 2)
    assert len(set(found.x)) == 1


def test_a_branch_that_passes_has_a_lane_beside_the_boxes() -> None:
    found = place([30, 30, 30], [(0, 1), (1, 2), (0, 2)], _GAP, _LANE)
    ((x, layer),) = found.passes[2]
    assert layer == 1
    assert abs(x - found.x[1]) >= 15 + _GAP + _LANE // 2


def test_branches_that_need_not_cross_do_not() -> None:
    found = place([8] * 6, [(0, 1), (0, 2), (2, 3), (1, 4), (3, 5), (4, 5)], _GAP, _LANE)
    assert (found.x[1] < found.x[2]) == (found.x[4] < found.x[3])


@pytest.fixture(scope="module", params=[4, 9, 12])
def branched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Return the build of a random network with branches."""
    directory = tmp_path_factory.mktemp("branched")
    sample = random_branched_network(request.param, powers_of_two=True)
    path = directory / "model.onnx"
    onnx.save(sample.model, path)
    assert sample.raw is None
    return lutloom.compile(path, directory / "build")


def columns_of(build: Build) -> list[Column]:
    return [column for stage in stages_of(facts_of(build)) for column in stage.columns]


def test_every_process_and_every_port_is_drawn_once(branched: Build) -> None:
    facts, columns = facts_of(branched), columns_of(branched)
    boxes = [box for column in columns for box in column.boxes]
    rows = [box.row for box in boxes if box.row is not None]
    assert rows == list(range(len(facts.processes)))
    ports = len(branched.processes.inputs) + len(branched.processes.outputs)
    assert len(boxes) - len(rows) == ports
    assert [box.row for box in boxes if box.is_slowest] == [
        row for row, p in enumerate(facts.processes) if p.name == facts.slowest_process
    ]


def test_every_stream_is_drawn_in_one_column_or_leaves_one_and_enters_another(
    branched: Build,
) -> None:
    lines: dict[str, int] = {}
    for column in columns_of(branched):
        for line in column.lines:
            lines[line.title] = lines.get(line.title, 0) + 1
    streams = facts_of(branched).streams
    assert len(lines) == len(streams)
    assert set(lines.values()) <= {1, 2}
    for stream in streams:
        (title,) = (title for title in lines if title.startswith(f"{stream.value}: "))
        assert f"words of {counted(stream.written_bits, 'bit')}" in title


def test_nothing_is_drawn_outside_or_on_something_else(branched: Build) -> None:
    for column in columns_of(branched):
        for box in column.boxes:
            assert box.width / 2 <= box.x <= column.width - box.width / 2
            assert 0 <= box.top <= box.top + box.height <= column.height
        for index, box in enumerate(column.boxes):
            assert not any(_overlap(box, other) for other in column.boxes[:index])


def _overlap(box: Box, other: Box) -> bool:
    return (
        abs(box.x - other.x) < (box.width + other.width) // 2
        and box.top < other.top + other.height
        and other.top < box.top + box.height
    )


@given(st.floats(1e-6, 1e15), st.floats(1e-6, 1e15), st.floats(1e-9, 1e18))
def test_axes_keep_everything_inside(one: float, other: float, value: float) -> None:
    low, high = sorted((one, other))
    axis = Axis(low / 2, high * 2, 70, 500)
    assert 70 <= axis.at(value) <= 500
    assert axis.at(low) <= axis.at(high)
    assert all(70 <= tick.at <= 500 for tick in axis.ticks)
    assert [tick.at for tick in axis.ticks] == sorted(tick.at for tick in axis.ticks)
    assert 1 <= len([tick for tick in axis.ticks if tick.text]) <= 12 or high < 10 * low


@given(st.lists(st.integers(0, 10**9), max_size=300))
def test_bars_are_as_high_as_their_values(values: list[int]) -> None:
    found = bars(values, 1000, 50)
    assert len(found) == len(values)
    for (x, width, height), value in zip(found, values, strict=True):
        assert 0 <= x <= x + width <= 1000.1
        assert height == round(50 * value / max(1, *values, 1), 2)


@given(st.text(), st.integers(4, 40))
def test_shortened_names_fit_and_show_nothing_that_moves_a_cursor(name: str, length: int) -> None:
    found = shortened(name, length)
    assert len(found) <= length
    assert found.isprintable()


def test_wide_characters_take_the_room_of_two() -> None:
    assert shortened("模型模型模型", 12) == "模型模型模型"
    assert shortened("模型模型模型", 11) == "…型模型模型"


def test_pages_fit_a_phone_and_names_their_boxes(branched: Build, tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs chromium")
    page = (branched.directory / "report.html").read_text(encoding="utf-8")
    measured = re.sub(r"<meta http-equiv[^>]*>", "", page).replace("</body>", f"{MEASURE}</body>")
    (tmp_path / "frame.html").write_text(
        f'<iframe width="320" height="900" srcdoc="{html.escape(measured)}"></iframe>'
    )
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000")
    run = subprocess.run(
        [chromium, *options, "--dump-dom", (tmp_path / "frame.html").as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    (found,) = re.findall(r'data-found="([^"]*)"', run.stdout)
    width, _, outside = found.partition("|")
    assert 200 < int(width) <= 320
    assert outside == ""


def test_the_examples_of_numbers_are_right() -> None:
    assert doctest.testmod(wording).failed == 0
    assert doctest.testmod(wording).attempted >= 3


def test_reading_order_is_that_of_the_data(branched: Build) -> None:
    tops = [
        [box.top for box in column.boxes if box.row is not None] for column in columns_of(branched)
    ]
    assert all(column for column in tops)
    assert Path(branched.directory / "report.html").exists()
