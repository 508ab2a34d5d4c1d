"""The nodes of a file in an order in which every tensor is defined before it is used."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from heapq import heapify, heappop, heappush
from pathlib import Path
from typing import TYPE_CHECKING

from lutloom.streamline.errors import ModelFileError, show

if TYPE_CHECKING:
    from lutloom.streamline.source import SourceNode


def in_order(
    path: Path, nodes: Sequence[SourceNode], given: Collection[str]
) -> tuple[SourceNode, ...]:
    """Return ``nodes`` in topological order, in the file's own where that is one.

    ``given`` are the tensors that no node makes: inputs and constants. Raises ``ModelFileError``
    for a tensor that is defined twice or nowhere, and for cycles.
    """
    defined = {*given, ""}
    producers = _producers(path, nodes, defined)
    missing: list[int] = []
    readers: dict[str, list[int]] = {}
    for index, node in enumerate(nodes):
        wanted = {name for name in node.inputs if name not in defined}
        missing.append(len(wanted))
        for name in wanted:
            if name not in producers:
                raise ModelFileError(f"{path}: {node} reads {show(name)}, which nothing defines")
            readers.setdefault(name, []).append(index)
    ready = [index for index, count in enumerate(missing) if count == 0]
    heapify(ready)  # the first in the file comes first
    ordered: list[SourceNode] = []
    while ready:
        node = nodes[heappop(ready)]
        ordered.append(node)
        for index in (index for name in node.outputs for index in readers.get(name, ())):
            missing[index] -= 1
            if missing[index] == 0:
                heappush(ready, index)
    if len(ordered) < len(nodes):
        stuck = next(node for node, count in zip(nodes, missing, strict=True) if count)
        raise ModelFileError(
            f"{path}: {stuck} depends on its own result, or on a node that does: export the model"
            " without the cycle"
        )
    return tuple(ordered)


def _producers(path: Path, nodes: Sequence[SourceNode], defined: Collection[str]) -> set[str]:
    """Return the names of all results."""
    producers: set[str] = set()
    for node in nodes:
        for name in filter(None, node.outputs):
            if name in producers or name in defined:
                raise ModelFileError(f"{path} defines the tensor {show(name)} twice")
            producers.add(name)
    return producers
