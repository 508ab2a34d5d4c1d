"""A board goes into JSON and comes back."""

from __future__ import annotations

import json

import pytest

from lutloom.boards import Board, board_of_part, list_boards
from lutloom.boards.record import board_of_record, board_record

BOARDS = [*list_boards(), board_of_part("xc7z010clg400-1")]


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_a_board_comes_back_from_json(board: Board) -> None:
    assert board_of_record(json.loads(json.dumps(board_record(board)))) == board


@pytest.mark.parametrize("key", ["silicon", "shell", "title", "memory_ports"])
def test_a_record_that_lacks_something_is_no_board(key: str) -> None:
    record = board_record(BOARDS[0])
    del record[key]
    with pytest.raises(ValueError, match="has other fields"):
        board_of_record(record)
