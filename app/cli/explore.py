"""``lutloom explore``: the plans that a board has room for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lutloom.cli.options import (
    CLOCK,
    INPUT_BIAS,
    INPUT_SCALE,
    INPUT_TYPE,
    MODEL,
    PART,
    TARGET,
    UTILIZATION,
    WORD_BITS,
)


def explore(  # noqa: PLR0913, PLR0917 - options
    model: MODEL,
    board: TARGET = None,
    part: PART = None,
    clock_mhz: CLOCK = None,
    max_utilization: UTILIZATION = 0.7,
    word_bits: WORD_BITS = None,
    points: Annotated[int, typer.Option(min=2, max=200, help="How many plans at most.")] = 16,
    input_type: INPUT_TYPE = None,
    input_scale: INPUT_SCALE = None,
    input_bias: INPUT_BIAS = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where the plot goes, an HTML page.")
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="Where the table goes, as CSV.")] = None,
    json: Annotated[Path | None, typer.Option(help="Where the table goes, as JSON.")] = None,
    save_plans: Annotated[
        Path | None, typer.Option(help="A directory to make, for a plan.json of each row.")
    ] = None,
) -> None:
    """Show what rates a model can have on a board, and the least that each of them takes."""
    import lutloom
    from lutloom.console.exploration import show_exploration
    from lutloom.input_type import by_input

    show_exploration(
        lutloom.explore(
            model,
            board=board,
            part=part,
            clock_mhz=clock_mhz,
            max_utilization=max_utilization,
            word_bits=word_bits,
            points=points,
            input_type=by_input(input_type),
            input_scale=by_input(input_scale),
            input_bias=by_input(input_bias),
            output=output,
            csv=csv,
            json=json,
            save_plans=save_plans,
        )
    )
