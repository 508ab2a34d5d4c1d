"""``lutloom demo``: everything, once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lutloom.cli.options import BOARD, FORCE


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Where everything goes.")] = Path(
        "lutloom-demo"
    ),
    model: Annotated[str, typer.Option(help="The network to train.")] = "SFC_1W1A",
    board: BOARD = "pynq-z2",
    force: FORCE = False,
) -> None:
    """Train a binarized network on real digits, compile it, and prove every stage equal."""
    import lutloom
    from lutloom.console.demonstration import show_demo
    from lutloom.console.terminal import step

    result = lutloom.demo(output, model=model, board=board, force=force, on_step=step)
    show_demo(result)
    if not result.verification.passed:
        raise typer.Exit(1)
