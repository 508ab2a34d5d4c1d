"""All commands, in the order in which they are listed."""

from __future__ import annotations

from typing import Annotated

import typer

from lutloom import __version__
from lutloom.cli.boards import boards
from lutloom.cli.compile import compile_
from lutloom.cli.demo import demo
from lutloom.cli.explore import explore
from lutloom.cli.inspect import inspect
from lutloom.cli.recipes import recipes
from lutloom.cli.report import report
from lutloom.cli.simulate import simulate
from lutloom.cli.throughput import throughput
from lutloom.cli.train import train
from lutloom.cli.verify import verify

app = typer.Typer(
    name="lutloom",
    help="Low-bit neural networks, woven exactly into FPGA fabric.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"lutloom {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Low-bit neural networks, woven exactly into FPGA fabric."""


for _command in (
    demo,
    train,
    recipes,
    inspect,
    compile_,
    explore,
    simulate,
    verify,
    throughput,
    report,
    boards,
):
    app.command(_command.__name__.removesuffix("_"))(_command)
