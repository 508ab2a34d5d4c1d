"""What a setting of a recipe may be: a rule for each, which also says itself in words.

A section of a recipe is a frozen dataclass; each of its fields has its rule beside its default,
``epochs: int | None = field(default=None, metadata=whole(1, 1000))``. A field whose default is
None may be left open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import TYPE_CHECKING, ClassVar

from lutloom.qat.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterable

_RULE = "rule"


class RecipeError(TrainingError):
    """A recipe that can't be read or run; ``key`` is the dotted one that it is about."""

    def __init__(self, message: str, key: str = "") -> None:
        super().__init__(message)
        self.key = key


@dataclass(frozen=True, slots=True)
class Whole:
    """An integer of a range."""

    low: int
    high: int

    @property
    def legal(self) -> str:
        """What may be given, in words."""
        return f"an integer from {self.low} to {self.high}"

    def allows(self, value: object) -> bool:
        """Return whether a value may be given."""
        # TOML's true is a Python int
        return (
            isinstance(value, int)
            and not isinstance(value, bool)
            and self.low <= value <= self.high
        )


@dataclass(frozen=True, slots=True)
class Number:
    """A number of a range, whose ends may not belong to it."""

    low: float
    high: float
    is_low_in: bool = True
    is_high_in: bool = True

    @property
    def legal(self) -> str:
        """What may be given, in words."""
        low = f"{self.low:g}" if self.is_low_in else f"above {self.low:g}"
        high = f"{self.high:g}" if self.is_high_in else f"below {self.high:g}"
        return f"a number from {low} to {high}".replace("from above", "above")

    def allows(self, value: object) -> bool:
        """Return whether a value may be given."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        above = self.low <= value if self.is_low_in else self.low < value
        return above and (value <= self.high if self.is_high_in else value < self.high)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several words."""

    words: tuple[str, ...]

    @property
    def legal(self) -> str:
        """What may be given, in words."""
        return "one of " + ", ".join(f'"{word}"' for word in self.words)

    def allows(self, value: object) -> bool:
        """Return whether a value may be given."""
        return value in self.words


@dataclass(frozen=True, slots=True)
class Text:
    """A text, of which ``legal`` says what it should be."""

    legal: str
    may_be_empty: bool

    def allows(self, value: object) -> bool:
        """Return whether a value may be given."""
        is_there = isinstance(value, str) and (value != "" or self.may_be_empty)
        return is_there and _is_unicode(str(value))


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    legal: ClassVar[str] = "true or false"

    def allows(self, value: object) -> bool:
        """Return whether a value may be given."""
        return isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class Texts:
    """A list of texts, of which ``legal`` says what they should be."""

    legal: str

    def allows(self, value: object) -> bool:
        """Return whether a value may be given."""
        text = Text(self.legal, may_be_empty=False)
        return isinstance(value, list | tuple) and all(map(text.allows, value))


@dataclass(frozen=True, slots=True)
class Options:
    """Numbers, lists of them, words and flags by name, of which somebody else knows more."""

    legal: ClassVar[str] = "numbers, lists of whole ones, texts, true or false by name"

    def allows(self, value: object) -> bool:
        """Return whether a value may be given."""
        return isinstance(value, Mapping) and all(
            isinstance(name, str)
            and (
                isinstance(option, bool | int | str)
                or Number(-1e30, 1e30).allows(option)
                or (isinstance(option, list | tuple) and all(type(part) is int for part in option))
            )
            for name, option in value.items()
        )


Rule = Whole | Number | Choice | Text | Texts | Flag | Options


def whole(low: int, high: int) -> Mapping[str, Rule]:
    """Return the metadata of a field that is an integer."""
    return {_RULE: Whole(low, high)}


def number(
    low: float, high: float, *, is_low_in: bool = True, is_high_in: bool = True
) -> Mapping[str, Rule]:
    """Return the metadata of a field that is a number."""
    return {_RULE: Number(low, high, is_low_in, is_high_in)}


def choice(*words: str) -> Mapping[str, Rule]:
    """Return the metadata of a field that is one of several words."""
    return {_RULE: Choice(words)}


def text(legal: str, *, may_be_empty: bool = False) -> Mapping[str, Rule]:
    """Return the metadata of a field that is a text."""
    return {_RULE: Text(legal, may_be_empty)}


def flag() -> Mapping[str, Rule]:
    """Return the metadata of a field that is true or false."""
    return {_RULE: Flag()}


def texts(legal: str) -> Mapping[str, Rule]:
    """Return the metadata of a field that is a list of texts."""
    return {_RULE: Texts(legal)}


def options() -> Mapping[str, Rule]:
    """Return the metadata of a field that holds further settings by name."""
    return {_RULE: Options()}


class Section:
    """A table of a recipe: a frozen dataclass that has checked its fields."""

    section: ClassVar[str]

    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type] # each subclass is a dataclass
            value = getattr(self, field.name)
            if value is None and field.default is None:
                continue
            rule: Rule = field.metadata[_RULE]
            key = f"{self.section}.{field.name}"
            if not rule.allows(value):
                raise RecipeError(f"{key} is {value!r}: give {rule.legal}", key)
            if isinstance(rule, Number):
                object.__setattr__(self, field.name, float(value))
            if isinstance(rule, Texts):
                object.__setattr__(self, field.name, tuple(value))


def check_keys(
    found: Iterable[str], known: tuple[str, ...], prefix: str, what: str = "a recipe"
) -> None:
    """Refuse keys that are not ``known``."""
    for key in found:
        if key not in known:
            close = get_close_matches(key, known, n=1)
            nearest = f" (did you mean {close[0]}?)" if close else ""
            raise RecipeError(
                f"{prefix}{key} is not a key of {what}{nearest}: use {', '.join(known)}",
                f"{prefix}{key}",
            )


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
