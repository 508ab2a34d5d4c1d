"""Boards: one TOML file each, and their loader."""

from __future__ import annotations

from lutloom.boards.board import Board, MemoryPorts, Shell
from lutloom.boards.device import Device, DspType, Family
from lutloom.boards.loader import BoardError, board_names, list_boards, load_board

__all__ = [
    "Board",
    "BoardError",
    "Device",
    "DspType",
    "Family",
    "MemoryPorts",
    "Shell",
    "board_names",
    "list_boards",
    "load_board",
]
