"""The report of a build: whole, self-contained, true to the build, and safe with any name."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import lutloom
from lutloom.build import changes, load_build
from lutloom.codegen.assembly import make_design
from lutloom.codegen.costs.design import design_cost
from lutloom.codegen.folding import default_plan
from lutloom.codegen.lower import lower
from lutloom.core.errors import LutloomError, LutloomWarning
from lutloom.estimation import shell_of, usages_of
from lutloom.exploration import Exploration, Point
from lutloom.reporting.documents import document
from lutloom.reporting.facts import facts_of
from lutloom.reporting.frontiers import frontier_page
from lutloom.reporting.pages import report_page
from lutloom.streamline.pipeline import streamline
from lutloom.targets import target_of
from lutloom.verification import Check, Stage, Verification
from lutloom.verification_report import REPORT
from tests.app.commands import contents
from tests.app.test_hostile_names import DESIGN, NAMES, renamed
from tests.app.test_joins import joined
from tests.models import Writer, write

if TYPE_CHECKING:
    from tests.app.commands import Invoke

DOCUMENT = (Path(__file__).parents[2] / "docs" / "report.md").read_text(encoding="utf-8")
_VOID = {"meta", "br", "wbr"}
_RESOURCES = {"lut": 4012, "ff": 3120, "bram18": 9, "uram": 0, "dsp": 0}
_SYNTHESIS = {"tool": "Vitis HLS 2024.1", "stage": "synthesis", "clock_mhz": 100, **_RESOURCES}
_CHECKED = json.dumps({
    "checks": [
        {"stage": "model", "subject": "x", "elements": 70, "differing": 0, "explained": 0,
         "structural": 0, "remark": ""}
    ],
    "samples": 7,
})  # fmt: skip
_BOARD = {"name": "pynq-z2", "clock_mhz": 100, "images": 10, "equal": 9}


@dataclass
class Page(HTMLParser):
    """What a page consists of; it fails for tags that are not closed in order."""

    source: str
    open: list[str] = field(default_factory=list)
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    is_broken: bool = False

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), tag
        self.tags.append((tag, dict(attrs)))
        self.is_broken = tag == "wbr"
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.is_broken:
            self.texts[-1] += data
        else:
            self.texts.append(data)
        self.is_broken = False

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page_of(build: Path) -> Page:
    return Page((build / "report.html").read_text(encoding="utf-8"))


def document_of(build: Path) -> dict[str, Any]:
    found = json.loads((build / "report.json").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def evidence(build: Path, **parts: object) -> None:
    (build / "evidence.json").write_text(json.dumps({"format": 1, **parts}))


def test_every_build_has_a_report_which_is_none_of_its_data(build: Path) -> None:
    assert changes(build).data == changes(build).sources == ()
    (build / "report.html").write_text("another one")
    assert load_build(build).name == "float"
    assert not changes(build).data


def test_the_report_is_the_same_byte_for_byte(build: Path) -> None:
    before = contents(build)
    assert lutloom.report(build) == build / "report.html"
    assert contents(build) == before


def test_the_page_is_one_file_without_scripts_or_a_network(float_build: Path) -> None:
    page = page_of(float_build)
    assert page.source.startswith("<!doctype html>")
    assert {"script", "link", "img", "iframe", "object", "image", "use"}.isdisjoint(
        tag for tag, _ in page.tags
    )
    assert "://" not in page.source
    assert "url(#" in page.source
    assert not re.search(r"url\([^#]|@import", page.source)
    (policy,) = (m["content"] for m in page.of("meta") if "http-equiv" in m)
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]


def test_every_link_leads_somewhere_and_every_name_is_there_once(float_build: Path) -> None:
    page = page_of(float_build)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for attributes in page.of("a"):
        assert (attributes["href"] or "").removeprefix("#") in ids
    for _, attributes in page.tags:
        for name in (attributes.get("aria-labelledby") or "").split():
            assert name in ids


def test_tables_have_headers_and_drawings_have_words(float_build: Path) -> None:
    page = page_of(float_build)
    assert len(page.of("table")) == len(page.of("caption")) > 4
    assert all(header.get("scope") in {"col", "row"} for header in page.of("th"))
    for drawing in page.of("svg"):
        assert drawing.get("role") in {"img", "group"}
        assert drawing.get("aria-label") or drawing.get("aria-labelledby")
    (html,) = page.of("html")
    assert html == {"lang": "en"}


def test_page_and_document_say_what_the_design_takes(float_build: Path) -> None:
    facts, found = facts_of(load_build(float_build)), document_of(float_build)
    text = page_of(float_build).text
    used = facts.cost.total.resources
    assert {name: entry["value"] for name, entry in found["resources"].items()} == used.named()
    assert found["interval"] == facts.slowest.cycles == max(p["cycles"] for p in found["processes"])
    assert found["images_per_second"] == 100e6 / facts.slowest.cycles
    assert f"an image every {facts.slowest.cycles:,} cycles" in text
    for process in facts.processes:
        assert process.name in text
        assert f"{process.cycles:,}" in text
    for name, used_of, there in facts.utilisation:
        assert f"{used_of:,}" in text
        assert found["device"][name] == there
        assert used_of == found["resources"][name]["value"] + found["shell"][name]["value"]


def test_every_figure_says_how_well_it_is_known(float_build: Path) -> None:
    page, words = page_of(float_build), {"exact", "calibrated", "uncalibrated"}
    marks = [a["title"] for a in page.of("abbr")]
    assert set(marks) <= words
    found = document_of(float_build)
    for costs in (
        found["resources"],
        found["shell"],
        *(p["resources"] for p in found["processes"]),
    ):
        assert {entry["confidence"] for entry in costs.values()} <= words
    assert "uncalibrated: a formula that was held against nothing" in page.text


def test_the_sums_are_those_of_their_parts(float_build: Path) -> None:
    found = document_of(float_build)
    for name, entry in found["resources"].items():
        parts = [*(p["resources"] for p in found["processes"]), *found["others"].values()]
        assert sum(part[name]["value"] for part in parts) == entry["value"]


def test_every_block_ram_is_in_the_memory_map(float_build: Path) -> None:
    facts = facts_of(load_build(float_build))
    for name in ("bram18", "uram"):
        mapped = sum(entry.cost.resources.named()[name] for entry in facts.memories)
        ports = sum(
            cost.resources.named()[name] for kind, cost in facts.others if kind.value == "port"
        )
        assert mapped + ports == facts.cost.total.resources.named()[name]


def test_work_is_what_inspect_counts(models: Path, float_build: Path) -> None:
    facts = facts_of(load_build(float_build))
    assert facts.macs == lutloom.inspect(models / "float.onnx").macs
    roof = facts.roofline
    assert roof is not None
    assert roof.operations == 2 * facts.macs
    assert roof.achieved <= min(roof.peak, roof.intensity * roof.bandwidth)


def test_a_device_that_lacks_something_is_no_obstacle(float_build: Path) -> None:
    build = load_build(float_build)
    whole = build.board.device
    for device in (replace(whole, lut=0), replace(whole, lut=1), replace(whole, ff=0)):
        silicon = replace(build.board.silicon, device=device)
        facts = facts_of(replace(build, board=replace(build.board, silicon=silicon)))
        text = Page(report_page(facts)).text
        assert "it does not fit" in text
        assert ("none there" in text) == (device.lut * device.ff == 0)
        assert json.loads(document(facts))["roofline"]["device_peak"] is None


def test_documented_keys_are_those_of_the_document(float_build: Path) -> None:
    table = DOCUMENT.split("## report.json")[1]
    rows = re.findall(r"^\| (`.+?) \|", table, re.MULTILINE)
    assert {key for row in rows for key in re.findall("`([^`]+)`", row)} == set(
        document_of(float_build)
    )


def test_joins_have_a_section_where_there_are_any(float_build: Path, tmp_path: Path) -> None:
    lutloom.compile(joined(tmp_path, (0.3, 0.77)), tmp_path / "build")
    assert "Where results meet" in page_of(tmp_path / "build").text
    assert "Where results meet" not in page_of(float_build).text


def test_several_pixels_in_a_cycle_have_a_column(tmp_path: Path, invoke: Invoke) -> None:
    w = Writer()
    model = write(w.model(w.quant("x", 0.5, bits=2), 4, 4, 4), tmp_path)
    build, options = tmp_path / "build", ("--input-type", "uint8")
    assert "pixels" not in invoke("compile", model, "-o", build, *options).out.split("\n")[0]
    text = page_of(build).text
    plan = json.loads((build / "plan.json").read_text())
    (folding,) = plan["processes"].values()
    folding |= {"pe": 4, "pixels": 2}
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    ended = invoke(
        "compile", model, "-o", build, "--force", "--plan", tmp_path / "plan.json", *options
    )
    assert ended.out.splitlines()[0].split()[:5] == ["process", "PE", "SIMD", "pixels", "cycles"]
    assert ended.out.splitlines()[1].split()[:5] == ["Quant_0", "4", "1", "2", "8"]
    assert "PE SIMD pixels form" not in text
    assert "PE SIMD pixels form" in page_of(build).text
    assert "threshold 4×1×2 · 8 cycles" in page_of(build).text
    (process,) = document_of(build)["processes"]
    assert (process["pe"], process["pixels"], process["cycles"]) == (4, 2, 8)


def test_verify_writes_the_report_anew(build: Path) -> None:
    assert "Not run" in page_of(build).text
    assert document_of(build)["verification"] is None
    result = lutloom.verify(build, samples=5, csim=False)
    assert result.page == build / "report.html"
    assert "on 5 images, without the C++" in page_of(build).text
    assert "The C++ was left out: verify without --no-csim" in page_of(build).text
    assert "All stages agree on 5 images." in page_of(build).text
    assert document_of(build)["verification"]["passed"]


def test_a_verification_that_ends_early_takes_its_verdict_out_of_the_report(
    build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lutloom.verify(build, samples=5, csim=False)

    def end(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lutloom.stages.compare_stages", end)
    with pytest.raises(KeyboardInterrupt):
        lutloom.verify(build, samples=5, csim=False)
    assert "Not run" in page_of(build).text
    assert document_of(build)["verification"] is None


def test_verify_says_why_a_report_is_not_written_anew(build: Path) -> None:
    (build / "evidence.json").write_text("[]")
    with pytest.warns(LutloomWarning, match=r"report.html stays as it was: .*evidence.json"):
        result = lutloom.verify(build, samples=5, csim=False)
    assert result.passed
    assert result.page is None
    (build / "report.html").unlink()
    assert lutloom.verify(build, samples=5, csim=False).page is None


def test_the_compiled_engine_has_a_line_and_no_column(build: Path) -> None:
    checks = (
        Check(Stage.MODEL, "output", 70, 0),
        Check(Stage.ENGINE, "out", 50, 0),
        Check(Stage.ENGINE, "out2", 20, 3),
    )
    facts = replace(facts_of(load_build(build)), verification=Verification(checks, 7))
    page = Page(report_page(facts))
    text = " ".join(page.text.split())
    assert "the integer graph and the compiled engine: 3 of 70 outputs differ" in text
    assert "out2: the integer graph and the compiled engine differ in 3 of 20." in text
    assert "value numbers integers output 70 equal" in text


def test_a_difference_is_said_where_it_is(build: Path) -> None:
    checks = (
        Check(Stage.MODEL, "first", 70, 0),
        Check(Stage.MODEL, "<b>second", 50, 9, 2),
        Check(Stage.PROCESSES, "third", 20, 3, 3),
    )
    facts = replace(facts_of(load_build(build)), verification=Verification(checks, 7))
    text = Page(report_page(facts)).text
    assert "<b>second: qonnx and the integer graph differ in 7 of 50." in text
    assert "7 differ" in text
    assert "3 explained" in text


@pytest.mark.parametrize(
    "text",
    [
        '{"checks": [{}]}',
        '{"checks": [], "samples": 3}',
        _CHECKED.replace("70", "Infinity"),
        _CHECKED.replace("70", "-1"),
        _CHECKED.replace("70", "true"),
        _CHECKED.replace("model", "none"),
        "[" * 100_000,
    ],
    ids=lambda text: text[:60],
)
def test_a_damaged_verification_is_refused(build: Path, text: str) -> None:
    (build / REPORT).write_text(_CHECKED)
    lutloom.report(build)
    (build / REPORT).write_text(text)
    with pytest.raises(
        LutloomError, match=r"is not as `lutloom verify` wrote it: verify the build"
    ):
        lutloom.report(build)


def test_hostile_names_are_text_on_the_page(tmp_path: Path, models: Path) -> None:
    shutil.copy(models / "float.onnx", tmp_path)
    build = lutloom.compile(renamed(tmp_path / "float.onnx"), tmp_path / "build", name=DESIGN)
    page = page_of(build.directory)
    assert {"b", "i", "script"}.isdisjoint(tag for tag, _ in page.tags)
    assert all(c.isprintable() or c == "\n" for c in page.source)
    assert "49" not in {text.strip() for text in page.texts if "{{" in text}
    assert any(
        name in {p["name"] for p in document_of(build.directory)["processes"]} for name in NAMES
    )


def test_the_commands_make_the_very_same_build(
    invoke: Invoke, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lutloom.compile(
        models / "raw.onnx",
        tmp_path / "build",
        board="zcu104",
        clock_mhz=150.0,
        input_type="0..200",
        input_scale="1/255",
        input_bias="-1/2",
        data=np.zeros((3, 2, 3), np.uint8),
        name="it's",
    )
    command = re.findall(r"lutloom compile [^<]*", page_of(tmp_path / "build").text)[0]
    monkeypatch.chdir(tmp_path / "build")
    words = shlex.split(command.split(" the ")[0].split(" every ")[0])
    end = words.index("-o") + 2
    assert invoke(*words[1:end]).status == 0
    assert contents(tmp_path / "again") == contents(tmp_path / "build")


def test_evidence_fills_its_slot(build: Path) -> None:
    assert "Not yet synthesized with Vitis." in page_of(build).text
    board = {**_BOARD, "images_per_second": 95000, "latency_ms": 0.04, "power_w": 2.1}
    evidence(build, synthesis={**_SYNTHESIS, "units": {"top": _RESOURCES}}, board=board)
    lutloom.report(build)
    text = page_of(build).text
    assert "Not yet" not in text
    assert "Vitis HLS 2024.1, after synthesis, for 100 MHz" in text
    assert "9 of 10" in text
    assert document_of(build)["synthesis"]["resources"] == _RESOURCES
    assert document_of(build)["measured"]["equal"] == 9


def test_the_documented_evidence_is_read(build: Path) -> None:
    (build / "evidence.json").write_text(DOCUMENT.split("```json\n")[1].split("```")[0])
    found = facts_of(load_build(build)).evidence
    assert found.synthesis is not None
    assert found.synthesis.achieved_mhz == 118.5
    assert found.board is not None
    assert found.board.power_w == 2.1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "can't be read as evidence"),
        ("[]", "'it' should be an object of evidence, but is"),
        ('{"format": 2}', "its format is 2: this version reads 1"),
        (
            '{"format": 1, "extra": 1}',
            "'extra' is no entry of evidence: there may be board, format",
        ),
        ('{"format": 1, "board": 3}', "'board' should be an object of evidence, but is 3"),
        (json.dumps({"format": 1, "board": {**_BOARD, "equal": 11}}), "is 11 of 10 images"),
        (
            json.dumps({"format": 1, "board": {**_BOARD, "clock_mhz": -1}}),
            "'board.clock_mhz' should",
        ),
        (
            json.dumps({"format": 1, "board": {**_BOARD, "images": True}}),
            "'board.images' should be",
        ),
        (
            json.dumps({"format": 1, "synthesis": {**_SYNTHESIS, "stage": "guess"}}),
            "'synthesis.stage' should be one of synthesis, implementation of evidence, but is",
        ),
        (
            json.dumps({"format": 1, "synthesis": {**_SYNTHESIS, "units": {"top": {"lut": 1}}}}),
            "'synthesis.units.top.ff' should be a number of things of evidence, but is missing",
        ),
        (
            json.dumps({"format": 1, "synthesis": {**_SYNTHESIS, "tool": 7}}),
            "'synthesis.tool' should",
        ),
        ('{"format": 1, "board": {"power_w": 1e999}}', "it holds 1e999, which is no number here"),
        ('{"format": true}', "its format is true: this version reads 1"),
        ('{"format": 1, "format": 1}', "the entry 'format' stands there twice: leave one"),
        (
            json.dumps({"format": 1, "board": {**_BOARD, "images": 10**99}}),
            "'board.images' should be a number of things of evidence, but is 10000000",
        ),
        (
            json.dumps({"format": 1, "board": {**_BOARD, "power_w": 10**400}}),
            "'board.power_w' should be a number above 0 of evidence, but is 10000000",
        ),
    ],
)
def test_evidence_that_says_something_else_is_refused(build: Path, text: str, message: str) -> None:
    (build / "evidence.json").write_text(text)
    with pytest.raises(LutloomError, match=re.escape(message)):
        lutloom.report(build)


def exploration(model: Path, cycles: tuple[int, ...], utilization: float) -> Exploration:
    """Return points of ``model`` on a board as plain plans give them."""
    graph = lower(streamline(model).graph)
    target, points = target_of("pynq-z2", None, None), []
    for wanted in cycles:
        plan = default_plan(graph, cycles=wanted)
        cost = design_cost(make_design(graph, plan, name="frontier"), target.board.device)
        shell = shell_of(graph, target.board, plan.word_bits)
        usages = usages_of(cost.total, shell, target.board)
        fits = usages[0].share <= utilization
        slowest = cost.slowest
        points.append(Point(plan, 1e8 / slowest.cycles, slowest.cycles, slowest.name, usages, fits))
    return Exploration(model, target, utilization, tuple(points))


def test_the_page_of_a_frontier_says_and_draws_every_point(models: Path) -> None:
    found = exploration(models / "float.onnx", (96, 24, 8), 0.7)
    page = Page(frontier_page(found))
    circles = page.of("circle")
    assert [circle["class"] for circle in circles] == ["fits"] * 3
    places = [float(circle["cx"] or "") for circle in circles]
    assert places == sorted(places)
    assert len(page.of("tr")) == 1 + 3
    for point in found.points:
        assert f"{point.fps:,.1f}" in page.text
        assert all(f"{usage.needed:,}" in page.text for usage in point.usages)
    assert "70% of the LUT" in page.text
    assert "://" not in page.source


def test_a_frontier_on_a_board_without_room_says_so(models: Path) -> None:
    page = Page(frontier_page(exploration(models / "float.onnx", (96, 8), 0.001)))
    assert "No plan fits this board with at most 0.1 % of its look-up tables." in page.text
    assert {circle["class"] for circle in page.of("circle")} == {"exceeds"}


def test_the_command_writes_the_page_where_it_is_told(
    invoke: Invoke, float_build: Path, tmp_path: Path
) -> None:
    ended = invoke("report", float_build, "-o", tmp_path / "page.html")
    assert (ended.status, ended.err) == (0, "")
    assert "page.html" in ended.out
    assert {path.name for path in tmp_path.iterdir()} == {"page.html", "page.json"}


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("page.txt", "should be a .html file, as every report is"),
        ("nowhere/page.html", "should be a file in a directory"),
        ("build/plan.html", "belongs to the build: write to another file"),
    ],
)
def test_a_report_replaces_nothing_else(build: Path, output: str, message: str) -> None:
    with pytest.raises(LutloomError, match=re.escape(message)):
        lutloom.report(build, build.parent / output)


def test_there_is_no_report_of_another_plan(build: Path) -> None:
    text = (build / "plan.json").read_text()
    (build / "plan.json").write_text(text.replace('"word_bits": 64', '"word_bits": 32'))
    with pytest.raises(LutloomError, match="is not the plan that the C\\+\\+ was written for"):
        lutloom.report(build)
