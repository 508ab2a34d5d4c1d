"""Train a model and export it: the same weights for the same settings, interrupted or not.

A tenth of the training images (of many at most 5,000) is held out to choose the epoch by; the test
images are looked at once, after that choice.
"""

from __future__ import annotations

import contextlib
import csv
import io
import logging
import signal
import time
import warnings
from dataclasses import astuple, dataclass, fields
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

import lightning.pytorch as pl
import torch

from lutloom.core.files import write_file
from lutloom.qat.augmentation import parse_augmentation
from lutloom.qat.checkpoint import (
    BEST,
    LAST,
    EpochCheckpoint,
    check_same,
    read_checkpoint,
    read_settings,
)
from lutloom.qat.classifier import Classifier
from lutloom.qat.data import Dataset, load_dataset
from lutloom.qat.errors import TrainingError
from lutloom.qat.export import export_qonnx
from lutloom.qat.models import build_model, canonical_name
from lutloom.qat.progress import TrainingProgress, downloading
from lutloom.qat.run import classify, run_model
from lutloom.qat.settings import (
    EpochReport,
    TrainSettings,
    default_batch_size,
    default_epochs,
    default_threads,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from fractions import Fraction

CHECKPOINTS = "checkpoints"
DEFAULT_LR = 0.03
_MOST_VALIDATION_IMAGES = 5000
_VALIDATION_PERIOD = 10


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What a run has made, and how good it is.

    ``correct`` of ``images`` test images are classified right, which is ``accuracy`` (0 to 1);
    ``epoch`` (from 0) is the one that was chosen and exported. The model takes
    ``input_scale * byte`` for every byte of an image.
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


def train(  # noqa: PLR0913 (each is an option of the command line)
    model: str,
    *,
    data: str | Path,
    output: str | Path,
    epochs: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    seed: int = 0,
    resume: str | Path | None = None,
    progress: bool = True,
    csv_log: bool = False,
    download: bool = False,
    augmentation: str | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
) -> TrainResult:
    """Train ``model`` on ``data``, keep checkpoints in ``output`` and export the best one there.

    ``data`` and ``download`` are those of :func:`~lutloom.qat.data.loading.load_dataset`; None for
    ``epochs``, ``batch_size`` and the highest learning rate ``lr`` is what suits the data, or what
    the resumed run had. ``augmentation`` is how images are varied, as ``"crop=4,flip"`` for
    :func:`~lutloom.qat.augmentation.parse_augmentation`: not at all, or as in the resumed run,
    where it is None. ``resume`` is the ``checkpoints/last.ckpt`` of a run with the same settings
    to go on with, into the same folder or a new one; the result is that of an undisturbed run.
    ``csv_log`` also keeps ``history.csv``. ``on_epoch`` is called with the report of an epoch when
    its checkpoint is there.

    Raises :class:`~lutloom.qat.errors.DataError` for data that is missing or damaged and
    :class:`~lutloom.qat.errors.TrainingError` for a model that doesn't exist, settings that can't
    be, a checkpoint that doesn't fit, or an output folder that is in use or can't be written.
    KeyboardInterrupt passes through; the last complete checkpoint stays.
    """
    started = time.perf_counter()
    name = canonical_name(model)
    for what, number in (("epochs", epochs), ("batch_size", batch_size), ("lr", lr)):
        if number is not None and not 0 < number < inf:
            raise TrainingError(f"{what} is {number}: use a positive number")
    varied = None if augmentation is None else parse_augmentation(augmentation)
    stored = None if resume is None else read_settings(Path(resume))
    with downloading(shown=progress) as move:
        dataset = load_dataset(data, download=download, progress=move)
    if varied is not None:
        varied.check(dataset.input_shape)
    untrained = _untrained_model(name, dataset, seed)
    settings = TrainSettings(
        model=name,
        dataset=dataset.name,
        images=len(dataset.train_y),
        epochs=epochs or (stored.epochs if stored else default_epochs(len(dataset.train_y))),
        batch_size=batch_size
        or (stored.batch_size if stored else default_batch_size(len(dataset.train_y))),
        lr=lr or (stored.lr if stored else DEFAULT_LR),
        seed=seed,
        threads=stored.threads if stored else _threads(untrained),
        augmentation=stored.augmentation if stored and varied is None else str(varied or ""),
    )
    module = _classifier(untrained, settings, dataset)
    if resume is not None and stored is not None:
        check_same(Path(resume), stored, settings)
    folder = _output_folder(Path(output), None if resume is None else Path(resume))

    def after_epoch(report: EpochReport) -> None:
        if csv_log:
            _write_csv(folder / "history.csv", module.history)
        if on_epoch is not None:
            on_epoch(report)

    callbacks: list[pl.Callback] = [EpochCheckpoint(folder / CHECKPOINTS, after_epoch)]
    if progress:
        callbacks.append(TrainingProgress(f"{name} on {dataset.name}"))
    _fit(module, callbacks, folder, None if resume is None else Path(resume))

    best = folder / CHECKPOINTS / BEST
    chosen = read_checkpoint(best)
    module.load_state_dict(chosen["state_dict"])
    logits = run_model(module.model, dataset.pixels(dataset.test_x))
    correct = int((classify(logits) == dataset.test_y).sum())
    onnx = export_qonnx(module.model, folder / f"{name}.onnx", dataset.input_shape)
    return TrainResult(
        model=name,
        dataset=dataset.name,
        input_shape=dataset.input_shape,
        input_scale=dataset.input_scale,
        correct=correct,
        images=len(dataset.test_y),
        epoch=chosen["lutloom_history"][-1]["epoch"],
        history=tuple(module.history),
        checkpoint=best,
        onnx=onnx,
        seconds=time.perf_counter() - started,
    )


def _untrained_model(name: str, dataset: Dataset, seed: int) -> torch.nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_model(name, dataset.input_shape, dataset.classes)


def _threads(model: torch.nn.Module) -> int:
    weights = sum(parameter.numel() for parameter in model.parameters())
    return default_threads(weights) or torch.get_num_threads()


def _classifier(model: torch.nn.Module, settings: TrainSettings, dataset: Dataset) -> Classifier:
    labels = torch.from_numpy(dataset.train_y.astype("int64"))
    held_out = _held_out(labels)
    parts = [
        (torch.from_numpy(dataset.train_x[part.numpy()]), labels[part])
        for part in (~held_out, held_out)
    ]
    training, validation = parts
    if settings.batch_size > len(training[1]):
        raise TrainingError(
            f"batch_size is {settings.batch_size}, but there are {len(training[1])} images "
            "to train with: use at most that"
        )
    return Classifier(model, settings, training, validation, dataset.classes, dataset.input_scale)


def _held_out(labels: torch.Tensor) -> torch.Tensor:
    """Return which images are for validation: of each class the first of every so many."""
    period = max(_VALIDATION_PERIOD, -(-len(labels) // _MOST_VALIDATION_IMAGES))
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    for label in range(int(labels.max()) + 1):
        chosen[(labels == label).nonzero()[::period, 0]] = True
    return chosen


def _output_folder(output: Path, resume: Path | None) -> Path:
    """Make the folder of a run and return it; take the best checkpoint of a resumed run along."""
    checkpoints = output / CHECKPOINTS
    goes_on_here = resume is not None and resume.resolve().parent == checkpoints.resolve()
    try:
        if not goes_on_here and any(_is_content(path) for path in output.rglob("*")):
            raise TrainingError(
                f"{output} is in use: choose a folder that is empty or not there yet, "
                f"or resume the run in it from {checkpoints / LAST}"
            )
        checkpoints.mkdir(parents=True, exist_ok=True)
        for leftover in checkpoints.glob(".*"):
            leftover.unlink()
        if resume is not None and not goes_on_here:
            best = resume.with_name(BEST)
            if not best.is_file():
                raise TrainingError(f"{best} is missing: a run can't go on without its best epoch")
            write_file(checkpoints / BEST, best.read_bytes(), sync=True)
            write_file(checkpoints / LAST, resume.read_bytes(), sync=True)
    except OSError as error:
        raise TrainingError(f"{output} can't be made: {error.strerror or error}") from error
    return output


def _is_content(path: Path) -> bool:
    # what a killed run was writing is no reason to refuse the folder
    return path.is_file() and not (path.parent.name == CHECKPOINTS and path.name.startswith("."))


def _write_csv(path: Path, history: list[EpochReport]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in fields(EpochReport))
    writer.writerows(map(astuple, history))
    write_file(path, text.getvalue().encode(), sync=True)


def _fit(
    module: Classifier, callbacks: list[pl.Callback], folder: Path, resume: Path | None
) -> None:
    with _quiet(), _threads_and_generator_kept(module.settings.threads), _sigint_kept():
        trainer = pl.Trainer(
            accelerator="cpu",
            devices=1,
            callbacks=callbacks,
            default_root_dir=folder,
            enable_model_summary=False,
            enable_progress_bar=False,
            logger=False,
            max_epochs=module.settings.epochs,
            num_sanity_val_steps=0,
            reload_dataloaders_every_n_epochs=1,
        )
        # Brevitas shares stateless modules between models: another one's mode may be on them
        module.train()
        try:
            trainer.fit(module, ckpt_path=None if resume is None else str(resume))
        except SystemExit as exit_:
            # Lightning makes an exit of Ctrl-C
            if isinstance(exit_.__context__, KeyboardInterrupt):
                raise KeyboardInterrupt from None
            raise


@contextlib.contextmanager
def _threads_and_generator_kept(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _sigint_kept() -> Iterator[None]:
    """Undo what Lightning does to Ctrl-C: after the first one it ignores it for good."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is not handler:
            signal.signal(signal.SIGINT, handler)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lightning's notes on hardware and its tips off the terminal."""
    notes = logging.getLogger("lightning.pytorch")
    level = notes.level
    notes.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            # Lightning 2.6 asks PyTorch 2.13 about its trees in the old way
            warnings.filterwarnings("ignore", r".isinstance\(treespec", FutureWarning)
            yield
    finally:
        notes.setLevel(level)
