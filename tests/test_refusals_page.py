"""docs/refusals.md knows every message of a refusal, and no other."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "refusals.md"
FOLDERS = ("app", "boards", "codegen", "core", "qat", "sim", "streamline")
ROW = re.compile(r"^\| (`.+?) \| (.*?) \| (.*?) \|$", re.MULTILINE)
# Messages with fewer letters than this pass on another one.
FEWEST_LETTERS, FEWEST_OF_A_REASON = 8, 40


@dataclass(frozen=True)
class Message:
    """The text of an error in the source, an ellipsis in place of what is filled in."""

    text: str
    place: str


@dataclass(frozen=True)
class Row:
    """What a message says, why, and what to do."""

    fragments: tuple[str, ...]
    why: str
    remedy: str


@cache
def modules() -> dict[Path, ast.Module]:
    paths = (path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")))
    # What the exact interpreter can't compute, its caller passes on; pragmas are our own.
    return {
        path: ast.parse(path.read_text(encoding="utf-8"))
        for path in paths
        if not path.name.startswith(("oracle", "pragma"))
    }


@cache
def error_classes() -> frozenset[str]:
    """Return the names of the classes that the command line prints without a traceback."""
    bases = {
        node.name: {base.id for base in node.bases if isinstance(base, ast.Name)}
        for tree in modules().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    found = {"LutloomError"}
    while grown := {name for name, of in bases.items() if of & found} - found:
        found |= grown
    return frozenset(found)


def text_of(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(map(text_of, values))
        case ast.BinOp(left=left, right=right):
            return text_of(left) + text_of(right)
        case _:
            return "…"


def messages() -> Iterator[Message]:
    for path, tree in modules().items():
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Name(id=name), args=[first, *_]) if name in error_classes():
                    fewest, texts = FEWEST_LETTERS, [first]
                # Reasons that a table or a function gives to errors elsewhere.
                case ast.Dict(values=values):
                    fewest, texts = FEWEST_OF_A_REASON, values
                case ast.Return(value=ast.JoinedStr() as value):
                    fewest, texts = FEWEST_OF_A_REASON, [value]
                case _:
                    continue
            for entry in texts:
                said = " ".join(text_of(entry).split())
                if len(re.findall("[a-z]", said)) >= fewest:
                    yield Message(said, f"{path.relative_to(ROOT)}:{entry.lineno}")


@cache
def strings() -> str:
    """Return every text in the source, of which messages are put together."""
    texts = (
        text_of(node)
        for tree in modules().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant | ast.JoinedStr)
    )
    return "\n".join(texts)


def rows() -> list[Row]:
    return [
        Row(tuple(re.findall(r"`([^`]+)`", first)), why, remedy)
        for first, why, remedy in ROW.findall(PAGE.read_text(encoding="utf-8"))
    ]


def fragments() -> list[str]:
    return [fragment for row in rows() for fragment in row.fragments]


def test_messages_and_rows_are_found() -> None:
    assert {"ModelError", "PlanError", "BoardError", "CSimError"} <= error_classes()
    assert len(list(messages())) > 200
    assert len(rows()) > 60


@pytest.mark.parametrize("message", list(messages()), ids=lambda message: message.place)
def test_every_message_is_on_the_page(message: Message) -> None:
    known = [fragment for fragment in fragments() if fragment in message.text]
    assert known, f"docs/refusals.md should say what to do about: {message.text}"


@pytest.mark.parametrize("fragment", fragments())
def test_every_entry_of_the_page_is_a_message(fragment: str) -> None:
    assert fragment in strings()


def test_every_row_says_why_and_what_to_do() -> None:
    for row in rows():
        assert row.fragments
        assert len(row.why) > 10, row
        assert len(row.remedy) > 10, row


def test_no_entry_stands_twice() -> None:
    assert len(set(fragments())) == len(fragments())
