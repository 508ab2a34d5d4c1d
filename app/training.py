"""``train``: quantization-aware training, ending with a QONNX file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lutloom.extras import require
from lutloom.readiness import Readiness, ReadinessError, readiness_of

if TYPE_CHECKING:
    from lutloom.qat.recipe import Recipe
    from lutloom.qat.trainer import Prepared, TrainResult
    from lutloom.qat.trials import Overfitting, RateSearch


def train(  # noqa: PLR0913 - each is an option of the command
    recipe: str | Path | Recipe,
    *,
    output: str | Path,
    data: str | Path | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    seed: int | None = None,
    augmentation: str | None = None,
    board: str | None = None,
    target_fps: float | None = None,
    clock_mhz: float | None = None,
    settings: Mapping[str, object] | None = None,
    resume: bool | str | Path = False,
    progress: bool = True,
    csv_log: bool = False,
    tensorboard: bool = False,
    download: bool = False,
    check: bool = True,
    on_check: Callable[[Readiness], None] | None = None,
) -> TrainResult:
    """Train as ``recipe`` says, and write the best model to ``output`` as QONNX.

    ``recipe`` is one by its name, the path of its TOML file, or a ``Recipe``; or the name of a
    model alone, ``TFC_1W1A``, whose recipe is all defaults, with ``data``. That is a name,
    ``digits``, ``mnist``, ``fashion-mnist``, ``cifar10`` or ``cifar100``, or a folder or file with
    a data set; with ``download``, what is missing of a named one is fetched. These and the other
    options take the place of what the recipe says; ``settings`` does so for any of its keys:
    ``{"training.optimizer": "sgd"}``.

    Before a run begins, its untrained model is planned for ``board`` at ``target_fps`` images a
    second (or the recipe's, or as fast as it can be), and ``on_check`` is told what it takes:
    :func:`check_recipe` says more. ``check=False`` leaves that out, and so does a model in floats,
    ``TFC_FLOAT``: it is to teach another, or to begin one with.

    With ``resume``, an interrupted run goes on, in ``output`` or
    from a ``last.ckpt`` elsewhere. See ``lutloom.qat.recipe`` and ``lutloom.qat.trainer``.

    Raises ``MissingExtraError`` where the extra ``qat`` is not installed, and a ``LutloomError``
    for data, settings and checkpoints that don't fit.
    """
    require("qat", "torch", "brevitas", "lightning", "sklearn")
    from lutloom.qat.models import is_float
    from lutloom.qat.trainer import train as run

    changes = {
        "data.name": None if data is None else str(data),
        "data.augmentation": augmentation,
        "training.epochs": epochs,
        "training.batch_size": batch_size,
        "training.lr": lr,
        "training.seed": seed,
        "board.name": board,
        "board.target_fps": target_fps,
        "board.clock_mhz": clock_mhz,
    }

    def before(prepared: Prepared) -> None:
        if is_float(prepared.run.recipe.model.name):
            return
        found = readiness_of(prepared)
        if on_check is not None:
            on_check(found)

    return run(
        _recipe(recipe, changes, settings),
        output=output,
        before=before if check else None,
        resume=resume,
        progress=progress,
        csv_log=csv_log,
        tensorboard=tensorboard,
        download=download,
    )


def check_recipe(
    recipe: str | Path | Recipe,
    *,
    data: str | Path | None = None,
    board: str | None = None,
    target_fps: float | None = None,
    clock_mhz: float | None = None,
    settings: Mapping[str, object] | None = None,
    download: bool = False,
) -> Readiness:
    """Return what the model of ``recipe`` would be on its board; nothing is trained or written.

    The model is exported with random weights, streamlined, and planned for ``target_fps`` images a
    second, or as fast as it can be. All is as for :func:`train`. Raises ``ReadinessError`` if it
    can't be built, or not for that board and rate.
    """
    changes = {
        "data.name": None if data is None else str(data),
        "board.name": board,
        "board.target_fps": target_fps,
        "board.clock_mhz": clock_mhz,
    }
    prepared = _prepared(recipe, changes, settings, download=download)
    from lutloom.qat.models import is_float

    name = prepared.run.recipe.model.name
    if is_float(name):
        raise ReadinessError(
            f"{name} is a model in floats, which teaches another or starts one: there is nothing to"
            " build of it; check a quantized one"
        )
    return readiness_of(prepared)


def overfit_batch(
    recipe: str | Path | Recipe,
    *,
    data: str | Path | None = None,
    steps: int = 200,
    settings: Mapping[str, object] | None = None,
    download: bool = False,
) -> Overfitting:
    """Train ``recipe``'s model on one of its batches alone, and return how well it knows that.

    A model that can't learn a batch by heart won't learn the data. Nothing is written.
    """
    changes = {"data.name": None if data is None else str(data)}
    prepared = _prepared(recipe, changes, settings, download=download)
    from lutloom.qat import trials

    return trials.overfit_batch(prepared, steps)


def find_rate(
    recipe: str | Path | Recipe,
    *,
    data: str | Path | None = None,
    steps: int = 150,
    settings: Mapping[str, object] | None = None,
    download: bool = False,
) -> RateSearch:
    """Train ``recipe``'s model with rising learning rates, and return where its loss falls most.

    Nothing is written. Raises a ``LutloomError`` if the loss goes out of hand at once.
    """
    changes = {"data.name": None if data is None else str(data)}
    prepared = _prepared(recipe, changes, settings, download=download)
    from lutloom.qat import trials

    return trials.find_rate(prepared, steps)


def list_recipes() -> Mapping[str, Recipe]:
    """Return the recipes that come with lutloom, by their names in alphabetical order."""
    from lutloom.qat.recipe_file import read_recipe, recipe_names

    return {name: read_recipe(name) for name in recipe_names()}


def recipe_text(name: str) -> str:
    """Return the TOML text of a recipe that comes with lutloom, with its comments.

    Raises a ``LutloomError`` for a name that is not known.
    """
    from lutloom.qat.recipe_file import shipped_text

    return shipped_text(name)


def parse_settings(texts: Sequence[str]) -> Mapping[str, object]:
    """Return what ``training.epochs=5`` and the like say."""
    from lutloom.qat.recipe_file import parse_changes

    return parse_changes(texts)


def _prepared(
    recipe: str | Path | Recipe,
    changes: Mapping[str, object],
    settings: Mapping[str, object] | None,
    *,
    download: bool,
) -> Prepared:
    require("qat", "torch", "brevitas", "lightning", "sklearn")
    from lutloom.qat.trainer import prepare

    return prepare(_recipe(recipe, changes, settings), download=download)


def _recipe(
    recipe: str | Path | Recipe,
    changes: Mapping[str, object],
    settings: Mapping[str, object] | None,
) -> Recipe:
    """Return a recipe with the ``changes`` that are none, and with all ``settings``."""
    from lutloom.qat.recipe_file import changed, find_recipe

    given = {key: value for key, value in changes.items() if value is not None}
    given |= settings or {}
    if isinstance(recipe, str | Path):
        return find_recipe(recipe, given)
    return changed(recipe, given)
