"""docs/boards.md lists the boards that there are, and its files are boards."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lutloom.boards import Board, boards_by_size, known_devices, load_board

PAGE = (Path(__file__).parents[2] / "docs" / "boards.md").read_text(encoding="utf-8")
FILES = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def row(board: Board) -> str:
    device = board.device
    return (
        f"| `{board.name}` | {board.title} | `{board.part}` | {device.lut:,} | {device.bram18} | "
        f"{device.uram} | {device.dsp} | {board.clock_mhz} | {board.tier.value} |"
    )


def test_the_page_has_the_boards_by_tier_and_size() -> None:
    boards = sorted(boards_by_size(), key=lambda board: board.tier.value)
    assert re.findall(r"^\| `.*\|$", PAGE, re.MULTILINE) == [row(board) for board in boards]


@pytest.mark.parametrize("text", FILES, ids=["with every key", "of a new device"])
def test_the_files_on_the_page_are_boards(text: str, tmp_path: Path) -> None:
    path = tmp_path / "my_board.toml"
    path.write_text(text, encoding="utf-8")
    board = load_board(path)
    assert board.name == "my-board"
    known = [silicon.device for silicon in known_devices().values()]
    assert (board.device in known) == ("[device]" not in text)
