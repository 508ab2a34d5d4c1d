"""Tables of text that fit where they are printed: what gives way is said, and what never does.

Numbers are always whole. Names of the model, which may be of any length, are cut in front; a few
words are broken into lines; and columns that say little new are left out, where there is no room.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from lutloom.reporting.wording import shortened

_FEWEST, _MOST = 20, 60
"""How long a name may be: cut to ``_FEWEST`` while others can give way, to ``_MOST`` always."""

_LAST = 8
"""What is left of a name where nothing else gives way any more."""

_WORDS = 16
"""How wide words are before they are broken into lines."""


class Kind(Enum):
    """What stands in a column, and so what it does where there is little room."""

    NAME = "name"
    WORDS = "words"
    TEXT = "text"
    NUMBER = "number"


@dataclass(frozen=True)
class Column:
    """A column: what stands above it, what stands in it, and whether it may be left out."""

    title: str
    kind: Kind = Kind.NUMBER
    is_spare: bool = False


@dataclass(frozen=True)
class Laid:
    """A table for a terminal, the titles of the columns that found no room, and what they need."""

    table: Table
    left_out: tuple[str, ...]
    whole_width: int


Row = Sequence[str | Text]


def laid_out(columns: Sequence[Column], rows: Iterable[Row], width: int) -> Laid:
    """Return a table of ``rows``, a cell for each of ``columns``, at most ``width`` wide if it can.

    It is wider where numbers and texts alone are.
    """
    cells = [[_text(cell) for cell in row] for row in rows]
    needed = [_widths(c, [row[i] for row in cells]) for i, c in enumerate(columns)]
    kept = list(range(len(columns)))
    for spare in (i for i, column in enumerate(columns) if column.is_spare):
        if _sum(needed[i][0] for i in kept) <= width:
            break
        kept.remove(spare)
    widths = _shared([columns[i] for i in kept], [needed[i] for i in kept], width)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), width=_sum(widths))
    for i, room in zip(kept, widths, strict=True):
        kind = columns[i].kind
        right = kind is Kind.NUMBER
        table.add_column(
            columns[i].title,
            justify="right" if right else "left",
            width=room,
            no_wrap=kind is not Kind.WORDS,
        )
        if kind is Kind.NAME:
            shown = names_in([row[i].plain for row in cells], room)
            for row in cells:
                row[i] = Text(shown[row[i].plain], row[i].style)
    for row in cells:
        table.add_row(*(row[i] for i in kept))
    left_out = tuple(column.title for i, column in enumerate(columns) if i not in kept)
    return Laid(table, left_out, _sum(least for least, _ in needed))


def names_in(names: Sequence[str], length: int) -> dict[str, str]:
    """Return each of ``names`` in at most ``length`` characters, different ones different if that
    can be.
    """
    found = {name: shortened(name, length) for name in names}
    # What was left out may be all that differs: the operator at the end, a number further in front.
    for other in (partial(shortened, whole=True), _abbreviated):
        candidates = {name: other(name, length) for name in found}
        times, times_there = Counter(found.values()), Counter(candidates.values())
        found = {
            name: there if times_there[there] < times[short] else short
            for (name, short), there in zip(found.items(), candidates.values(), strict=True)
        }
    return found


def _abbreviated(name: str, length: int) -> str:
    """Return ``name`` with as many modules in front as need be by a letter and their number.

    >>> _abbreviated("features.conv10.depthwise.quantize.Quant", 18)
    'f.c10.d.quantize'
    """
    modules = shortened(name, 1000, whole=True).split(".")
    kept = modules[:-1] or modules  # the operator goes first, as it does elsewhere
    for i, module in enumerate(kept[:-1]):
        if cell_len(".".join(kept)) <= length:
            break
        kept[i] = f"{module[:1]}{module[len(module.rstrip('0123456789')) :]}"
    return shortened(".".join(kept), length, whole=True)


def _text(cell: str | Text) -> Text:
    """Return a cell without what moves the cursor, or is markup."""
    if isinstance(cell, Text):
        return cell
    return Text("".join(c if c.isprintable() else ascii(c)[1:-1] for c in cell))


def _widths(column: Column, cells: Sequence[Text]) -> tuple[int, int]:
    """Return the least and the best width of a column."""
    best = max(map(cell_len, (column.title, *(cell.plain for cell in cells))))
    if column.kind is Kind.NAME:
        best = min(best, max(_MOST, cell_len(column.title)))
        return min(best, _FEWEST), best
    if column.kind is Kind.WORDS:
        words = [word for cell in cells for word in cell.plain.split()]
        longest = max(map(cell_len, (column.title, *words)))
        return min(best, max(_WORDS, longest)), best
    return best, best


def _shared(columns: Sequence[Column], needed: Sequence[tuple[int, int]], width: int) -> list[int]:
    """Return the width of each column: what is left goes to names first."""
    found = [least for least, _ in needed]
    room = width - _sum(found)
    order = sorted(range(len(columns)), key=lambda i: columns[i].kind is not Kind.NAME)
    for i in order:
        if room > 0:
            more = min(room, needed[i][1] - found[i])
        elif columns[i].kind is Kind.NAME:
            more = max(room, min(_LAST - found[i], 0))
        else:
            more = 0
        found[i] += more
        room -= more
    return found


def _sum(widths: Iterable[int]) -> int:
    """Return how wide columns are together, with a blank between two of them."""
    return sum(width + 1 for width in widths) - 1
