"""Sentences and tables for people, on a terminal or in a log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from lutloom.tables import Column, laid_out

if TYPE_CHECKING:
    from lutloom.tables import Row

console = Console(soft_wrap=False, highlight=False)
_LONGEST_NAME = 60


def step(sentence: str) -> None:
    """Announce a step."""
    console.print(f"[bold]{plain(sentence)}[/]", soft_wrap=True)


def show(columns: Sequence[Column], rows: Iterable[Row]) -> None:
    """Print a table, and which of its columns found no room."""
    laid = laid_out(columns, rows, console.width)
    console.print(laid.table, crop=False)
    if laid.left_out:
        needed = f"{laid.whole_width} columns, or COLUMNS={laid.whole_width}, would show them"
        say("left out", f"{', '.join(laid.left_out)}: {needed}")


def say(what: str, text: str) -> None:
    """Print a line: ``what: text``, broken by the terminal alone."""
    console.print(f"{escape(what)}: {plain(text)}", soft_wrap=True)


def shown(name: str) -> str:
    """Return the model's name of something, cut where it is too long to be read in a sentence."""
    readable = _printable(name)
    return readable if len(readable) <= _LONGEST_NAME else readable[: _LONGEST_NAME - 3] + "..."


def plain(text: str) -> str:
    """Return ``text`` so that nothing in it is markup, or controls the terminal."""
    return escape(_printable(text))


def _printable(text: str) -> str:
    """Return ``text`` without what moves the cursor or changes the terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
