"""``lutloom inspect``: what a model becomes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lutloom.cli.options import INPUT_BIAS, INPUT_SCALE, INPUT_TYPE, MODEL


def inspect(
    model: MODEL,
    input_type: INPUT_TYPE = None,
    input_scale: INPUT_SCALE = None,
    input_bias: INPUT_BIAS = None,
    qonnx: Annotated[
        Path | None, typer.Option(help="Where the integer graph goes, as a QONNX file.")
    ] = None,
) -> None:
    """Show what a model becomes: layers, widths, weights, what runs on the host."""
    import lutloom
    from lutloom.console.inspection import show_inspection
    from lutloom.input_type import by_input

    show_inspection(
        lutloom.inspect(
            model,
            input_type=by_input(input_type),
            input_scale=by_input(input_scale),
            input_bias=by_input(input_bias),
            qonnx=qonnx,
        )
    )
