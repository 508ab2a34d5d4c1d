"""The boards there are, one a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lutloom.console.terminal import console, show
from lutloom.tables import Column, Kind

if TYPE_CHECKING:
    from lutloom.boards import Board, Silicon


def show_boards(boards: Sequence[Board]) -> None:
    """Print the boards and their resources, the full tier first, the smaller before the larger."""
    show(
        (
            Column("board", Kind.TEXT),
            Column("part", Kind.TEXT),
            *map(Column, ("LUT", "BRAM18", "URAM", "DSP")),
            Column("tier", Kind.TEXT),
            Column("Vivado", Kind.TEXT),
        ),
        (
            (
                board.name,
                board.part,
                f"{board.device.lut:,}",
                str(board.device.bram18),
                str(board.device.uram),
                str(board.device.dsp),
                board.tier.value,
                _edition(board.silicon),
            )
            for board in sorted(boards, key=lambda b: (b.tier.value, b.device.lut, b.name))
        ),
    )
    console.print(
        "full: a block design and a driver are to come with a later version; ip: an IP for the "
        "part. Today both are given an HLS project.\n"
        "paid: the part needs Vivado's Enterprise edition; with ? where that is unchecked.\n"
        "There are two flip-flops for each LUT. All of one board: lutloom boards NAME",
        style="dim",
    )


def _edition(silicon: Silicon) -> str:
    edition = "free" if silicon.licence.value == "standard" else "paid"
    return edition + "?" * ("licence" in silicon.unchecked)
