"""Lightning's part of a run: its trainer, and what it must leave as it was."""

from __future__ import annotations

import contextlib
import logging
import signal
import warnings
from typing import TYPE_CHECKING

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.strategies import DDPStrategy

from lutloom.qat.checkpoint import read_checkpoint
from lutloom.qat.classifier import Classifier, best_epoch
from lutloom.qat.memory import freed_memory_kept
from lutloom.qat.processes import Orders, other_processes, world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lutloom.qat.settings import EpochReport


def fit(
    module: Classifier,
    callbacks: list[pl.Callback],
    orders: Orders,
    *,
    steps: int | None = None,
) -> None:
    """Train ``module`` from where it is, or from a checkpoint, to the end of its run.

    With ``steps`` it ends after so many instead, and nothing is validated.

    Threads, generator and the handling of Ctrl-C are as before when it ends.
    """
    resume, training = orders.resume, module.run.recipe.training
    if resume is not None:
        stored = read_checkpoint(resume)
        module.on_load_checkpoint(stored)
        if is_over(module.history, training.patience):
            return
    if training.patience:
        callbacks = [*callbacks, Patience()]
    with (
        _quiet(),
        threads_and_generator_kept(module.run.threads),
        _sigint_kept(),
        freed_memory_kept(),
        other_processes(orders),
        _group_ended(),
    ):
        trainer = pl.Trainer(
            accelerator=training.accelerator,
            devices=training.devices,
            num_nodes=training.nodes,
            # of a net with branches some may not reach the loss: always the same ones
            strategy=DDPStrategy(static_graph=True) if world(orders.recipe) > 1 else "auto",
            callbacks=callbacks,
            default_root_dir=orders.folder,
            enable_checkpointing=any(isinstance(each, Checkpoint) for each in callbacks),
            enable_model_summary=False,
            enable_progress_bar=False,
            gradient_clip_val=training.gradient_clip or None,
            logger=False,
            limit_val_batches=None if steps is None else 0,
            max_epochs=module.run.epochs if steps is None else -1,
            max_steps=-1 if steps is None else steps,
            num_sanity_val_steps=0,
            precision=training.precision,
            reload_dataloaders_every_n_epochs=1,
            use_distributed_sampler=False,
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


class Patience(pl.Callback):
    """End a run after so many epochs without a better one, as its recipe says."""

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """End the run, if this was the last epoch to wait for."""
        assert isinstance(pl_module, Classifier)
        if is_over(pl_module.history, pl_module.run.recipe.training.patience):
            trainer.should_stop = True


def is_over(history: list[EpochReport], patience: int) -> bool:
    """Return whether so many epochs were no better than the best one before; never for 0."""
    return 0 < patience <= len(history) - 1 - best_epoch(history) if history else False


@contextlib.contextmanager
def _group_ended() -> Iterator[None]:
    """Leave no group of processes behind, in which another run could not begin."""
    try:
        yield
    finally:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


@contextlib.contextmanager
def threads_and_generator_kept(threads: int) -> Iterator[None]:
    """Compute with so many threads, and leave torch's own number and generator as they are."""
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
    notes = [logging.getLogger(f"lightning.{part}") for part in ("pytorch", "fabric")]
    levels = [note.level for note in notes]
    for note in notes:
        note.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            # Lightning 2.6 asks PyTorch 2.13 about its trees in the old way
            warnings.filterwarnings("ignore", r".isinstance\(treespec", FutureWarning)
            # the batches of an epoch that goes on begin where they should
            warnings.filterwarnings("ignore", r"You're resuming from a checkpoint that ended bef")
            yield
    finally:
        for note, level in zip(notes, levels, strict=True):
            note.setLevel(level)
