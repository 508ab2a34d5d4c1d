"""Train a model and export it: the same weights for the same recipe, interrupted or not.

A part of the training images is held out to choose the epoch by; the test images are looked at
once, after that choice.
"""

from __future__ import annotations

import io
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from lutloom.core.files import write_file
from lutloom.qat.augmentation import parse_augmentation
from lutloom.qat.batches import float_pixels, shuffled_order
from lutloom.qat.checkpoint import (
    BEST,
    CHECKPOINTS,
    LAST,
    RECALIBRATED,
    RunCheckpoint,
    check_same,
    read_checkpoint,
    read_run,
)
from lutloom.qat.classifier import Classifier
from lutloom.qat.data import Dataset, load_dataset
from lutloom.qat.distillation import Teacher, load_teacher
from lutloom.qat.errors import TrainingError
from lutloom.qat.export import export_qonnx
from lutloom.qat.fitting import fit, threads_and_generator_kept
from lutloom.qat.logs import check_tensorboard, curves, write_csv
from lutloom.qat.processes import Orders, rank, say_ready, world
from lutloom.qat.progress import TrainingProgress, downloading
from lutloom.qat.recalibration import recalibrate
from lutloom.qat.recipe import Recipe
from lutloom.qat.recipe_file import print_recipe
from lutloom.qat.recipe_model import build_recipe_model, model_name
from lutloom.qat.recipe_rules import RecipeError
from lutloom.qat.run import classify, run_model
from lutloom.qat.settings import EpochReport, Run, complete
from lutloom.qat.start import quantized_start

if TYPE_CHECKING:
    from collections.abc import Callable
    from fractions import Fraction

    import lightning.pytorch as pl

RECIPE = "recipe.toml"
_MOST_VALIDATION_IMAGES = 5000
_VALIDATION_PERIOD = 10


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What a run has made, and how good it is.

    ``correct`` of ``images`` test images are classified right, which is ``accuracy`` (0 to 1);
    ``epoch`` (from 0) is the one that was chosen and exported, -1 for a model that was quantized
    and not trained. The model takes ``input_scale * byte`` for every byte of an image.
    """

    model: str
    dataset: str
    input_shape: tuple[int, ...]
    input_scale: Fraction
    correct: int
    images: int
    epoch: int
    history: tuple[EpochReport, ...]
    checkpoint: Path
    onnx: Path
    seconds: float

    @property
    def accuracy(self) -> float:
        """The share of the test images that are classified right."""
        return self.correct / self.images


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A run that could begin: its data, and its model with untrained weights."""

    run: Run
    dataset: Dataset
    model: torch.nn.Module
    teacher: Teacher | None = None


def prepare(
    recipe: Recipe, *, download: bool = False, progress: bool = True, stored: Run | None = None
) -> Prepared:
    """Load the data of ``recipe`` and build its model; what it leaves open is chosen.

    ``stored`` is the run that goes on, from which that is taken then; ``download`` fetches data
    that are missing. Raises what :func:`train` raises of data and settings.
    """
    name = model_name(recipe)
    augmentation = recipe.data.augmentation
    varied = None if augmentation is None else parse_augmentation(augmentation)
    with downloading(shown=progress) as move:
        dataset = load_dataset(recipe.data.name, download=download, progress=move)
    if varied is not None:
        varied.check(dataset.input_shape)
        recipe = replace(recipe, data=replace(recipe.data, augmentation=str(varied)))
    model = build_recipe_model(recipe, dataset.input_shape, dataset.classes)
    if recipe.start is not None:
        recipe, model = quantized_start(recipe, dataset, _calibration_images(recipe, dataset))
    images = len(dataset.train_y)
    weights = sum(parameter.numel() for parameter in model.parameters())
    whole = complete(recipe, name, images, weights, stored)
    section = recipe.distillation
    teacher = None if section is None else load_teacher(section, dataset, model)
    run = Run(whole, dataset.name, images, "" if teacher is None else teacher.digest)
    return Prepared(run, dataset, model, teacher)


def classifier_of(prepared: Prepared) -> Classifier:
    """Return the module that trains the model of a run.

    Raises :class:`RecipeError` if its batches are larger than the data, or can't be shared.
    """
    run, dataset = prepared.run, prepared.dataset
    labels = torch.from_numpy(dataset.train_y.astype("int64"))
    held_out = _held_out(labels, run.recipe.data.validation)
    parts = [
        (torch.from_numpy(dataset.train_x[part.numpy()]), labels[part])
        for part in (~held_out, held_out)
    ]
    training, validation = parts
    if run.batch_size > len(training[1]):
        raise RecipeError(
            f"training.batch_size is {run.batch_size}, but there are {len(training[1])} images "
            "to train with: use at most that",
            "training.batch_size",
        )
    if run.batch_size % world(run.recipe):
        raise RecipeError(
            f"training.batch_size is {run.batch_size}, which {world(run.recipe)} devices can't"
            " share evenly: use a multiple of that",
            "training.batch_size",
        )
    return Classifier(
        prepared.model,
        run,
        training,
        validation,
        dataset.classes,
        dataset.input_scale,
        prepared.teacher,
    )


