"""Cutting a design into units: groups of processes, each its own IP, joined by AXI streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.codegen.streams import Stream, processes_of, streams_of
from lutloom.core.ops import MatVec, Window

if TYPE_CHECKING:
    from lutloom.core.graph import Graph

MOST_PROCESSES = 12
"""Processes in a unit: synthesis of many more takes hours, and a linker places a unit whole."""


def cut(graph: Graph, limit: int = MOST_PROCESSES) -> tuple[tuple[str, ...], ...]:
    """Return the processes of a lowered ``graph`` as units, in order, of ``limit`` at most.

    A border is crossed by one stream at most, so branches are never cut: a unit grows beyond the
    limit where they leave no other choice. Nor is a window cut off from the product behind it,
    which reads every pixel many times. The design's own inputs and outputs cross nothing: they
    belong to the units that read and write them.
    """
    processes = processes_of(graph)
    names = list(processes)
    position = {name: index for index, name in enumerate(names)}

    def crosses(stream: Stream, border: int) -> bool:
        if stream.source is None or stream.target is None:
            return False
        return position[stream.source] < border <= position[stream.target]

    def may_cut(border: int) -> bool:
        crossing = [stream for stream in streams if crosses(stream, border)]
        if len(crossing) > 1:
            return False
        ends = [(stream.source, stream.target) for stream in crossing]
        return not any(
            isinstance(processes[source].op, Window) and isinstance(processes[target].op, MatVec)
            for source, target in ends
            if source is not None and target is not None
        )

    streams = streams_of(graph)
    units: list[tuple[str, ...]] = []
    first, last_border = 0, 0
    for border in range(1, len(names) + 1):
        if not may_cut(border):
            continue
        if border - first > limit and last_border > first:
            units.append(tuple(names[first:last_border]))
            first = last_border
        last_border = border
    units.append(tuple(names[first:]))
    return tuple(units)
