"""JSON that people may have edited: what can be read in two ways is refused, and what is refused
is quoted in a few words, however much of it there is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import NoReturn

from lutloom.core.errors import readable

_LONGEST = 40
"""How much of a value or a name an error quotes."""

_MOST_DIGITS = 4000


def parse_json(text: str) -> object:
    """Return what ``text`` says.

    Raises ``ValueError``, with the reason in words, for what is no JSON; for numbers that JSON has
    none of (NaN) or that no float holds (1e400); and for an object with an entry twice, of which
    one would be ignored.
    """
    try:
        return json.loads(
            text,
            object_pairs_hook=_distinct,
            parse_constant=_no_number,
            parse_float=_float,
            parse_int=_integer,
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def excerpt(value: object) -> str:
    """Return a value from a JSON file as an error quotes it: a few words of it.

    >>> excerpt([1, 2]), excerpt({}), excerpt(None), excerpt(True), excerpt("disk"), excerpt(-1)
    ('a list', 'an object', 'null', 'true', "'disk'", '-1')
    """
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return f"'{quoted(value)}'"
        case dict():
            return "an object"
        case list():
            return "a list"
        case _:
            return quoted(str(value))


def quoted(text: str) -> str:
    """Return ``text`` as a line that is not long, its beginning at least."""
    shown = readable(text)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 3]}..."


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        _no_number(text)
    return number


def _integer(text: str) -> int:
    if len(text) > _MOST_DIGITS:  # Python reads some more, and then gives advice for programmers
        _no_number(text)
    return int(text)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"it holds {quoted(text)}, which is no number here")


def _distinct(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    entries: dict[str, object] = {}
    for name, value in pairs:
        if name in entries:
            raise ValueError(f"the entry '{quoted(name)}' stands there twice: leave one")
        entries[name] = value
    return entries
