"""The graph of processes as drawings: columns that are read one after the other, as text is.

Each unit of the design is cut into columns where no more than one stream crosses: branches stay
together, and long chains go on in the next column.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lutloom.reporting.placement import Placement, place
from lutloom.reporting.wording import shortened, shown, size

if TYPE_CHECKING:
    from lutloom.core.types import TensorType
    from lutloom.reporting.facts import Facts, ProcessFacts, StreamFacts

_BOX, _PORT, _LANE, _GAP = 212, 180, 14, 16
_HEIGHT, _PORT_HEIGHT, _BETWEEN, _MARGIN = 60, 40, 34, 3
_TALLEST = 6
"""Boxes of a column, where it may be cut."""
_NAME, _PORT_NAME, _NOTE = 28, 24, 36
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
        stages.append(Stage(unit, len(processes), columns, facts.slowest.name in processes))
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
                add("input", stream.source_port, _input(facts, stream, process.unit))
        title = f"{shown(process.name)}, {process.kernel}: {process.cycles:,} cycles an image"
        add("process", process.name, _Item(process.unit, _lines(process), title, process, row))
        for stream in facts.streams:
            if stream.source == process.name and stream.target is None:
                add("output", stream.target_port, _output(facts, stream, process.unit))
    edges = [
        _Edge(
            number["input", s.source_port] if s.source is None else number["process", s.source],
            number["output", s.target_port] if s.target is None else number["process", s.target],
            s,
        )
        for s in facts.streams
    ]
    return items, edges


def _input(facts: Facts, stream: StreamFacts, unit: str) -> _Item:
    name = facts.input_names[stream.source_port]
    title = f"input {shown(name)}: {_tensor(stream.tensor)}"
    return _Item(unit, (f"in {shortened(name, _PORT_NAME)}", _tensor(stream.tensor)), title)


def _output(facts: Facts, stream: StreamFacts, unit: str) -> _Item:
    name = facts.output_names[stream.target_port]
    title = f"output {shown(name)}: {_tensor(stream.tensor)}"
    return _Item(unit, (f"out {shortened(name, _PORT_NAME)}", _tensor(stream.tensor)), title)


def _lines(process: ProcessFacts) -> tuple[str, ...]:
    folding = process.folding
    lanes = f" {folding.pe}×{folding.simd}" if folding.pe * folding.simd > 1 else ""
    result = _tensor(process.outputs[0])
    if len(process.outputs) > 1:
        result = f"{len(process.outputs)} results, first {result}"
    return (
        shortened(process.name, _NAME),
        f"{process.kernel}{lanes} · {process.cycles:,} cycles",
        shortened(f"→ {result}", _NOTE),
    )


def _tensor(tensor: TensorType) -> str:
    bits = tensor.element.bits
    return f"{size(tensor.shape)} of {bits} bit{'s' if bits > 1 else ''}"


def _cut(members: Sequence[int], edges: Sequence[_Edge]) -> Iterator[Sequence[int]]:
    """Yield the columns of a unit, cut where no more than one stream goes on."""
    inside = set(members)
    lengths = [
        (members.index(e.source), members.index(e.target))
        for e in edges
        if e.source in inside and e.target in inside
    ]
    first = last = 0
    for border in range(1, len(members) + 1):
        if sum(source < border <= target for source, target in lengths) > 1:
            continue
        if border - first > _TALLEST and last > first:
            yield members[first:last]
            first = last
        last = border
    yield members[first:]


def _column(
    members: Sequence[int], items: Sequence[_Item], edges: Sequence[_Edge], facts: Facts
) -> Column:
    number = {member: index for index, member in enumerate(members)}
    inner = [edge for edge in edges if edge.source in number and edge.target in number]
    widths = [_PORT if items[member].process is None else _BOX for member in members]
    pairs = [(number[edge.source], number[edge.target]) for edge in inner]
    placement = place(widths, pairs, _GAP, _LANE)
    entering = [edge for edge in edges if edge.source not in number and edge.target in number]
    leaving = [edge for edge in edges if edge.source in number and edge.target not in number]
    above = _BETWEEN if entering else _MARGIN
    boxes = tuple(
        _box(items[member], placement, index, above, facts) for index, member in enumerate(members)
    )
    ends = _Ends(boxes, number, [*inner, *entering, *leaving])
    lines = [
        _line(ends, edge, passes, above)
        for edge, passes in zip(inner, placement.passes, strict=True)
    ]
    bottom = above + placement.layers * (_HEIGHT + _BETWEEN) - _BETWEEN
    lines += [_stub(ends, edge, above, bottom, is_entry=True) for edge in entering]
    lines += [_stub(ends, edge, above, bottom, is_entry=False) for edge in leaving]
    below = _BETWEEN if leaving else _MARGIN
    text = "; ".join(f"{shown(e.stream.value)}, {_streamed(e.stream)}" for e in inner)
    return Column(
        placement.width + 2 * _MARGIN, bottom + below, boxes, tuple(lines), text or boxes[0].title
    )


def _box(item: _Item, placement: Placement, index: int, above: int, facts: Facts) -> Box:
    is_port = item.process is None
    height = _PORT_HEIGHT if is_port else _HEIGHT
    top = above + placement.layer[index] * (_HEIGHT + _BETWEEN) + (_HEIGHT - height) // 2
    return Box(
        placement.x[index] + _MARGIN,
        top,
        _PORT if is_port else _BOX,
        height,
        item.lines,
        item.title,
        0 if item.process is None else 100 * item.process.cycles // facts.slowest.cycles,
        item.process is not None and item.process.name == facts.slowest.name,
        item.row,
    )


class _Ends:
    """Where edges begin and end: beside each other, in the order of what they lead to."""

    def __init__(
        self, boxes: Sequence[Box], number: dict[int, int], edges: Sequence[_Edge]
    ) -> None:
        self.boxes, self.number = boxes, number
        self._places: dict[tuple[int, bool], list[_Edge]] = {}
        for is_exit in (False, True):
            for edge in edges:
                index = number.get(edge.source if is_exit else edge.target)
                if index is not None:
                    self._places.setdefault((index, is_exit), []).append(edge)
        for (_, is_exit), places in self._places.items():
            places.sort(key=lambda e: self._far(e.target if is_exit else e.source))

    def _far(self, member: int) -> int:
        index = self.number.get(member)
        return -1 if index is None else self.boxes[index].x

    def point(self, edge: _Edge, *, is_exit: bool) -> tuple[int, int]:
        """Return where ``edge`` leaves its source, or reaches its target."""
        index = self.number[edge.source if is_exit else edge.target]
        box, places = self.boxes[index], self._places[index, is_exit]
        apart = min(_SPREAD, (box.width - _SPREAD) // len(places))
        shift = (2 * places.index(edge) - len(places) + 1) * apart // 2
        return box.x + shift, box.top + box.height * is_exit


def _line(ends: _Ends, edge: _Edge, passes: Sequence[tuple[int, int]], above: int) -> Line:
    x, y = ends.point(edge, is_exit=True)
    path = [f"M{x} {y}"]
    first = None
    for passed, layer in passes:
        top = above + layer * (_HEIGHT + _BETWEEN)
        path.append(_curve(x, y, passed + _MARGIN, top))
        first = first or ((x + passed + _MARGIN) // 2, (y + top) // 2)
        x, y = passed + _MARGIN, top + _HEIGHT
        path.append(f"V{y}")
    end = ends.point(edge, is_exit=False)
    path.append(_curve(x, y, *end))
    middle = first or ((x + end[0]) // 2, (y + end[1]) // 2)
    return Line(" ".join(path), _streamed(edge.stream), _note(edge.stream), *middle)


def _stub(ends: _Ends, edge: _Edge, above: int, bottom: int, *, is_entry: bool) -> Line:
    """Return the end of a stream from another column, or the beginning of one to the next."""
    x, y = ends.point(edge, is_exit=not is_entry)
    title = _streamed(edge.stream)
    if is_entry:
        return Line(f"M{x} {_MARGIN} V{y}", title, _note(edge.stream), x, (_MARGIN + above) // 2)
    return Line(f"M{x} {y} V{bottom + _BETWEEN - _MARGIN}", title)


def _curve(x: int, y: int, to_x: int, to_y: int) -> str:
    if x == to_x:
        return f"V{to_y}"
    half = (y + to_y) // 2
    return f"C{x} {half} {to_x} {half} {to_x} {to_y}"


def _streamed(stream: StreamFacts) -> str:
    """Return what a stream carries, in a sentence."""
    words = f"words of {stream.written_bits} bits"
    if stream.converter:
        words += f", {stream.converter} to {stream.read_bits}"
    return f"{shown(stream.value)}: {_tensor(stream.tensor)}, {words}, FIFO of {stream.depth} words"


def _note(stream: StreamFacts) -> str:
    """Return what is written beside a stream: its words, and a FIFO if it is a deep one."""
    words = f"{stream.written_bits}"
    if stream.converter:
        words += f"→{stream.read_bits}"
    if stream.is_deep:
        words += f" · FIFO {stream.depth:,}"
    return words
