"""What FINN says of a folding and what our cost model says of the same one, as Markdown tables."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import TYPE_CHECKING

from lutloom.boards import load_board
from lutloom.codegen.assembly import make_design
from lutloom.codegen.costs.design import DesignCost, Kind, design_cost
from lutloom.codegen.costs.resources import Resources, total
from lutloom.codegen.costs.shell import shell_cost
from lutloom.codegen.kernels import KERNELS
from lutloom.codegen.streams import processes_of, site_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.finn.mapping import Layer, Mapped
    from benchmarks.finn.networks import PublishedDesign
    from lutloom.boards.device import Device

_STAIRCASES = ("threshold", "border_threshold", "requantize")


@dataclass(frozen=True)
class Comparison:
    """A published folding by both models."""

    name: str
    published: PublishedDesign
    mapped: Mapped
    device: Device

    @cached_property
    def cost(self) -> DesignCost:
        """What our model says of the whole design, the shell apart."""
        return design_cost(make_design(self.mapped.graph, self.mapped.plan, name="d"), self.device)

    @cached_property
    def cycles(self) -> dict[str, int]:
        """The cycles of each of our processes."""
        nodes, plan = processes_of(self.mapped.graph), self.mapped.plan
        return {
            name: KERNELS[node.op.name].cycles(
                site_of(self.mapped.graph, node), plan.foldings[name]
            )
            for name, node in nodes.items()
        }

    def ours(self, layer: Layer) -> tuple[int, Resources]:
        """Return the cycles and resources of our processes of ``layer``."""
        taken = total(self.cost.processes[name] for name in layer.processes).resources
        return max(self.cycles[name] for name in layer.processes), taken

    @cached_property
    def staircases(self) -> Resources:
        """What our thresholds take."""
        nodes = processes_of(self.mapped.graph)
        names = [name for name, node in nodes.items() if node.op.name in _STAIRCASES]
        return total(self.cost.processes[name] for name in names).resources


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; all columns but the first are to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    lines += [[_cell(entry) for entry in row] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(entry: object) -> str:
    match entry:
        case float():
            return f"{entry:.2f}"
        case int():
            return f"{entry:,}"
        case None:
            return "-"
        case _:
            return str(entry)


def ratio(ours: int, theirs: int | None) -> float | None:
    """Return ``ours / theirs``; None where they say nothing."""
    return ours / theirs if theirs else None


def estimate_table(comparisons: Iterable[Comparison]) -> str:
    """Return what both say of the layers of each design together."""
    head = (
        *("design", "cycles: FINN", "ours", "LUT: FINN", "ours", "ratio", "of layers"),
        *("BRAM18: FINN", "ours", "ratio", "URAM: FINN", "ours", "DSP: FINN", "ours"),
    )
    return table(head, map(_estimate_row, comparisons))


def _estimate_row(comparison: Comparison) -> tuple[object, ...]:
    layers = comparison.mapped.layers
    theirs = [layer.estimate for layer in layers]
    sums = [sum(getattr(e, key) for e in theirs) for key in ("lut", "bram18", "uram", "dsp")]
    taken = comparison.cost.sum(Kind.PROCESS).resources
    found = [
        taken.lut / estimate.lut
        for layer, estimate in zip(layers, theirs, strict=True)
        for taken in (comparison.ours(layer)[1],)
        if estimate.lut
    ]
    return (
        comparison.name,
        max(estimate.cycles for estimate in theirs),
        max(comparison.cycles.values()),
        *(sums[0], taken.lut, ratio(taken.lut, sums[0])),
        f"{min(found):.2f} .. {median(found):.2f} .. {max(found):.2f}",
        *(sums[1], taken.bram18, ratio(taken.bram18, sums[1])),
        *(sums[2], taken.uram, sums[3], taken.dsp),
    )


def missing_table(comparisons: Iterable[Comparison]) -> str:
    """Return what FINN's report leaves out, by our model."""
    head = (
        *("design", "FF in all", "LUT of thresholds", "of FIFOs", "of converters", "of ports"),
        *("BRAM18 of FIFOs", "URAM of FIFOs"),
    )
    return table(head, map(_missing_row, comparisons))


def _missing_row(comparison: Comparison) -> tuple[object, ...]:
    cost = comparison.cost
    edges = {kind: cost.sum(kind).resources for kind in Kind}
    fifos = edges[Kind.FIFO]
    return (
        comparison.name,
        cost.total.resources.ff,
        comparison.staircases.lut,
        *(fifos.lut, edges[Kind.CONVERTER].lut, edges[Kind.PORT].lut),
        *(fifos.bram18, fifos.uram),
    )


def synthesized_table(comparisons: Iterable[Comparison]) -> str:
    """Return both models beside what a synthesis tool counted.

    FINN's estimate is that of its layers, ours that of the whole design, with the shell if what
    was synthesized has one.
    """
    head = (
        *("design, source", "LUT", "FINN says", "ours", "ratio", "FF", "ours", "ratio"),
        *("BRAM18", "FINN says", "ours", "ratio", "DSP", "FINN says", "ours"),
    )
    return table(head, (row for comparison in comparisons for row in _synthesized(comparison)))


def _synthesized(comparison: Comparison) -> Iterable[tuple[object, ...]]:
    estimates = [layer.estimate for layer in comparison.mapped.layers]
    lut, bram18, dsp = (sum(getattr(e, key) for e in estimates) for key in ("lut", "bram18", "dsp"))
    board, streams = load_board(comparison.published.board), 2
    shell = shell_cost(board, streams, comparison.mapped.plan.word_bits).resources
    for found in comparison.published.synthesized:
        ours = comparison.cost.total.resources + (shell if found.has_shell else Resources())
        yield (
            f"{comparison.name}: {found.source}",
            *(found.lut, lut, ours.lut, ratio(ours.lut, found.lut)),
            *(found.ff, ours.ff, ratio(ours.ff, found.ff)),
            *(found.bram18, bram18, ours.bram18, ratio(ours.bram18, found.bram18)),
            *(found.dsp, dsp, ours.dsp),
        )


def layer_table(comparison: Comparison) -> str:
    """Return both models layer by layer."""
    head = (
        *("layer", "FINN's nodes", "cycles: FINN", "ours", "LUT: FINN", "ours", "ratio"),
        *("BRAM18: FINN", "ours", "URAM: FINN", "ours", "DSP: FINN", "ours"),
    )
    return table(head, (_layer_row(comparison, layer) for layer in comparison.mapped.layers))


def _layer_row(comparison: Comparison, layer: Layer) -> tuple[object, ...]:
    theirs, (cycles, taken) = layer.estimate, comparison.ours(layer)
    return (
        layer.name,
        ", ".join(kind for kind, _ in layer.nodes) or "none",
        *(theirs.cycles, cycles, theirs.lut, taken.lut, ratio(taken.lut, theirs.lut)),
        *(theirs.bram18, taken.bram18, theirs.uram, taken.uram, theirs.dsp, taken.dsp),
    )
