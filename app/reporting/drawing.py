"""The graph of processes as drawings: columns that are read one after the other, as text is.

Each unit of the design is cut into columns where no more than one stream crosses: branches stay
together, and long chains go on in the next column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, starmap
from typing import TYPE_CHECKING

from lutloom.core.counts import counted
from lutloom.reporting.placement import Placement, place
from lutloom.reporting.wording import shortened, shown, size

if TYPE_CHECKING:
    from lutloom.core.types import TensorType
    from lutloom.reporting.facts import Facts, ProcessFacts, StreamFacts

_BOX, _PORT, _LANE, _GAP = 212, 180, 14, 16
_HEIGHT, _PORT_HEIGHT, _BETWEEN, _MARGIN = 58, 40, 30, 3
_TALLEST = 7
"""Boxes of a column, where it may be cut."""
_FEW = 2
"""Boxes that are no column by themselves."""
_NAME, _PORT_NAME = 25, 20
"""Characters that there is room for."""
_SPREAD = 14
"""Pixels between the ends of edges at one box."""


@dataclass(frozen=True)
class Box:
    """A process, or an input or output of the design, by its middle ``x`` and its ``top``.

    ``heat`` is its share of the slowest one's cycles, in per cent; ``row`` the number of its row in
    the table of processes, None of a port.
    """

    x: int
    top: int
    width: int
    height: int
    lines: tuple[str, ...]
    title: str
    heat: int
    is_slowest: bool
    row: int | None


@dataclass(frozen=True)
class Line:
    """A stream: an SVG path, and a note at ``x, y`` where there is something to say."""

    path: str
    title: str
    note: str = ""
    x: int = 0
    y: int = 0


@dataclass(frozen=True)
class Column:
    """A drawing of ``width`` times ``height`` pixels; ``text`` says it in words."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    text: str


@dataclass(frozen=True)
class Stage:
    """The columns of one unit, in which there are so many ``processes``."""

    unit: str
    processes: int
    columns: tuple[Column, ...]
    is_slowest: bool


@dataclass(frozen=True)
class _Item:
    """What becomes a box: a process of a unit, or a port of the graph."""

    unit: str
    lines: tuple[str, ...]
    title: str
    process: ProcessFacts | None = None
    row: int | None = None


@dataclass(frozen=True)
class _Edge:
    source: int
    target: int
    stream: StreamFacts


def stages_of(facts: Facts) -> tuple[Stage, ...]:
    """Return the drawings of the graph, a stage for each unit of the design."""
    items, edges = _items(facts)
    stages = []
    for unit in dict.fromkeys(item.unit for item in items):
        members = [index for index, item in enumerate(items) if item.unit == unit]
        processes = [p.name for p in (items[index].process for index in members) if p is not None]
        columns = tuple(_column(part, items, edges, facts) for part in _cut(members, edges))
        stages.append(Stage(unit, len(processes), columns, facts.slowest_process in processes))
    return tuple(stages)


def _items(facts: Facts) -> tuple[list[_Item], list[_Edge]]:
    """Return processes and ports in an order in which all edges lead on, and the edges.

    A port stands beside the process that reads or writes it, in the same unit.
    """
    items: list[_Item] = []
    number: dict[tuple[str, object], int] = {}

    def add(kind: str, key: object, item: _Item) -> None:
        number[kind, key] = len(items)
        items.append(item)

    for row, process in enumerate(facts.processes):
        for stream in facts.streams:
            if stream.target == process.name and stream.source is None:
                name = facts.input_names[stream.source_port]
                add("in", stream.source_port, _port(name, "in", stream, process.unit))
        title = (
            f"{shown(process.name)}, {process.kernel}: {counted(process.cycles, 'cycle')} an image"
        )
        add("process", process.name, _Item(process.unit, _lines(process), title, process, row))
        for stream in facts.streams:
            if stream.source == process.name and stream.target is None:
                name = facts.output_names[stream.target_port]
                add("out", stream.target_port, _port(name, "out", stream, process.unit))
    edges = [
        _Edge(
            number["in", s.source_port] if s.source is None else number["process", s.source],
            number["out", s.target_port] if s.target is None else number["process", s.target],
            s,
        )
        for s in facts.streams
    ]
    return items, edges


def _port(name: str, kind: str, stream: StreamFacts, unit: str) -> _Item:
    tensor = _tensor(stream.tensor)
    lines = (f"{kind} {shortened(name, _PORT_NAME)}", tensor)
    return _Item(unit, lines, f"{kind} {shown(name)}: {tensor}")


