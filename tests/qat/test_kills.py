"""A run that is killed again and again makes the weights of one that was left alone."""

from __future__ import annotations

import multiprocessing
import random
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("lightning", reason="needs lightning")
pytest.importorskip("brevitas", reason="needs brevitas")
pytest.importorskip("sklearn", reason="needs scikit-learn")
pytest.importorskip("onnxoptimizer", reason="needs onnxoptimizer")

import torch

from lutloom.qat.checkpoint import read_checkpoint
from lutloom.qat.recipe import DataSection, ModelSection, Recipe, TrainingSection
from lutloom.qat.trainer import train

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

KILLS = 20
# Of some 120 that a run writes: 20 kills come before its end.
MOST_CHECKPOINTS = 6
# Dropout, varied images, a schedule, momentum and clipped gradients: all that could be forgotten.
RECIPE = Recipe(
    ModelSection("SFC_1W2A"),
    DataSection("digits", augmentation="shift=1"),
    TrainingSection(
        epochs=10,
        batch_size=32,
        optimizer="adamw",
        weight_decay=0.01,
        schedule="one-cycle",
        gradient_clip=1.0,
        label_smoothing=0.1,
        checkpoint_steps=3,
        threads=1,
    ),
)


def wait_for_checkpoints(count: int, path: Path, run: BaseProcess) -> None:
    """Wait until ``run`` has written so many checkpoints to ``path``, each a new file, or ended."""
    seen = inode(path)
    while count and run.is_alive():
        time.sleep(0.001)
        now = inode(path)
        count -= now != seen
        seen = now


def inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0


@pytest.mark.slow
def test_twenty_kills_at_random_moments_change_no_bit(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    # what takes longest is loaded once, so that a run is killed while it trains
    context.set_forkserver_preload(["lutloom.qat.trainer"])
    output, drawn = tmp_path / "killed", random.Random(0)
    last = output / "checkpoints" / "last.ckpt"
    places = []
    for _ in range(KILLS):
        run = context.Process(
            target=train, args=(RECIPE,), kwargs=dict(output=output, resume=True, progress=False)
        )
        run.start()
        # counted in checkpoints, as a fast machine would be done in any time that suits a slow one
        wait_for_checkpoints(drawn.randrange(MOST_CHECKPOINTS), last, run)
        run.join(drawn.uniform(0, 0.1))
        run.kill()
        run.join()
        assert run.exitcode == -signal.SIGKILL, "it ended by itself: more epochs are due"
        if last.is_file():
            stored = read_checkpoint(last)
            places.append((len(stored["lutloom_history"]), stored["lutloom_batches"]))
    sys.stdout.write(f"epochs and batches that were done at each kill: {places}\n")
    resumed = train(RECIPE, output=output, resume=True, progress=False)
    whole = train(RECIPE, output=tmp_path / "whole", progress=False)
    assert resumed.history == whole.history
    assert resumed.onnx.read_bytes() == whole.onnx.read_bytes()
    for name in ("last.ckpt", "best.ckpt"):
        here, there = (
            read_checkpoint(result.checkpoint.with_name(name)) for result in (resumed, whole)
        )
        assert here["state_dict"].keys() == there["state_dict"].keys()
        for key, value in there["state_dict"].items():
            assert torch.equal(here["state_dict"][key], value), key
