"""Boards: one TOML file each, tables of devices, and their loaders."""

from __future__ import annotations

from lutloom.boards.board import Board, MemoryPorts, Shell, Tier
from lutloom.boards.device import Device, DspType, Family
from lutloom.boards.loader import board_names, board_of_part, list_boards, load_board
from lutloom.boards.parts import Licence, Silicon, known_devices
from lutloom.boards.record import board_of_record, board_record
from lutloom.boards.sizes import boards_by_size, smallest_fitting
from lutloom.boards.tables import BoardError

__all__ = [
    "Board",
    "BoardError",
    "Device",
    "DspType",
    "Family",
    "Licence",
    "MemoryPorts",
    "Shell",
    "Silicon",
    "Tier",
    "board_names",
    "board_of_part",
    "board_of_record",
    "board_record",
    "boards_by_size",
    "known_devices",
    "list_boards",
    "load_board",
    "smallest_fitting",
]
