"""``lutloom verify``: every stage against the one before it."""

from __future__ import annotations

from typing import Annotated

import typer

from lutloom.cli.options import BUILD, MOST_SAMPLES


def verify(
    build: BUILD,
    data: Annotated[
        list[str] | None,
        typer.Option(help="Inputs of the model, as for simulate; else compile's, or random."),
    ] = None,
    samples: Annotated[
        int, typer.Option(min=1, max=MOST_SAMPLES, help="How many of them to use.")
    ] = 100,
    exact: Annotated[
        int,
        typer.Option(
            min=0, max=MOST_SAMPLES, help="Interpret that many of them in exact numbers; slow."
        ),
    ] = 0,
    csim: Annotated[bool, typer.Option(help="Compile and run the C++ as well.")] = True,
    seed: Annotated[
        int, typer.Option(min=0, help="For random inputs, and for waiting at random.")
    ] = 0,
) -> None:
    """Compare every stage of a build with the one before it, element by element."""
    import lutloom
    from lutloom.console.terminal import step
    from lutloom.console.verification import show_verification
    from lutloom.data import named_source

    result = lutloom.verify(
        build,
        named_source(data) if data else None,
        samples=samples,
        exact=exact,
        csim=csim,
        seed=seed,
        on_step=step,
    )
    show_verification(result)
    if not result.passed:
        raise typer.Exit(1)