def _lines(process: ProcessFacts) -> tuple[str, ...]:
    folding = process.folding
    sizes = (folding.pe, folding.simd, *([folding.pixels] if folding.pixels > 1 else []))
    lanes = f" {size(sizes)}" if max(sizes) > 1 else ""
    result = _tensor(process.outputs[0])
    if len(process.outputs) > 1:
        result = f"{len(process.outputs)} × {result}"
    return (
        shortened(process.name, _NAME),
        f"{process.kernel}{lanes} · {counted(process.cycles, 'cycle')}",
        f"→ {result}",
    )


def _tensor(tensor: TensorType) -> str:
    bits = tensor.element.bits
    return f"{size(tensor.shape)} of {counted(bits, 'bit')}"


def _cut(members: Sequence[int], edges: Sequence[_Edge]) -> list[Sequence[int]]:
    """Return the columns of a unit, cut where no more than one stream goes on."""
    place_of = {member: index for index, member in enumerate(members)}
    lengths = [
        (place_of[edge.source], place_of[edge.target])
        for edge in edges
        if edge.source in place_of and edge.target in place_of
    ]
    tallest = -(-len(members) // -(-len(members) // _TALLEST))
    found: list[Sequence[int]] = []
    first = last = 0
    for border in range(1, len(members) + 1):
        if sum(source < border <= target for source, target in lengths) > 1:
            continue
        if border - first > tallest and last > first:
            found.append(members[first:last])
            first = last
        last = border
    found.append(members[first:])
    return _with_few(found)


def _with_few(columns: Sequence[Sequence[int]]) -> list[Sequence[int]]:
    """Return ``columns``, those of few boxes joined to the one before, or to the one behind."""
    joined: list[Sequence[int]] = []
    for column in columns:
        if joined and min(len(column), len(joined[-1])) <= _FEW:
            joined[-1] = [*joined[-1], *column]
        else:
            joined.append(column)
    return joined


@dataclass(frozen=True)
class _Local:
    """The streams of a column, its boxes counted from 0: first the ends of streams that enter, then
    ``members`` boxes, then the ends of streams that leave.
    """

    edges: tuple[_Edge, ...]
    entering: int
    members: int
    leaving: int

    @property
    def after(self) -> int:
        """The number of the first end of a stream that leaves."""
        return self.entering + self.members


def _local(members: Sequence[int], edges: Sequence[_Edge]) -> _Local:
    inside = set(members)
    entering = [edge for edge in edges if edge.target in inside and edge.source not in inside]
    leaving = [edge for edge in edges if edge.source in inside and edge.target not in inside]
    inner = [edge for edge in edges if edge.source in inside and edge.target in inside]
    number = {member: len(entering) + index for index, member in enumerate(members)}
    after = len(entering) + len(members)
    drawn = (
        *(_Edge(index, number[e.target], e.stream) for index, e in enumerate(entering)),
        *(_Edge(number[e.source], number[e.target], e.stream) for e in inner),
        *(_Edge(number[e.source], after + index, e.stream) for index, e in enumerate(leaving)),
    )
    return _Local(drawn, len(entering), len(members), len(leaving))


def _column(
    members: Sequence[int], items: Sequence[_Item], edges: Sequence[_Edge], facts: Facts
) -> Column:
    """Draw ``members``; streams from and to other columns begin and end at its edges."""
    local = _local(members, edges)
    widths = [_PORT if items[member].process is None else _BOX for member in members]
    placement = place(
        [*[_LANE] * local.entering, *widths, *[_LANE] * local.leaving],
        [(edge.source, edge.target) for edge in local.edges],
        _GAP,
        _LANE,
        local.entering,
        local.leaving,
    )
    rows = _rows(placement.layers, has_top=local.entering > 0, has_bottom=local.leaving > 0)
    boxes = [_gate(placement, index, rows) for index in range(len(placement.x))]
    for index, member in enumerate(members, local.entering):
        boxes[index] = _box(items[member], placement, index, rows, facts)
    ends = _Ends(boxes, local.edges)
    return Column(
        placement.width + 2 * _MARGIN,
        rows[-1].top + rows[-1].height + _MARGIN,
        tuple(boxes[local.entering : local.after]),
        tuple(
            _line(ends, edge, passes, rows)
            for edge, passes in zip(local.edges, placement.passes, strict=True)
        ),
        "; ".join(_streamed(edge.stream) for edge in local.edges),
    )


@dataclass(frozen=True)
class _Row:
    top: int
    height: int


def _rows(layers: int, *, has_top: bool, has_bottom: bool) -> list[_Row]:
    """Return where layers are; the first and the last have no height where streams end there."""
    rows, top = [], _MARGIN
    for layer in range(layers):
        is_edge = (has_top and layer == 0) or (has_bottom and layer == layers - 1)
        rows.append(_Row(top, 0 if is_edge else _HEIGHT))
        top += rows[-1].height + _BETWEEN
    return rows


def _gate(placement: Placement, index: int, rows: Sequence[_Row]) -> Box:
    """Return where a stream from or to another column ends: a box that is not drawn."""
    top = rows[placement.layer[index]].top
    return Box(placement.x[index] + _MARGIN, top, _LANE, 0, (), "", 0, is_slowest=False, row=None)


def _box(item: _Item, placement: Placement, index: int, rows: Sequence[_Row], facts: Facts) -> Box:
    process = item.process
    height = _PORT_HEIGHT if process is None else _HEIGHT
    return Box(
        placement.x[index] + _MARGIN,
        rows[placement.layer[index]].top + (_HEIGHT - height) // 2,
        _PORT if process is None else _BOX,
        height,
        item.lines,
        item.title,
        0 if process is None else 100 * process.cycles // facts.slowest.cycles,
        is_slowest=process is not None and process.name == facts.slowest_process,
        row=item.row,
    )


class _Ends:
    """Where edges begin and end: beside each other, in the order of what they lead to."""

    def __init__(self, boxes: Sequence[Box], edges: Sequence[_Edge]) -> None:
        self._boxes = boxes
        self._out_of: dict[int, list[_Edge]] = {}
        self._into: dict[int, list[_Edge]] = {}
        for edge in edges:
            self._out_of.setdefault(edge.source, []).append(edge)
            self._into.setdefault(edge.target, []).append(edge)
        for places in self._out_of.values():
            places.sort(key=lambda edge: boxes[edge.target].x)
        for places in self._into.values():
            places.sort(key=lambda edge: boxes[edge.source].x)

    def start(self, edge: _Edge) -> tuple[int, int]:
        """Return where ``edge`` leaves its source."""
        box = self._boxes[edge.source]
        return box.x + _shift(self._out_of[edge.source], edge, box), box.top + box.height

    def end(self, edge: _Edge) -> tuple[int, int]:
        """Return where ``edge`` reaches its target."""
        box = self._boxes[edge.target]
        return box.x + _shift(self._into[edge.target], edge, box), box.top


def _shift(places: Sequence[_Edge], edge: _Edge, box: Box) -> int:
    apart = min(_SPREAD, (box.width - 2) // len(places))
    return (2 * places.index(edge) - len(places) + 1) * apart // 2


def _line(
    ends: _Ends, edge: _Edge, passes: Sequence[tuple[int, int]], rows: Sequence[_Row]
) -> Line:
    points = [ends.start(edge)]
    for x, layer in passes:
        top, bottom = rows[layer].top, rows[layer].top + rows[layer].height
        points += [(x + _MARGIN, top), (x + _MARGIN, bottom)]
    points.append(ends.end(edge))
    path = f"M{points[0][0]} {points[0][1]} " + " ".join(starmap(_curve, pairwise(points)))
    (x, y), (to_x, to_y) = points[:2]
    return Line(path, _streamed(edge.stream), _note(edge.stream), (x + to_x) // 2, (y + to_y) // 2)


def _curve(start: tuple[int, int], end: tuple[int, int]) -> str:
    (x, y), (to_x, to_y) = start, end
    if x == to_x:
        return f"V{to_y}"
    half = (y + to_y) // 2
    return f"C{x} {half} {to_x} {half} {to_x} {to_y}"


def _streamed(stream: StreamFacts) -> str:
    """Return what a stream carries, in a sentence."""
    words = f"words of {counted(stream.written_bits, 'bit')}"
    if stream.converter:
        words += f", {stream.converter} to {stream.read_bits}"
    fifo = f"FIFO of {counted(stream.depth, 'word')}"
    return f"{shown(stream.value)}: {_tensor(stream.tensor)}, {words}, {fifo}"


def _note(stream: StreamFacts) -> str:
    """Return what is written beside a stream: its words, and a FIFO if it is a deep one."""
    words = f"{stream.written_bits}"
    if stream.converter:
        words += f"→{stream.read_bits}"
    if stream.is_deep:
        words += f" · FIFO {stream.depth:,}"
    return words
