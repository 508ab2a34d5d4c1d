"""FINN's folding files, and what was published of the designs that were built with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from pathlib import Path

Settings: TypeAlias = Mapping[str, int | str]
"""What a file says of a node: ``PE``, ``SIMD``, ``ram_style``, ``resType``, ..."""


@dataclass
class PublishedFolding:
    """The nodes of a folding file by kind and backend, ``MVAU_hls`` for one, in their order.

    ``take`` gives each of them once: layers come in the order of the network.
    """

    nodes: Mapping[str, list[Settings]]
    first: str
    _taken: dict[str, int] = field(default_factory=dict)

    @staticmethod
    def read(path: Path) -> PublishedFolding:
        """Read a folding file of finn-examples."""
        document = json.loads(path.read_text(encoding="utf-8"))
        kinds: dict[str, list[tuple[int, Settings]]] = {}
        for name, settings in document.items():
            if name != "Defaults":
                kind, _, number = name.rpartition("_")
                kinds.setdefault(kind, []).append((int(number), settings))
        nodes = {
            kind: [entry for _, entry in sorted(rows, key=_number)] for kind, rows in kinds.items()
        }
        first = next(name for name in document if name != "Defaults").rpartition("_")[0]
        return PublishedFolding(nodes, first)

    def count(self, *kinds: str) -> int:
        """Return how many nodes of these kinds the file has."""
        return sum(len(self.nodes.get(kind, ())) for kind in kinds)

    def take(self, *kinds: str) -> tuple[str, Settings] | None:
        """Return kind and settings of the next node of ``kinds``, those of the first kind first."""
        for kind in kinds:
            index = self._taken.get(kind, 0)
            if index < self.count(kind):
                self._taken[kind] = index + 1
                return kind, self.nodes[kind][index]
        return None

    def left(self) -> dict[str, int]:
        """Return the nodes that nothing took, by kind; width converters and FIFOs apart."""
        counts = {kind: self.count(kind) - self._taken.get(kind, 0) for kind in self.nodes}
        edges = ("StreamingFIFO_rtl", "StreamingDataWidthConverter_rtl")
        return {kind: count for kind, count in counts.items() if count and kind not in edges}


def _number(entry: tuple[int, Settings]) -> int:
    return entry[0]


@dataclass(frozen=True, slots=True)
class Synthesized:
    """What a synthesis tool counted of a design, and who says so. None: not published.

    ``has_shell`` says whether DMA and interconnect are in it.
    """

    source: str
    lut: int
    ff: int | None
    bram18: int
    dsp: int
    has_shell: bool