def train(  # noqa: PLR0913 - each is an option of the command line
    recipe: Recipe,
    *,
    output: str | Path,
    resume: bool | str | Path = False,
    progress: bool = True,
    csv_log: bool = False,
    tensorboard: bool = False,
    download: bool = False,
    before: Callable[[Prepared], None] | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
) -> TrainResult:
    """Train as ``recipe`` says, keep checkpoints in ``output`` and export the best model there.

    ``output`` also receives ``recipe.toml``, the recipe with all that it left open. ``download``
    is that of :func:`~lutloom.qat.data.loading.load_dataset`. With ``resume`` a run goes on that
    was interrupted: the one in ``output``, if there is any, or that of a ``checkpoints/last.ckpt``
    elsewhere; the result is that of an undisturbed run. ``csv_log`` also keeps ``history.csv``,
    ``tensorboard`` curves in the folder of that name.
    ``before`` is called before a run begins and anything is written, ``on_epoch`` with the report
    of an epoch when its checkpoint is there. A recipe for several devices is run by as many
    processes: all but the first end with SystemExit where another program has started them.

    Raises :class:`~lutloom.qat.errors.DataError` for data that are missing or damaged and
    :class:`~lutloom.qat.errors.TrainingError` for a model that doesn't exist, settings that can't
    be, a checkpoint that doesn't fit, or an output folder that is in use or can't be written.
    KeyboardInterrupt passes through; the last complete checkpoint stays.
    """
    started = time.perf_counter()
    if tensorboard:
        check_tensorboard()
    output = Path(output)
    goes_on = _checkpoint_of(output, resume)
    stored = None if goes_on is None else read_run(goes_on)
    prepared = prepare(recipe, download=download, progress=progress, stored=stored)
    run, dataset = prepared.run, prepared.dataset
    module = classifier_of(prepared)
    if goes_on is not None and stored is not None:
        check_same(goes_on, stored, run)
    if before is not None and goes_on is None:
        before(prepared)
    if rank(run.recipe) > 0:
        if run.epochs:
            follow(Orders(run.recipe, output, goes_on), module)
        # the first process says how the run went
        raise SystemExit(0)
    folder = _output_folder(output, goes_on, may_hold_recipe=resume is True)
    write_file(folder / RECIPE, print_recipe(run.recipe).encode(), sync=True)

    def after_epoch(report: EpochReport) -> None:
        if csv_log:
            write_csv(folder / "history.csv", module.history)
        if tensorboard:
            curves(folder / "tensorboard")(report)
        if on_epoch is not None:
            on_epoch(report)

    callbacks: list[pl.Callback] = [RunCheckpoint(folder / CHECKPOINTS, after_epoch)]
    if progress:
        callbacks.append(TrainingProgress(f"{run.recipe.model.name} on {dataset.name}"))
    if run.epochs:
        fit(module, callbacks, Orders(run.recipe, folder, goes_on))
    else:
        _keep_start(module, folder / CHECKPOINTS)
    return _exported(module, dataset, folder, started)


def follow(orders: Orders, module: Classifier | None = None) -> None:
    """Take part in a run whose results another process writes."""
    if module is None:
        module = classifier_of(prepare(orders.recipe, progress=False))
        say_ready()
    fit(module, [RunCheckpoint(orders.folder / CHECKPOINTS, lambda _: None)], orders)


def _exported(module: Classifier, dataset: Dataset, folder: Path, started: float) -> TrainResult:
    """Test and export the best epoch of a run."""
    name = module.run.recipe.model.name
    best = folder / CHECKPOINTS / BEST
    chosen = read_checkpoint(best)
    module.load_state_dict(chosen["state_dict"])
    if module.run.recipe.training.recalibrate:
        best = _recalibrated(module, chosen, best)
    logits = run_model(module.model, dataset.pixels(dataset.test_x))
    correct = int((classify(logits) == dataset.test_y).sum())
    onnx = export_qonnx(
        module.model,
        folder / f"{name}.onnx",
        dataset.input_shape,
        input_scale=dataset.input_scale,
    )
    return TrainResult(
        model=name,
        dataset=dataset.name,
        input_shape=dataset.input_shape,
        input_scale=dataset.input_scale,
        correct=correct,
        images=len(dataset.test_y),
        epoch=chosen["lutloom_history"][-1]["epoch"] if module.run.epochs else -1,
        history=tuple(module.history),
        checkpoint=best,
        onnx=onnx,
        seconds=time.perf_counter() - started,
    )


