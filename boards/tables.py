"""The tables of a TOML file: typed values, and refusals that name the key and what is legal."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeVar

from lutloom.core.errors import LutloomError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_Choice = TypeVar("_Choice", bound=Enum)

TEXT = r"[^\x00-\x1f\x7f]+"


class BoardError(LutloomError, ValueError):
    """A board or part that is not known, or a board file that cannot be used."""


@dataclass(frozen=True)
class Table:
    """One table of a board file: reads typed values and names itself in what it refuses."""

    file: str
    prefix: str
    values: Mapping[str, object]

    def refuse(self, key: str, found: str, legal: str) -> BoardError:
        """Return the error that says what ``key`` holds and what is legal."""
        return BoardError(f"{self.file}: {self.prefix}{key} {found}: give {legal}")

    def without(self, key: str) -> Table:
        """Return the table without one of its keys."""
        values = {name: value for name, value in self.values.items() if name != key}
        return Table(self.file, self.prefix, values)

    def only(self, *keys: str) -> None:
        """Refuse every key but these."""
        for key in self.values:
            if key not in keys:
                raise self.refuse(
                    repr(key) if not re.fullmatch(r"\w+", key) else key,
                    "is not a key of a board",
                    f"one of {', '.join(keys)}",
                )

    def value(self, key: str, legal: str) -> object:
        """Return what ``key`` holds; it has to be there."""
        if key not in self.values:
            raise self.refuse(key, "is missing", legal)
        return self.values[key]

    def text(self, key: str, legal: str, pattern: str = TEXT, default: str | None = None) -> str:
        """Return a text of a pattern; ``default`` where there is none, if one is given."""
        if default is not None and key not in self.values:
            return default
        value = self.value(key, legal)
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise self.refuse(key, f"is {value!r}", legal)
        return value

    def texts(self, key: str, legal: str) -> tuple[str, ...]:
        """Return a list of printable texts, of at least one."""
        value = self.value(key, legal)
        if not isinstance(value, list) or not value:
            raise self.refuse(key, f"is {value!r}", legal)
        texts = tuple(item for item in value if isinstance(item, str) and item.isprintable())
        if len(texts) != len(value):
            raise self.refuse(key, f"is {value!r}", legal)
        return texts

    def integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """Return an integer of a range; ``default`` where there is none, if one is given."""
        if default is not None and key not in self.values:
            return default
        legal = f"an integer from {low} to {high}"
        value = self.value(key, legal)
        # TOML's true is a Python int
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.refuse(key, f"is {value!r}", legal)
        return value

    def choice(self, key: str, choices: type[_Choice]) -> _Choice:
        """Return the member of ``choices`` whose value ``key`` holds."""
        legal = "one of " + ", ".join(f'"{choice.value}"' for choice in choices)
        value = self.value(key, legal)
        for choice in choices:
            if choice.value == value:
                return choice
        raise self.refuse(key, f"is {value!r}", legal)

    def table(self, key: str) -> Table:
        """Return the table ``key``."""
        value = self.value(key, f"a table [{key}]")
        if not isinstance(value, dict):
            raise self.refuse(key, f"is {value!r}", f"a table [{key}]")
        return Table(self.file, f"{self.prefix}{key}.", value)

    def tables(self, key: str) -> Iterator[Table]:
        """Yield the tables of the list ``key``, which may be missing."""
        value = self.values.get(key, [])
        if not isinstance(value, list):
            raise self.refuse(key, f"is {value!r}", f"tables [[{key}]]")
        for number, item in enumerate(value):
            if not isinstance(item, dict):
                raise self.refuse(f"{key}[{number}]", f"is {item!r}", f"tables [[{key}]]")
            yield Table(self.file, f"{self.prefix}{key}[{number}].", item)


def parse(text: str, file: str) -> Table:
    """Return the outermost table of a file's text; ``BoardError`` for what is not TOML."""
    try:
        return Table(file, "", tomllib.loads(text))
    except (ValueError, RecursionError) as error:  # numbers of 5000 digits, brackets as many
        raise BoardError(f"{file} is not TOML: {error}") from None
