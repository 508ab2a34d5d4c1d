"""A board as JSON and back: what a build keeps of the board that it was compiled for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from enum import Enum
from typing import Any

from lutloom.boards.board import Board, MemoryPorts, Shell
from lutloom.boards.device import Device, Family
from lutloom.boards.parts import Licence, Silicon


def board_record(board: Board) -> dict[str, Any]:
    """Return ``board`` as what JSON holds, its device and memory ports included."""
    return asdict(board, dict_factory=_plain)


def board_of_record(record: Mapping[str, Any]) -> Board:
    """Return the board that ``board_record`` wrote down.

    Raises ``KeyError``, ``TypeError`` or ``ValueError`` for what it did not write.
    """
    silicon = record["silicon"]
    device = silicon["device"]
    return Board(
        **{
            **record,
            "silicon": Silicon(
                **{
                    **silicon,
                    "device": Device(**{**device, "family": Family(device["family"])}),
                    "licence": Licence(silicon["licence"]),
                    **_tuples(silicon),
                }
            ),
            "shell": Shell(record["shell"]),
            "memory_ports": tuple(MemoryPorts(**ports) for ports in record["memory_ports"]),
            **_tuples(record),
        }
    )


def _tuples(record: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {key: tuple(record[key]) for key in ("sources", "unchecked")}


def _plain(items: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key: value.value if isinstance(value, Enum) else value for key, value in items}
