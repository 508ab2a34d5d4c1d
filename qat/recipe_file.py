"""Recipes as TOML: a table for each section, and single settings changed by ``--set``.

What is written reads back as an equal recipe. A mistake is one sentence that names the file, or
``--set``, the key, what is there and what may be there.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from lutloom.core.files import read_text
from lutloom.qat.recipe import (
    VERSION,
    BoardSection,
    DataSection,
    DistillationSection,
    ModelSection,
    Recipe,
    StartSection,
    TrainingSection,
)
from lutloom.qat.recipe_rules import RecipeError, Section, check_keys

_S = TypeVar("_S", bound=Section)

SUFFIX = ".toml"
_KEYS = (
    *("version", "title", "model", "quantization", "data", "training"),
    *("start", "distillation", "board"),
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def find_recipe(
    name_or_path: str | Path, changes: Mapping[str, object] = MappingProxyType({})
) -> Recipe:
    """Return the recipe of a file, one that comes with lutloom, or that of a model alone.

    What ends in ``.toml`` or holds a path separator is a path; a name that is no recipe's is a
    model's, whose recipe is the defaults; it needs ``data.name`` among the ``changes``, which are
    values by their dotted keys. Raises :class:`RecipeError` for what is no recipe.
    """
    name = str(name_or_path)
    is_model = name and "data.name" in changes and name not in recipe_names()
    if is_path(name_or_path) or not is_model:
        return read_recipe(name_or_path, changes)
    return parse_recipe(f"[model]\nname = {_value(name)}\n", name, changes)


def read_recipe(
    name_or_path: str | Path, changes: Mapping[str, object] = MappingProxyType({})
) -> Recipe:
    """Return the recipe of a file, or one of :func:`recipe_names`.

    Raises :class:`RecipeError` for what is no recipe.
    """
    name = str(name_or_path)
    if not is_path(name_or_path):
        return parse_recipe(shipped_text(name), name + SUFFIX, changes)
    try:
        content = read_text(Path(name_or_path))
    except OSError as error:
        raise RecipeError(f"{name} can't be read: {error.strerror or error}") from None
    except ValueError:
        raise RecipeError(f"{name} can't be read: it is no text in UTF-8") from None
    return parse_recipe(content, name, changes)


def is_path(name_or_path: str | Path) -> bool:
    """Return whether that is the path of a recipe, and not the name of one."""
    return isinstance(name_or_path, Path) or name_or_path.endswith(SUFFIX) or "/" in name_or_path


def recipe_names() -> tuple[str, ...]:
    """Return the names of the recipes that come with lutloom, in alphabetical order."""
    entries = (entry.name for entry in files("lutloom.qat").joinpath("recipes").iterdir())
    return tuple(sorted(name.removesuffix(SUFFIX) for name in entries if name.endswith(SUFFIX)))


def shipped_text(name: str) -> str:
    """Return the text of one of :func:`recipe_names`.

    Raises :class:`RecipeError` if there is none of that name.
    """
    names = recipe_names()
    if name not in names:
        close = get_close_matches(name, names, n=1)
        nearest = f" (did you mean {close[0]}?)" if close else ""
        raise RecipeError(
            f"there is no recipe {name!r}{nearest}: use one of {', '.join(names)}, a file that ends"
            " in .toml, or the name of a model with --data (data=...)"
        )
    place = files("lutloom.qat").joinpath("recipes", name + SUFFIX)
    return place.read_text(encoding="utf-8")


def parse_changes(texts: Iterable[str]) -> dict[str, object]:
    """Return what ``training.epochs=5`` and the like say, as values by their dotted keys.

    A value is TOML, or else a text without quotation marks.
    """
    changes: dict[str, object] = {}
    for text in texts:
        key, sign, value = (part.strip() for part in text.partition("="))
        if not sign or not all(key.split(".")):
            raise RecipeError(f"--set {text}: write a key and a value, such as training.epochs=5")
        changes[key] = _parsed(value)
    return changes


def parse_recipe(
    content: str, file: str, changes: Mapping[str, object] = MappingProxyType({})
) -> Recipe:
    """Return what the TOML text of ``file`` says, with other values for some dotted keys.

    Raises :class:`RecipeError` for anything that is no recipe.
    """
    try:
        document = tomllib.loads(content)
    except (ValueError, RecursionError) as error:  # numbers of 5000 digits, brackets as many
        raise RecipeError(f"{file} is not a TOML file: {error}") from None
    for key, value in changes.items():
        _change(document, key, value)
    try:
        return recipe_of_table(document)
    except RecipeError as error:
        # what the user has changed is not in the file
        where = "" if error.key in changes else f"{file}: "
        raise RecipeError(f"{where}{error}", error.key) from None


def changed(recipe: Recipe, changes: Mapping[str, object]) -> Recipe:
    """Return a recipe with other values for some dotted keys.

    Raises :class:`RecipeError` where they are none of a recipe.
    """
    return parse_recipe(print_recipe(recipe), "the recipe", changes)


def recipe_of_table(document: Mapping[str, Any]) -> Recipe:
    """Return the recipe that a table as that of a TOML file says."""
    check_keys(document, _KEYS, "")
    version = document.get("version", VERSION)
    if version != VERSION or isinstance(version, bool):
        raise RecipeError(f"version is {version!r}: this Lutloom reads {VERSION}", "version")
    title = document.get("title", "")
    if not isinstance(title, str):
        raise RecipeError(f"title is {title!r}: give a text", "title")
    quantization = document.get("quantization")
    if not isinstance(quantization, str | Mapping | None):
        raise RecipeError(
            f"quantization is {quantization!r}: give a text such as 1W2A, or a table",
            "quantization",
        )
    model = _table(document, ModelSection)
    name = {key: model[key] for key in ("name",) if key in model}
    others = {key: value for key, value in model.items() if key not in name}
    return Recipe(
        title=title,
        model=_section(ModelSection, name | {"options": others}),
        quantization=quantization,
        data=_section(DataSection, _table(document, DataSection)),
        training=_section(TrainingSection, _table(document, TrainingSection)),
        start=_optional(StartSection, document),
        distillation=_optional(DistillationSection, document),
        board=_optional(BoardSection, document),
    )


def recipe_table(recipe: Recipe) -> dict[str, Any]:
    """Return the table of a recipe: what :func:`recipe_of_table` reads; nothing is left out."""
    table: dict[str, Any] = {"version": VERSION}
    if recipe.title:
        table["title"] = recipe.title
    table["model"] = {"name": recipe.model.name, **recipe.model.options}
    if recipe.quantization is not None:
        table["quantization"] = recipe.quantization
    for section in _sections(recipe):
        if section is not None:
            values = {field.name: getattr(section, field.name) for field in fields(section)}  # type: ignore[arg-type]
            table[section.section] = {k: v for k, v in values.items() if v is not None}
    return table


def _sections(recipe: Recipe) -> tuple[Section | None, ...]:
    return recipe.data, recipe.training, recipe.start, recipe.distillation, recipe.board


def print_recipe(recipe: Recipe) -> str:
    """Return a recipe as TOML: the text of a file that reads back as an equal one."""
    table = recipe_table(recipe)
    # the simple values before the first table, to which they would belong otherwise
    simple = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    lines = [f"{_key(key)} = {_value(value)}" for key, value in simple.items()]
    for key, value in table.items():
        if isinstance(value, Mapping):
            lines += _lines(_key(key), value)
    return "\n".join(lines) + "\n"


def _table(document: Mapping[str, Any], section: type[Section]) -> Mapping[str, Any]:
    table = document.get(section.section, {})
    if not isinstance(table, Mapping):
        name = section.section
        raise RecipeError(f"{name} is {table!r}: give a table [{name}]", name)
    return table


def _optional(kind: type[_S], document: Mapping[str, Any]) -> _S | None:
    return _section(kind, _table(document, kind)) if kind.section in document else None


def _section(kind: type[_S], values: Mapping[str, Any]) -> _S:
    """Return a section of a recipe; refuse keys that it has not, and the lack of one it needs."""
    check_keys(values, tuple(field.name for field in fields(kind)), f"{kind.section}.")  # type: ignore[arg-type]
    for field in fields(kind):  # type: ignore[arg-type] # each section is a dataclass
        needed = field.default is MISSING and field.default_factory is MISSING
        if needed and field.name not in values:
            key, legal = f"{kind.section}.{field.name}", field.metadata["rule"].legal
            raise RecipeError(f"{key} is missing: give {legal}", key)
    return kind(**values)


def _change(document: dict[str, Any], key: str, value: object) -> None:
    table = document
    *path, last = key.split(".")
    for name in path:
        inner = table.setdefault(name, {})
        if not isinstance(inner, dict):
            raise RecipeError(f"{key} can't be set: {name} is {inner!r}, which has no keys", key)
        table = inner
    table[last] = value


def _parsed(text: str) -> object:
    """Return a value as TOML has it; what is none is a text."""
    try:
        table = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    # a line break in a text would begin another key
    return table["value"] if len(table) == 1 else text


def _lines(name: str, table: Mapping[str, Any]) -> list[str]:
    inner = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    own = [f"{_key(k)} = {_value(v)}" for k, v in table.items() if k not in inner]
    lines = ["", f"[{name}]", *own]
    for key, value in inner.items():
        lines += _lines(f"{name}.{_key(key)}", value)
    return lines


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _value(name)


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            # JSON's strings are TOML's, but for a character that TOML wants escaped too
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case list() | tuple():
            return f"[{', '.join(map(_value, value))}]"
        case Mapping():
            return f"{{{', '.join(f'{_key(k)} = {_value(v)}' for k, v in value.items())}}}"
        case _:
            raise RecipeError(f"{value!r} can't be written as TOML: use numbers, texts and tables")
