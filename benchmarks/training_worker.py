"""One contender of ``training.py``: a process that trains when it is told to, and waits between.

python benchmarks/training_worker.py CONTENDER MODEL STEPS THREADS

Each line that it reads starts ``STEPS`` more steps of a batch of 100; it answers with the seconds
they took and those that its processors were busy. Its first answer is what the contender is.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import torch
from torch.nn.functional import cross_entropy
from training_plain import plain_net

from lutloom.qat.brevitas_parts import QuantConv2d, QuantLinear
from lutloom.qat.checkpoint import RunCheckpoint
from lutloom.qat.fitting import fit
from lutloom.qat.models import build_model
from lutloom.qat.processes import Orders
from lutloom.qat.recipe import DataSection, ModelSection, Recipe, TrainingSection
from lutloom.qat.trainer import classifier_of, prepare

BATCH = 100
_SHAPES = {"TFC": (1, 28, 28), "SFC": (1, 28, 28), "LFC": (1, 28, 28)}


class Pace:
    """Counts steps, and waits for a line behind each ``steps`` of them."""

    def __init__(self, steps: int) -> None:
        self._steps = self._left = steps
        self._began = self._busy = 0.0

    def wait(self, answer: object) -> None:
        """Answer, and go on when told to; end the process where there is nothing more to do."""
        print(json.dumps(answer), flush=True)
        if not sys.stdin.readline():
            os._exit(0)
        self._left = self._steps
        self._began, self._busy = time.perf_counter(), time.process_time()

    def step(self) -> None:
        """Count a step."""
        self._left -= 1
        if self._left == 0:
            took = time.perf_counter() - self._began, time.process_time() - self._busy
            self.wait(took)


class _Paced(pl.Callback):
    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._is_warm = False

    def on_train_batch_end(self, *_ignored: object) -> None:
        if self._is_warm:
            self._pace.step()
        else:
            self._is_warm = True
            self._pace.wait("lutloom: the trainer, with augmentation, metrics and checkpoints")


def main() -> None:
    """Train until no more lines come."""
    contender, model, steps, threads = sys.argv[1:]
    torch.manual_seed(0)
    torch.set_num_threads(int(threads))
    shape = _SHAPES.get(model.partition("_")[0], (3, 32, 32))
    pace = Pace(int(steps))
    if contender == "lutloom":
        _lutloom(model, shape, int(threads), pace)
        return
    step = (_brevitas if contender == "brevitas" else _pytorch)(model, shape)
    if step is None:
        return
    step()
    pace.wait(f"{contender}: a loop over batches in memory")
    while True:
        step()
        pace.step()


def _brevitas(name: str, shape: tuple[int, ...]) -> Callable[[], None]:
    """Return a step of the net in Brevitas' layers, as BNN-PYNQ trains it."""
    model = build_model(name, shape, 10)
    layers = [m for m in model.modules() if isinstance(m, QuantConv2d | QuantLinear)]
    return _step(model, layers, torch.rand(BATCH, *shape))


def _pytorch(name: str, shape: tuple[int, ...]) -> Callable[[], None] | None:
    """Return a step of the net in plain PyTorch with channels last, if there is one."""
    model = plain_net(name)
    if model is None:
        return None
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = (2 * torch.rand(BATCH, *shape) - 1).contiguous(memory_format=torch.channels_last)
    return _step(model, [m for m in model.modules() if hasattr(m, "bits")], images)


def _step(
    model: torch.nn.Module, layers: list[torch.nn.Module], images: torch.Tensor
) -> Callable[[], None]:
    labels = torch.randint(0, 10, (BATCH,))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    weights = [layer.get_parameter("weight") for layer in layers if hasattr(layer, "weight")]
    model.train()

    def step() -> None:
        optimizer.zero_grad()
        cross_entropy(model(images), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        for weight in weights:
            weight.data.clamp_(-1, 1)

    return step


def _lutloom(name: str, shape: tuple[int, ...], threads: int, pace: Pace) -> None:
    """Train by the trainer itself: one epoch, which is longer than anybody waits."""
    images = BATCH * (5_000 if shape[0] == 1 else 300)
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "random.npz")
        np.savez(
            data,
            train_images=random.integers(0, 256, (images, *shape), np.uint8),
            train_labels=np.arange(images) % 10,
            test_images=np.zeros((10, *shape), np.uint8),
            test_labels=np.arange(10),
        )
        augmentation = "shift=2" if shape[0] == 1 else "crop=4,flip"
        recipe = Recipe(
            ModelSection(name),
            DataSection(str(data), augmentation),
            TrainingSection(epochs=1, batch_size=BATCH, threads=threads, accelerator="cpu"),
        )
        module = classifier_of(prepare(recipe, progress=False))
        checkpoints = RunCheckpoint(Path(folder), lambda _: None)
        fit(module, [_Paced(pace), checkpoints], Orders(module.run.recipe, Path(folder), None))


if __name__ == "__main__":
    main()
