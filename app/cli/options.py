"""Arguments and options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

MODEL = Annotated[Path, typer.Argument(help="The QONNX model, an .onnx file.", show_default=False)]

BUILD = Annotated[Path, typer.Argument(help="The directory of a build.", show_default=False)]

INPUT_TYPE = Annotated[
    list[str] | None,
    typer.Option(
        help="The integers that the model's input holds: uint8, int4, bipolar, 0..9, ..., or"
        " float; else what its file notes. Of several inputs each: NAME=uint8."
    ),
]

INPUT_SCALE = Annotated[
    list[str] | None,
    typer.Option(help="What one of them stands for, exactly: 1/255, or one a channel: 1/2,1/3."),
]

INPUT_BIAS = Annotated[
    list[str] | None,
    typer.Option(help="What zero stands for: 0 by default; one a channel as above."),
]

FORCE = Annotated[bool, typer.Option("--force", help="Replace the output if it exists.")]

BOARD = Annotated[str, typer.Option(help="A board's name, or the path of its TOML file.")]

TARGET = Annotated[
    str | None, typer.Option(help="A board's name, or the path of its TOML file: pynq-z2.")
]

PART = Annotated[
    str | None, typer.Option(help="A part that stands alone, instead: xc7z010clg400-1.")
]

CLOCK = Annotated[
    float | None,
    typer.Option("--clock-mhz", "--clock", help="The fabric clock: the board's by default."),
]

UTILIZATION = Annotated[
    float, typer.Option(help="The share of the look-up tables that a plan may take.")
]

WORD_BITS = Annotated[
    int | None, typer.Option(help="The width of the AXI streams: as fits by default.")
]

MOST_SAMPLES = 1_000_000
