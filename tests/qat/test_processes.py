"""Several processes share the batches of one run."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("lightning", reason="needs lightning")
pytest.importorskip("brevitas", reason="needs brevitas")
pytest.importorskip("sklearn", reason="needs scikit-learn")
pytest.importorskip("onnxoptimizer", reason="needs onnxoptimizer")

import torch

from lutloom.qat import processes
from lutloom.qat.batches import Batches
from lutloom.qat.checkpoint import read_checkpoint
from lutloom.qat.errors import TrainingError
from lutloom.qat.recipe import DataSection, ModelSection, Recipe, TrainingSection
from lutloom.qat.trainer import train
from tests.qat.interruption import interrupted_after

TWO = Recipe(
    ModelSection("SFC_1W2A"),
    DataSection("digits", augmentation="shift=1"),
    TrainingSection(
        epochs=2, batch_size=400, devices=2, threads=1, accelerator="cpu", checkpoint_steps=1
    ),
)


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 4), st.booleans())
def test_the_parts_of_a_batch_are_the_batch(
    images: int, size: int, shards: int, full: bool
) -> None:
    order = torch.randperm(images, generator=torch.Generator().manual_seed(0))
    data = (torch.arange(images), torch.arange(images))
    whole = [labels for _, labels in Batches(*data, size, order, full)]
    parts = [
        [labels for _, labels in Batches(*data, size, order, full, shard=shard, shards=shards)]
        for shard in range(shards)
    ]
    assert all(len(part) == len(whole) for part in parts)
    for number, batch in enumerate(whole):
        shared = torch.cat([part[number] for part in parts])
        assert sorted(shared.tolist()) == sorted(batch.tolist())


@pytest.mark.slow
def test_two_processes_train_one_model_and_go_on_as_if_they_had_not_been_interrupted(
    tmp_path: Path,
) -> None:
    before = dict(os.environ)
    whole = train(TWO, output=tmp_path / "whole", progress=False)
    with interrupted_after(2):
        train(TWO, output=tmp_path / "again", progress=False)
    stored = read_checkpoint(tmp_path / "again" / "checkpoints" / "last.ckpt")
    assert stored["lutloom_batches"] == 2
    assert len(set(stored["lutloom_loss"][:, 0].tolist())) == 2, "each has a loss of its own"
    again = train(TWO, output=tmp_path / "again", progress=False, resume=True)
    assert again.history == whole.history
    assert again.onnx.read_bytes() == whole.onnx.read_bytes()
    assert dict(os.environ) == before
    assert not torch.distributed.is_initialized()


def test_a_process_that_fails_is_named_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = subprocess.Popen

    def broken(command: list[str], **options: object) -> subprocess.Popen[str]:
        return start([command[0], "-c", "import sys; sys.exit('no room')"], **options)  # type: ignore[call-overload,no-any-return]

    monkeypatch.setattr("lutloom.qat.processes.subprocess.Popen", broken)
    with pytest.raises(TrainingError, match=r"^a process of the run has ended: no room$"):
        train(TWO, output=tmp_path, progress=False)


def test_what_several_devices_cannot_do_is_refused(tmp_path: Path) -> None:
    for settings, message in (
        (
            TrainingSection(devices=3, batch_size=32),
            r"^training\.batch_size is 32, which 3 devices can't share evenly: use a multiple of t",
        ),
        (
            TrainingSection(nodes=2, batch_size=32),
            r"^training\.nodes is 2, but the hosts don't know one another: set NODE_RANK",
        ),
    ):
        recipe = Recipe(ModelSection("TFC"), DataSection("digits"), settings)
        with pytest.raises(TrainingError, match=message):
            train(recipe, output=tmp_path / "out", progress=False)


def test_ranks_are_those_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe(ModelSection("m"), DataSection("d"), TrainingSection(devices=2, nodes=3))
    assert (processes.rank(recipe), processes.world(recipe)) == (0, 6)
    monkeypatch.setenv("NODE_RANK", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert processes.rank(recipe) == 5
    monkeypatch.setenv("RANK", "3")
    assert processes.rank(recipe) == 3
