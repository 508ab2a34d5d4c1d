"""The tables and the chart of what ``engines.py`` measures."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from rich.table import Table

from benchmarks.peers import PEERS, RIVAL
from lutloom.sim.toolchain import compiler_version, find_compiler

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.engine_rounds import Found, Row, Settings

_PACKAGES = ("lutloom", "numpy", "onnx", "onnxruntime", "qonnx", "torch", "brevitas")


@dataclass(frozen=True)
class Grid:
    """A table, for the terminal and for Markdown; behind ``texts`` columns, all are numbers."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int = 1

    def rich(self) -> Table:
        """Return it for the terminal."""
        table = Table(title=self.title, box=None, title_justify="left")
        for number, column in enumerate(self.columns):
            table.add_column(column, justify="left" if number < self.texts else "right")
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        """Return it as Markdown."""
        ends = ["---" if number < self.texts else "--:" for number in range(len(self.columns))]
        lines = [self.columns, ends, *self.rows]
        return "\n".join((f"{self.title}:", "", *(f"| {' | '.join(line)} |" for line in lines)))


@dataclass(frozen=True)
class Goal:
    """What an engine should do: ``factor`` times as much as another, or that many images.

    At batch 1 if ``is_first``, else at the best of each.
    """

    model: str
    factor: float
    rival: str = RIVAL
    is_first: bool = False

    def row(self, found: Found) -> tuple[str, ...] | None:
        """Return what the table shows; None where one of the two was not measured."""
        rows = found.first if self.is_first else found.best
        if "lutloom" not in rows or (self.rival and self.rival not in rows):
            return None
        rate = rows["lutloom"].rate
        reached = rate / rows[self.rival].rate if self.rival else rate
        unit = f"x {self.rival}" if self.rival else "images/s"
        return (
            self.model,
            "batch 1" if self.is_first else "best batch",
            unit,
            f"{self.factor:,.4g}",
            f"{reached:,.4g}",
            "yes" if reached >= self.factor else "no",
        )


GOALS = (
    Goal("CNV-1W1A", 10),
    Goal("CNV-1W1A", 16),
    Goal("CNV-2W2A", 8),
    Goal("ResNet-18 4W4A", 4),
    Goal("MobileNet-v1 4-bit", 4),
    Goal("CNV-1W1A", 2.5, "onednn"),
    Goal("TFC-1W1A", 5e6, ""),
    Goal("CNV-1W1A", 4, is_first=True),
    Goal("TFC-1W1A", 5, is_first=True),
)


def rates(found: Found) -> Grid:
    """Return images a second of every engine."""
    columns = (
        "engine", "logits", "batch 1", "times", "best batch", "images/s", "least", "most", "times",
    )  # fmt: skip
    rows = [_rates(found, name) for name in found.best]
    rows += [(name, f"none: {why}", *[""] * 7) for name, why in found.absent.items()]
    title = f"{found.case.name}, images a second, and times those of {RIVAL}"
    return Grid(title, columns, tuple(rows), texts=2)


def _rates(found: Found, name: str) -> tuple[str, ...]:
    first, best = found.first[name], found.best[name]
    wrong = [row for row in (first, best) if row.verdict and not row.verdict.is_right]
    return (
        name,
        str((wrong[0] if wrong else best).verdict),
        f"{first.rate:,.0f}" if first.rate >= 100 else f"{first.rate:.3g}",
        _times(first, found.first),
        f"{best.batch:,}",
        f"{best.rate:,.0f}" if best.rate >= 100 else f"{best.rate:.3g}",
        f"{min(best.rates):,.0f}",
        f"{max(best.rates):,.0f}",
        _times(best, found.best),
    )


def _times(row: Row, rows: Mapping[str, Row]) -> str:
    return f"{row.rate / rows[RIVAL].rate:.2f}" if RIVAL in rows else ""


def goals(found: Sequence[Found]) -> Grid:
    """Return the goals that were measured."""
    by_name = {entry.case.name: entry for entry in found}
    rows = [goal.row(by_name[goal.model]) for goal in GOALS if goal.model in by_name]
    columns = ("network", "at", "unit", "goal", "found", "reached")
    return Grid("Goals", columns, tuple(row for row in rows if row), texts=3)


def peaks(found: Sequence[Found]) -> Grid:
    """Return the machine's peak of each instruction, over all rounds."""
    rounds = [peak for entry in found for peak in entry.peaks]
    rows = [
        (name, *(f"{of([peak[name] for peak in rounds]) / 1e9:.2f}" for of in (median, max)))
        for name in rounds[0]
    ]
    columns = ("instruction", "median", "most")
    return Grid("Peak of all threads together, 10^9 instructions a second", columns, tuple(rows))


def setting(settings: Settings) -> str:
    """Return versions, threads and options, as a paragraph."""
    found = []
    for package in _PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} from the sources")
    compiler = compiler_version(find_compiler(None)).splitlines()[0]
    return (
        f"{_processor()}, {len(os.sched_getaffinity(0))} cores, {settings.threads} threads;"
        f" medians of {settings.rounds} interleaved rounds, a window of {settings.seconds:g} s for"
        f" each engine and batch, in a process of its own; {compiler}; Python"
        f" {platform.python_version()}; {', '.join(found)}."
    )


def abouts(engines: Sequence[str]) -> Grid:
    """Return what the engines are."""
    rows = tuple((name, PEERS[name].about) for name in engines)
    return Grid("The engines", ("engine", "what it is"), rows, texts=2)


def _processor() -> str:
    text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    names = (line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line)
    return next(names, platform.machine())


def draw(found: Sequence[Found], path: Path) -> None:
    """Draw a bar for each engine at its best batch and at batch 1, a panel for each network."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(
        len(found), 1, figsize=(9, 0.6 + 0.42 * sum(len(e.best) + 2 for e in found)),
        squeeze=False, height_ratios=[len(e.best) + 2 for e in found], layout="constrained",
    )  # fmt: skip
    for panel, entry in zip(panels[:, 0], found, strict=True):
        names = [*entry.best][::-1]
        for offset, rows, label, colour in (
            (0.2, entry.best, "best batch", "tab:blue"),
            (-0.2, entry.first, "batch 1", "tab:orange"),
        ):
            places = [place + offset for place in range(len(names))]
            bars = panel.barh(
                places, [rows[n].rate for n in names], height=0.38, color=colour, label=label
            )
            panel.bar_label(bars, [_label(rows[n]) for n in names], padding=3, fontsize=7)
        panel.set_yticks(range(len(names)), names)
        panel.set_xscale("log")
        panel.margins(x=0.2)
        panel.set_title(entry.case.name, loc="left", fontsize=10)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0, 0].legend(loc="lower right", fontsize=8, frameon=False)
    panels[-1, 0].set_xlabel("images a second")
    figure.savefig(path, dpi=140)
    plt.close(figure)


def _label(row: Row) -> str:
    wrong = row.verdict is not None and not row.verdict.is_right
    return f"{row.rate:,.0f}" + (" WRONG" if wrong else "")
