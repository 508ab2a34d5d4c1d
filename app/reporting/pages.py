"""The pages: facts and places in, HTML out; no scripts, and nothing from a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lutloom.planning import UTILIZATION
from lutloom.reporting import charts
from lutloom.reporting.commands import compile_again
from lutloom.reporting.drawing import stages_of
from lutloom.reporting.memories import totals
from lutloom.reporting.rendering import RESOURCES, rendered
from lutloom.reporting.rooflines import roofline_chart
from lutloom.reporting.versions import versions

if TYPE_CHECKING:
    from lutloom.codegen.costs import Cost
    from lutloom.fifo_table import FifoRow
    from lutloom.reporting.facts import Facts
    from lutloom.reporting.memories import MemoryFacts
    from lutloom.verification import Row, Verification

_MAP_WIDTH, _MAP_HEIGHT = 1000, 56
_MOST_MEMORIES, _MOST_OPEN = 12, 40


@dataclass(frozen=True)
class Segment:
    """A part of a bar: what all things of a ``kind``, or the shell, take of a resource."""

    kind: str
    x: float
    width: float
    title: str


@dataclass(frozen=True)
class Used:
    """A bar: how much of a resource is used by what, in thousandths of the longest one."""

    name: str
    used: int
    there: int
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class Use:
    """The bars of all resources; ``end`` is where all that the device has would be, ``limit`` the
    share of the look-up tables that should stay free for routing, at ``limit_percent``.
    """

    rows: tuple[Used, ...]
    end: float
    limit: float
    limit_percent: int


@dataclass(frozen=True)
class Strip:
    """A small chart of one figure by process: its bars, and which process has most of it."""

    title: str
    unit: str
    bars: tuple[tuple[float, float, float], ...]
    most: int
    of: str
    total: int


@dataclass(frozen=True)
class Checks:
    """A table: its columns and its rows, a comparison a column; what each stage is; and what was
    left out, "" for nothing.
    """

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    meanings: tuple[tuple[str, str], ...]
    left_out: str


def report_page(facts: Facts) -> str:
    """Return the page of a build: one file, that needs no other."""
    taken = {name for name, used, _ in facts.utilisation if used} | {"lut"}
    return rendered(
        "report.html.j2",
        facts=facts,
        build=facts.build,
        board=facts.build.board,
        stages=stages_of(facts),
        strips=_strips(facts),
        map_size=(_MAP_WIDTH, _MAP_HEIGHT),
        use=_use(facts),
        taken_at_all=taken,
        memories=totals(facts.memories),
        largest=_largest(facts),
        fifo_tables=_fifo_tables(facts),
        roof=facts.roofline,
        roof_chart=None if facts.roofline is None else roofline_chart(facts.roofline),
        checks=None if facts.verification is None else _checks(facts.verification),
        versions=versions(),
        sums=_sums(facts),
        unchecked=(*facts.build.board.silicon.unchecked, *facts.build.board.unchecked),
        commands=_commands(facts),
    )


def _use(facts: Facts) -> Use:
    """Return how full the device is: bars that all have the same scale."""
    from lutloom.codegen.costs.design import Kind

    sums = {kind.value: facts.cost.sum(kind).resources.named() for kind in Kind}
    sums["shell"] = facts.shell.resources.named()
    fullest = max((used / there for _, used, there in facts.utilisation if there), default=0.0)
    end = 1000 / max(fullest, 1.0)
    rows = []
    for name, used, there in facts.utilisation:
        segments, x = [], 0.0
        for kind, taken in sums.items():
            width = end * taken[name] / there if there else 0.0
            if width:
                title = f"{kind}: {taken[name]:,}"
                segments.append(Segment(kind, round(x, 1), round(width, 1), title))
            x += width
        rows.append(Used(name, used, there, tuple(segments)))
    return Use(tuple(rows), round(end, 1), round(end * UTILIZATION, 1), round(100 * UTILIZATION))


def _sums(facts: Facts) -> list[tuple[str, Cost]]:
    """Return what else is taken, and the sums, in the order of an addition."""
    names = {"converter": "width converters", "fifo": "FIFOs", "port": "ports"}
    return [
        *((names[kind.value], cost) for kind, cost in facts.others),
        ("the design", facts.cost.total),
        ("shell", facts.shell),
        ("all together", facts.taken),
    ]


def _largest(facts: Facts) -> list[MemoryFacts]:
    """Return the memories with most bits of block RAM and UltraRAM."""
    blocks = [entry for entry in facts.memories if entry.capacity]
    return sorted(blocks, key=lambda entry: -entry.capacity)[:_MOST_MEMORIES]


def _fifo_tables(facts: Facts) -> tuple[tuple[str, list[FifoRow], bool], ...]:
    """Return the FIFOs that are deeper than tools make them, the largest first, and the others."""
    from lutloom.codegen.fifos import DEFAULT_DEPTH

    deep = [row for row in facts.fifos if row.depth > DEFAULT_DEPTH]
    others = [row for row in facts.fifos if row.depth <= DEFAULT_DEPTH]
    deep.sort(key=lambda row: -row.total_bits)
    return (
        ("FIFOs whose depth keeps the rate", deep, len(deep) <= _MOST_OPEN),
        (f"FIFOs of {DEFAULT_DEPTH} words", others, False),
    )


def _strips(facts: Facts) -> tuple[Strip, ...]:
    """Return the small charts: cycles, and every resource that some process takes."""
    figures = {"cycles": [process.cycles for process in facts.processes]}
    for name, title in RESOURCES.items():
        values = [getattr(process.cost.resources, name) for process in facts.processes]
        if any(values):
            figures[title] = values
    strips = []
    for title, values in figures.items():
        most = max(range(len(values)), key=values.__getitem__)
        bars = charts.bars(values, _MAP_WIDTH, _MAP_HEIGHT)
        unit = "an image" if title == "cycles" else ""
        name = facts.processes[most].name
        strips.append(Strip(title, unit, bars, values[most], name, sum(values)))
    return tuple(strips)


def _checks(verification: Verification) -> Checks:
    """Return what ``verify`` compared: a table, and what each stage is."""
    from lutloom.verification import TITLES, left_out, meaning_of, table_of
    from lutloom.verification import stages_of as compared

    stages, rows = table_of(verification)
    return Checks(
        tuple(TITLES[stage] for stage in stages),
        rows,
        tuple((TITLES[stage], meaning_of(stage, verification)) for stage in compared(verification)),
        left_out(verification),
    )


def _commands(facts: Facts) -> tuple[tuple[str, str], ...]:
    """Return commands to be typed in the directory of the build, and what each of them does."""
    return (
        (compile_again(facts.build, facts.directory), "the same design again"),
        ("lutloom verify .", "every stage against the one before it"),
        ("lutloom throughput .", "the rate by a model of loops and FIFOs, cycle by cycle"),
        ("lutloom report .", "this report again, with what evidence.json says"),
        ("make testbench", "the C++ with known results, without Vitis"),
        ("make synth", "C synthesis, with Vitis set up: see NEXT_STEPS.md"),
    )
