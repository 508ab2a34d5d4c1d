"""Checkpoints: one an epoch and some within it, each of which appears whole or not at all.

``last.ckpt`` is the latest of all, from which a run goes on as if it had not been interrupted;
``best.ckpt`` is the epoch with the highest validation accuracy, the later one of equals, which is
the one that is exported.
"""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch.callbacks import Checkpoint

from lutloom.core.files import write_file
from lutloom.qat.classifier import BATCHES, Classifier, best_epoch
from lutloom.qat.errors import TrainingError
from lutloom.qat.recipe_file import parse_recipe
from lutloom.qat.recipe_rules import RecipeError
from lutloom.qat.settings import EpochReport, Run, differences

if TYPE_CHECKING:
    from collections.abc import Callable

    import lightning.pytorch as pl

CHECKPOINTS = "checkpoints"
"""The folder of a run that holds them."""

LAST = "last.ckpt"
BEST = "best.ckpt"
RECALIBRATED = "recalibrated.ckpt"
_STEPS_A_QUESTION = 16


# Lightning calls callbacks of this class after all others, when a step or an epoch is complete.
class RunCheckpoint(Checkpoint):
    """Write checkpoints into ``folder``: one each epoch, then ``after`` is called with its report.

    Within an epoch they are written as often as the recipe says.
    """

    def __init__(self, folder: Path, after: Callable[[EpochReport], None]) -> None:
        super().__init__()
        self._folder = folder
        self._after = after
        self._batches = 0
        self._latest = monotonic()

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
    ) -> None:
        """Write a checkpoint, if one is due, unless the epoch ends with this step."""
        del outputs, batch
        assert isinstance(pl_module, Classifier)
        if batch_idx + 1 < trainer.num_training_batches and self._is_due(trainer, pl_module):
            self._batches = batch_idx + 1
            content = self._content(trainer)
            self._batches = 0
            if trainer.is_global_zero:
                write_file(self._folder / LAST, content, sync=True)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the checkpoint of the epoch that ends."""
        assert isinstance(pl_module, Classifier)
        content = self._content(trainer)
        if not trainer.is_global_zero:
            return
        # The best first: if the run is killed between the two, the epoch is done again, and gives
        # the same file.
        if best_epoch(pl_module.history) == len(pl_module.history) - 1:
            write_file(self._folder / BEST, content, sync=True)
        write_file(self._folder / LAST, content, sync=True)
        self._after(pl_module.history[-1])

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add how many batches of its epoch the run has done."""
        del trainer, pl_module
        checkpoint[BATCHES] = self._batches

    def _is_due(self, trainer: pl.Trainer, module: Classifier) -> bool:
        training = module.run.recipe.training
        if training.checkpoint_steps and trainer.global_step % training.checkpoint_steps == 0:
            return True
        seconds = 60 * training.checkpoint_minutes
        is_late = 0 < seconds <= monotonic() - self._latest
        if trainer.world_size == 1:
            return is_late
        # clocks differ: the first process decides for all, now and then
        asks = training.checkpoint_minutes > 0 and trainer.global_step % _STEPS_A_QUESTION == 0
        return asks and bool(trainer.strategy.broadcast(is_late))

    def _content(self, trainer: pl.Trainer) -> bytes:
        """Return a checkpoint, which all processes make together; only the first has it."""
        partial = self._folder / ".partial.ckpt"
        trainer.save_checkpoint(partial)
        self._latest = monotonic()
        if not trainer.is_global_zero:
            return b""
        content = partial.read_bytes()
        partial.unlink()
        return content


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return the content of a checkpoint that was written here.

    Raises :class:`TrainingError` if it can't be read or is something else. Nothing in the file is
    executed.
    """
    if not path.is_file():
        raise TrainingError(
            f"there is no checkpoint {path}: give the file {LAST} of the run to go on with"
        )
    try:
        with warnings.catch_warnings():
            # what it thinks of the pickle protocol of a file that is refused in any case
            warnings.simplefilter("ignore", UserWarning)
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TrainingError(
            f"{path} is not a checkpoint of Lutloom, or is damaged ({reason[:100]})"
        ) from error
    if not isinstance(checkpoint, dict) or "lutloom_run" not in checkpoint:
        raise TrainingError(f"{path} is not a checkpoint of Lutloom: it has no recipe in it")
    return checkpoint


def read_run(path: Path) -> Run:
    """Return the run that wrote the checkpoint ``path``.

    Raises :class:`TrainingError` if it can't be read or is of another version.
    """
    stored = read_checkpoint(path)["lutloom_run"]
    try:
        recipe = parse_recipe(stored["recipe"], str(path))
        return Run(recipe, stored["dataset"], stored["images"], stored["teacher"])
    except (TypeError, KeyError, RecipeError) as error:
        raise TrainingError(
            f"{path} was written by another version of Lutloom: start a new run"
        ) from error


def check_same(path: Path, stored: Run, asked: Run) -> None:
    """Raise :class:`TrainingError` unless the run is to go on as it was begun."""
    different = differences(stored, asked)
    if different:
        raise TrainingError(
            f"{path} can't be gone on with: {'; '.join(different)}. "
            "Give the same settings, or start a new run"
        )
