"""A board as JSON and back: what a build keeps of the board that it was compiled for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from enum import Enum
from typing import Any, get_args, get_origin, get_type_hints

from lutloom.boards.board import Board


def board_record(board: Board) -> dict[str, Any]:
    """Return ``board`` as what JSON holds, its device and memory ports included."""
    return asdict(board, dict_factory=_plain)


def board_of_record(record: Mapping[str, Any]) -> Board:
    """Return the board that ``board_record`` wrote down.

    Raises ``TypeError`` or ``ValueError`` for what it did not write.
    """
    board: Board = _read(Board, record)
    return board


def _plain(items: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key: value.value if isinstance(value, Enum) else value for key, value in items}


def _read(kind: Any, value: Any) -> Any:  # noqa: ANN401 - types as values
    """Return what ``_plain`` made of a ``kind``: a dataclass, an Enum, a tuple of one, or plain."""
    if get_origin(kind) is tuple:
        return tuple(_read(get_args(kind)[0], item) for item in value)
    if isinstance(kind, type) and is_dataclass(kind):
        kinds = get_type_hints(kind)
        if not isinstance(value, Mapping) or set(value) != set(kinds):
            raise ValueError(f"{kind} has other fields: {sorted(kinds)}")
        return kind(**{key: _read(kinds[key], item) for key, item in value.items()})
    return kind(value)
