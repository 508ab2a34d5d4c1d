"""Processes with many streams as trees of such with few.

    concat(x_0, x_1, ..., x_99)  =  concat(concat(x_0, ...), concat(...), ...), and copies alike

A process chooses between all of its streams in a cycle: of many that takes long.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from lutloom.core.graph import Node, fresh_name
from lutloom.core.ops import Concat, Duplicate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST_STREAMS = 16
"""Streams that a process joins, or writes copies or parts to."""


def in_groups(node: Node, names: set[str]) -> list[Node]:
    """Return ``node``, or a tree of joins or of copies in its place."""
    if len(node.inputs) <= MOST_STREAMS and len(node.results) <= MOST_STREAMS:
        return [node]
    match node.op:
        case Concat():
            groups = list(_groups(node.inputs))
            parts = _fresh(node.name, len(groups), names)
            joins = [
                Node((part,), node.op, group) for part, group in zip(parts, groups, strict=True)
            ]
            return [*joins, *in_groups(Node(node.results, node.op, parts), names)]
        case Duplicate():
            groups = list(_groups(node.results))
            heads = _fresh(node.name, len(groups), names)
            copies = [
                Node(group, Duplicate(len(group)), (head,))
                for head, group in zip(heads, groups, strict=True)
            ]
            return [*in_groups(Node(heads, Duplicate(len(heads)), node.inputs), names), *copies]
        case _:
            return [node]


def _groups(streams: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield ``streams`` in order, in as few groups as can be, of about the same size."""
    count = -(-len(streams) // MOST_STREAMS)
    ends = [len(streams) * place // count for place in range(count + 1)]
    for start, end in pairwise(ends):
        yield tuple(streams[start:end])


def _fresh(name: str, count: int, names: set[str]) -> tuple[str, ...]:
    return tuple(fresh_name(f"{name}/group{index}", names) for index in range(count))
