"""``lutloom train``: and what can be tried before."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lutloom.cli.options import CLOCK, TARGET
from lutloom.cli.trials import is_trial


def train(  # noqa: PLR0913, PLR0917 - options
    context: typer.Context,
    recipe: Annotated[
        str,
        typer.Argument(
            help="A recipe: its name (see `recipes`), or its .toml file; or a model, TFC_1W1A, with"
            " --data.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where checkpoints and model go.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="'digits' (comes with scikit-learn), mnist, fashion-mnist, cifar10, cifar100, or a"
            " folder or .npz file."
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="How often it sees the data.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images a step.")] = None,
    lr: Annotated[float | None, typer.Option(help="The highest learning rate.")] = None,
    seed: Annotated[int | None, typer.Option(help="Everything random follows from it.")] = None,
    augmentation: Annotated[
        str | None, typer.Option(help="How images are varied: crop=4,shift=2,rotate=10,flip, say.")
    ] = None,
    board: TARGET = None,
    target_fps: Annotated[
        float | None, typer.Option(help="Images a second there: checked before training.")
    ] = None,
    clock_mhz: CLOCK = None,
    check_only: Annotated[
        bool, typer.Option("--check-only", help="Say what the model takes there, and stop.")
    ] = False,
    overfit_batch: Annotated[
        bool, typer.Option("--overfit-batch", help="See whether one batch is learnt, and stop.")
    ] = False,
    find_lr: Annotated[
        bool, typer.Option("--find-lr", help="See where the loss falls fastest, and stop.")
    ] = False,
    check: Annotated[
        bool, typer.Option(help="Find out before training whether the model can be built.")
    ] = True,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Another value for a key of the recipe: training.optimizer=sgd; again for more.",
            metavar="KEY=VALUE",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in the output, if there is one.")
    ] = False,
    csv_log: Annotated[bool, typer.Option(help="Keep history.csv as well.")] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Keep curves for TensorBoard as well.")
    ] = False,
    download: Annotated[
        bool, typer.Option("--download", help="Fetch what is missing of a named data set.")
    ] = False,
) -> None:
    """Train a quantized network, and export it as QONNX."""
    import lutloom
    from lutloom.console.readiness import show_readiness
    from lutloom.console.training import show_training
    from lutloom.console.trials import show_overfitting, show_rates
    from lutloom.training import parse_settings

    settings = dict(parse_settings(set_ or []))
    if is_trial(context):
        given = {
            "data.augmentation": augmentation,
            "training.seed": seed,
            "training.batch_size": batch_size,
            "training.lr": lr,
        }
        own = {key: value for key, value in given.items() if value is not None} | settings
        if check_only:
            show_readiness(
                lutloom.check_recipe(
                    recipe,
                    data=data,
                    board=board,
                    target_fps=target_fps,
                    clock_mhz=clock_mhz,
                    settings=own,
                    download=download,
                )
            )
        if overfit_batch:
            show_overfitting(
                lutloom.overfit_batch(recipe, data=data, settings=own, download=download)
            )
        if find_lr:
            show_rates(lutloom.find_rate(recipe, data=data, settings=own, download=download))
        return
    if output is None:
        raise typer.BadParameter(
            "it is missing: say where checkpoints and model go", param_hint="-o"
        )
    result = lutloom.train(
        recipe,
        output=output,
        data=data,
        epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        seed=seed,
        augmentation=augmentation,
        board=board,
        target_fps=target_fps,
        clock_mhz=clock_mhz,
        settings=settings,
        resume=resume,
        csv_log=csv_log,
        tensorboard=tensorboard,
        download=download,
        check=check,
        on_check=show_readiness,
    )
    show_training(result)