def _keep_start(module: Classifier, folder: Path) -> None:
    """Write the checkpoints of a model that is not trained."""
    content = io.BytesIO()
    run = {"lutloom_run": module.described_run(), "lutloom_history": []}
    torch.save(run | {"state_dict": module.state_dict()}, content)
    for name in (BEST, LAST):
        write_file(folder / name, content.getvalue(), sync=True)


def _recalibrated(module: Classifier, chosen: dict[str, Any], best: Path) -> Path:
    """Re-calibrate the batch norms of the best epoch; return the checkpoint that is the better."""
    with threads_and_generator_kept(module.run.threads):
        module.eval()
        before = module.validation_accuracy()
        batches = module.calibration_batches(module.run.recipe.training.recalibrate)
        recalibrate(module.model, batches)
        if module.validation_accuracy() < before:
            module.load_state_dict(chosen["state_dict"])
            return best
    content = io.BytesIO()
    torch.save(chosen | {"state_dict": module.state_dict()}, content)
    path = best.with_name(RECALIBRATED)
    write_file(path, content.getvalue(), sync=True)
    return path


def _calibration_images(recipe: Recipe, dataset: Dataset) -> torch.Tensor:
    """Return the images (N, ...) by which a start is quantized, none of those that validate."""
    assert recipe.start is not None, "the caller has looked"
    labels = torch.from_numpy(dataset.train_y.astype("int64"))
    own = (~_held_out(labels, recipe.data.validation)).nonzero()[:, 0]
    order = shuffled_order(len(own), recipe.training.seed, 0)[: recipe.start.images]
    return float_pixels(torch.from_numpy(dataset.train_x[own[order].numpy()]), dataset.input_scale)


def _checkpoint_of(output: Path, resume: bool | str | Path) -> Path | None:  # noqa: FBT001
    """Return the checkpoint to go on from, if there is any."""
    if resume is True:
        last = output / CHECKPOINTS / LAST
        return last if last.is_file() else None
    return None if resume is False else Path(resume)


def _held_out(labels: torch.Tensor, share: float | None = None) -> torch.Tensor:
    """Return which images are for validation: of each class the first of every so many."""
    period = max(_VALIDATION_PERIOD, -(-len(labels) // _MOST_VALIDATION_IMAGES))
    if share is not None:
        period = round(1 / share)
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    for label in range(int(labels.max()) + 1):
        chosen[(labels == label).nonzero()[::period, 0]] = True
    return chosen


def _output_folder(output: Path, resume: Path | None, *, may_hold_recipe: bool) -> Path:
    """Make the folder of a run and return it; take the best checkpoint of a resumed run along.

    A run that was interrupted before its first checkpoint ``may_hold_recipe``, and nothing else.
    """
    checkpoints = output / CHECKPOINTS
    goes_on_here = resume is not None and resume.resolve().parent == checkpoints.resolve()
    try:
        expected = [output / RECIPE] if may_hold_recipe else []
        content = [path for path in output.rglob("*") if _is_content(path)]
        if not goes_on_here and content not in ([], expected):
            raise TrainingError(
                f"{output} is in use: choose a folder that is empty or not there yet, "
                "or go on with the run in it by --resume (resume=True)"
            )
        checkpoints.mkdir(parents=True, exist_ok=True)
        for leftover in (*checkpoints.glob(".*"), *output.glob(f".{RECIPE}.*")):
            leftover.unlink()
        if resume is not None and not goes_on_here:
            best = resume.with_name(BEST)
            if read_checkpoint(resume)["lutloom_history"]:
                if not best.is_file():
                    raise TrainingError(
                        f"{best} is missing: a run can't go on without its best epoch"
                    )
                write_file(checkpoints / BEST, best.read_bytes(), sync=True)
            write_file(checkpoints / LAST, resume.read_bytes(), sync=True)
    except OSError as error:
        raise TrainingError(f"{output} can't be made: {error.strerror or error}") from error
    return output


def _is_content(path: Path) -> bool:
    # what a killed run was writing is no reason to refuse the folder
    is_partial = path.name.startswith(f".{RECIPE}.") or (
        path.parent.name == CHECKPOINTS and path.name.startswith(".")
    )
    return path.is_file() and not is_partial
