"""``lutloom boards``: what there is to build for."""

from __future__ import annotations

from typing import Annotated

import typer

from lutloom.cli.options import PART


def boards(
    board: Annotated[
        str | None,
        typer.Argument(help="A board's name, or the path of its TOML file.", show_default=False),
    ] = None,
    part: PART = None,
) -> None:
    """List the boards, or say all that is known of one."""
    import lutloom
    from lutloom.console.board import show_board
    from lutloom.console.boards import show_boards
    from lutloom.targets import target_of

    if board is None and part is None:
        show_boards(lutloom.list_boards())
    else:
        show_board(target_of(board, part, None).board)
