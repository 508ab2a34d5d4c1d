"""``lutloom compile``: a model to a build."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lutloom.cli.options import (
    CLOCK,
    FORCE,
    INPUT_BIAS,
    INPUT_SCALE,
    INPUT_TYPE,
    MODEL,
    PART,
    TARGET,
    UTILIZATION,
    WORD_BITS,
)


def compile_(  # noqa: PLR0913, PLR0917 - options
    model: MODEL,
    output: Annotated[Path, typer.Option("--output", "-o", help="The directory to make.")],
    board: TARGET = None,
    part: PART = None,
    clock_mhz: CLOCK = None,
    target_fps: Annotated[
        float | None,
        typer.Option(help="Images a second: the plan that takes least for them."),
    ] = None,
    fastest: Annotated[
        bool, typer.Option("--fastest", help="The plan with the highest rate that fits.")
    ] = False,
    max_utilization: UTILIZATION = 0.7,
    word_bits: WORD_BITS = None,
    plan: Annotated[
        Path | None, typer.Option(help="A plan.json of an earlier build, edited or not.")
    ] = None,
    input_type: INPUT_TYPE = None,
    input_scale: INPUT_SCALE = None,
    input_bias: INPUT_BIAS = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            help="Inputs of the model (.npy) for testbench and verify; of several NAME=FILE each,"
            " or one .npz."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="The design's name: the model's file.")] = None,
    force: FORCE = False,
) -> None:
    """Compile a QONNX model to an HLS project."""
    import lutloom
    from lutloom.console.build import show_build
    from lutloom.data import named_source
    from lutloom.input_type import by_input

    show_build(
        lutloom.compile(
            model,
            output,
            board=board,
            part=part,
            clock_mhz=clock_mhz,
            target_fps=target_fps,
            fastest=fastest,
            max_utilization=max_utilization,
            word_bits=word_bits,
            plan=plan,
            input_type=by_input(input_type),
            input_scale=by_input(input_scale),
            input_bias=by_input(input_bias),
            data=named_source(data) if data else None,
            name=name,
            force=force,
        )
    )
