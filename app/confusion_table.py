"""Which classes a model takes for which: a table that fits on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from lutloom.scores import class_names

if TYPE_CHECKING:
    from lutloom.simulation import Simulation

_MOST_COLUMNS = 12
_MOST_PAIRS = 10
_LONGEST = 16
_ANY = Console(width=1000)
"""Wide enough for any table to be measured as it is."""


def confused_classes(result: Simulation, width: int) -> Table | None:
    """Return a table of labels (rows) and classes that the model told (columns).

    Of many classes, or where ``width`` is too little for all of them, it is a table of those that
    were most often taken for another one; None if none was, or without labels.
    """
    if result.scores is None or result.scores.correct == result.images:
        return None
    size = 1 + max(max(pair) for pair in result.scores.pairs)
    size = max(size, result.classes, len(result.class_names))
    names = [_short(name) for name in class_names(size, result.class_names)]
    matrix = _matrix(result, names) if size <= _MOST_COLUMNS else None
    if matrix is None or Measurement.get(_ANY, _ANY.options, matrix).maximum > width:
        return _worst(result, names)
    return matrix


def _matrix(result: Simulation, names: list[str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("label")
    for name in names:
        table.add_column(name, justify="right")
    for label, counts in enumerate(result.confusion.tolist()):
        cells = (
            f"[bold]{count:,}[/]" if told == label else f"{count:,}" if count else "·"
            for told, count in enumerate(counts)
        )
        table.add_row(names[label], *cells)
    return table


def _worst(result: Simulation, names: list[str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("label")
    table.add_column("taken for")
    table.add_column("images", justify="right")
    pairs = result.scores.pairs if result.scores is not None else {}
    wrong = [(-count, pair) for pair, count in pairs.items() if pair[0] != pair[1]]
    for count, (label, told) in sorted(wrong)[:_MOST_PAIRS]:
        table.add_row(names[label], names[told], f"{-count:,}")
    return table


def _short(name: str) -> str:
    shown = "".join(c if c.isprintable() else "?" for c in name)
    return escape(shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…")
