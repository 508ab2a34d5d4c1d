"""Progress bars of a training run and of what is downloaded for it, on standard error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import lightning.pytorch as pl
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from lutloom.qat.classifier import Classifier, best_epoch

if TYPE_CHECKING:
    from lutloom.qat.data.download import Progress as Move


@contextmanager
def downloading(*, shown: bool) -> Iterator[Move | None]:
    """Yield the function that moves a bar for each file, or None if none is ``shown``.

    Where standard error is no terminal, only the last bars are written; where nothing is
    downloaded, nothing.
    """
    if not shown:
        yield None
        return
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    bars = Progress(TextColumn("{task.description}"), *columns, console=Console(stderr=True))
    tasks: dict[str, TaskID] = {}

    def move(name: str, have: int, size: int) -> None:
        if name not in tasks:
            bars.start()
            tasks[name] = bars.add_task(name, total=size)
        bars.update(tasks[name], completed=have)

    try:
        yield move
    finally:
        if tasks:
            bars.stop()


class TrainingProgress(pl.Callback):
    """One bar over all steps, with the loss and the accuracies of the last epoch beside it.

    Where standard error is no terminal, only the finished bar is written.
    """

    def __init__(self, title: str) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._task = self._progress.add_task(title, total=None, figures="")

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the bar, with what a resumed run has done before."""
        steps = trainer.num_training_batches
        assert isinstance(trainer.max_epochs, int)
        self._progress.update(
            self._task,
            total=trainer.max_epochs * steps,
            completed=trainer.global_step,
            figures=_figures(pl_module),
        )
        self._progress.start()

    def on_train_batch_end(self, trainer: pl.Trainer, *_ignored: Any) -> None:  # noqa: ANN401
        """Move the bar."""
        self._progress.update(self._task, completed=trainer.global_step)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the figures of the epoch."""
        del trainer
        self._progress.update(self._task, figures=_figures(pl_module))

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave the bar as it is."""
        del trainer, pl_module
        self._progress.stop()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Give the terminal back."""
        del trainer, pl_module, exception
        self._progress.stop()


def _figures(module: pl.LightningModule) -> str:
    assert isinstance(module, Classifier)
    if not module.history:
        return ""
    last, best = module.history[-1], module.history[best_epoch(module.history)]
    return (
        f"epoch {last.epoch + 1}/{module.run.epochs}  loss {last.loss:.3f}  "
        f"validation {last.accuracy:.2%} (best {best.accuracy:.2%})"
    )
