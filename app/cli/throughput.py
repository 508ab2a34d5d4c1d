"""``lutloom throughput``: how fast a build is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lutloom.cli.options import BUILD


def throughput(
    build: BUILD,
    clock_mhz: Annotated[
        float | None, typer.Option(min=1, max=1000, help="The clock: the board's by default.")
    ] = None,
    minimize_fifos: Annotated[
        Path | None,
        typer.Option(help="Where a plan goes whose FIFOs are as short as they can be; minutes."),
    ] = None,
) -> None:
    """Say how many images a second a build takes, by a model of its loops and FIFOs."""
    import lutloom
    from lutloom.console.progress import progress
    from lutloom.console.throughput import show_throughput

    with progress("Trying FIFOs") as on_progress:
        result = lutloom.throughput(
            build, clock_mhz=clock_mhz, minimize_fifos=minimize_fifos, on_progress=on_progress
        )
    show_throughput(result)
