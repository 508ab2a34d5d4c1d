"""Parts of a value that don't overlap, as the results of one process.

    x[a:b], x[c:d]  =  split(x)

Exact: the same elements. A value is copied only for parts that overlap, or lie along another axis.
Parts that nobody reads are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lutloom.codegen.groups import MOST_STREAMS
from lutloom.core.graph import Node
from lutloom.core.ops import Slice, Split

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class _Part:
    """A slice of the list of nodes: where it stands, and what it is."""

    place: int
    node: Node
    op: Slice


def with_slices(nodes: list[Node], outputs: tuple[str, ...]) -> list[Node]:
    """Return ``nodes`` with a slice in place of each result of a split that somebody reads."""
    read = {name for node in nodes for name in node.inputs}.union(outputs)
    return [
        part
        for node in nodes
        for part in (_slices(node, node.op, read) if isinstance(node.op, Split) else [node])
    ]


def _slices(node: Node, op: Split, read: set[str]) -> list[Node]:
    return [
        Node((name,), part, node.inputs)
        for name, part in zip(node.results, op.parts, strict=True)
        if name in read
    ]


def with_splits(nodes: list[Node]) -> list[Node]:
    """Return ``nodes`` with splits in place of slices, each where the first of its parts stood."""
    splits: dict[int, Node] = {}
    gone: set[int] = set()
    for parts in _together(nodes):
        ends = tuple(end for part in parts for end in (part.op.start, part.op.stop))
        results = tuple(part.node.name for part in parts)
        places = [part.place for part in parts]
        gone.update(places)
        splits[min(places)] = Node(results, Split(parts[0].op.axis, ends), parts[0].node.inputs)
    return [
        splits.get(place, node)
        for place, node in enumerate(nodes)
        if place in splits or place not in gone
    ]


def _together(nodes: list[Node]) -> Iterator[list[_Part]]:
    """Yield slices that can be results of one process, ascending; each slice once."""
    parts = [
        _Part(place, node, node.op)
        for place, node in enumerate(nodes)
        if isinstance(node.op, Slice)
    ]
    splits: dict[tuple[str, int], list[list[_Part]]] = {}
    for part in sorted(parts, key=lambda part: (part.op.start, part.op.stop, part.place)):
        beside = splits.setdefault((part.node.inputs[0], part.op.axis), [])
        fitting = next(
            (s for s in beside if s[-1].op.stop <= part.op.start and len(s) < MOST_STREAMS), None
        )
        if fitting is None:
            beside.append([part])
        else:
            fitting.append(part)
    for beside in splits.values():
        yield from beside
