"""``lutloom simulate``: a build over a data set."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from lutloom.cli.options import BUILD, MOST_SAMPLES


class EngineName(Enum):
    """What computes: mirrors ``lutloom.Engine`` without loading it."""

    COMPILED = "compiled"
    REFERENCE = "reference"
    CSIM = "csim"
    ADVERSARIAL = "adversarial"


def simulate(  # noqa: PLR0913, PLR0917 - options
    build: BUILD,
    data: Annotated[
        list[str],
        typer.Option(
            help="What the model takes, [N, ...]: a .npy file, or a folder of images, whose"
            " sub-folders are classes; of several inputs NAME=FILE each, or one .npz."
        ),
    ],
    labels: Annotated[Path | None, typer.Option(help="The N classes, a .npy file.")] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Where the model's outputs go, a .npy file; several: a .npz file."),
    ] = None,
    engine: Annotated[
        EngineName | None,
        typer.Option(help="What computes: the compiled engine, where there is a C++ compiler."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="For the adversarial one: 0 by default.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="How many of the images are used: the first ones.")
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, max=MOST_SAMPLES, help="How many of them at a time.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Cores of the compiled engine: all of them.")
    ] = None,
    instructions: Annotated[
        str | None,
        typer.Option(help="Vectors of the compiled engine: portable, avx2, avx512, vnni, ..."),
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(
            help="A Dask scheduler, tcp://HOST:8786, whose workers compute; they need lutloom too.",
            metavar="ADDRESS",
        ),
    ] = None,
    trace: Annotated[
        list[str] | None,
        typer.Option(
            help="A layer whose integers are written, LAYER=FILE.npy; several one by one.",
            metavar="LAYER[=FILE]",
        ),
    ] = None,
    expect: Annotated[
        list[str] | None,
        typer.Option(help="Outputs that there should be, as --output wrote them: else status 1."),
    ] = None,
    min_accuracy: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share of the labels to be met, 0.84: else status 1."),
    ] = None,
    confusion: Annotated[
        Path | None, typer.Option(help="Where images by label and class go, a CSV file.")
    ] = None,
    white: Annotated[float, typer.Option(help="The number that white is in an image.")] = 1.0,
    mean: Annotated[
        str | None, typer.Option(help="Taken away from it: 0.5, or one a channel: 0.4,0.5,0.4.")
    ] = None,
    std: Annotated[str | None, typer.Option(help="What that is divided by, as above.")] = None,
) -> None:
    """Run a build over a data set, bit for bit as the hardware would."""
    import lutloom
    from lutloom.console.progress import progress
    from lutloom.console.simulation import show_simulation
    from lutloom.data import named_source
    from lutloom.image_folder import Pixels, numbers
    from lutloom.tracing import named_files

    with progress("Simulating", "images") as on_progress:
        result = lutloom.simulate(
            build,
            named_source(data),
            labels=labels,
            output=output,
            engine=None if engine is None else lutloom.Engine(engine.value),
            seed=seed,
            limit=limit,
            batch=batch,
            threads=threads,
            instructions=instructions,
            dask=dask,
            trace=named_files(trace or []),
            expect=named_source(expect, "expect") if expect else None,
            min_accuracy=min_accuracy,
            confusion=confusion,
            pixels=Pixels(white, numbers("mean", mean), numbers("std", std)),
            keep=False,
            on_progress=on_progress,
        )
    show_simulation(result)
    if not result.passed:
        raise typer.Exit(1)
