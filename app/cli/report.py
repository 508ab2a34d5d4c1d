"""``lutloom report``: a build as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lutloom.cli.options import BUILD


def report(
    build: BUILD,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The page, a .html file: report.html in the build."),
    ] = None,
) -> None:
    """Write what a build is and takes, as a page and as JSON."""
    import lutloom

    typer.echo(f"report: {lutloom.report(build, output)}")
