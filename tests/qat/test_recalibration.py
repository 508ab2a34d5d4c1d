"""Batch norms get the statistics of the final weights, and only where that is no worse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("lightning", reason="needs lightning")
pytest.importorskip("brevitas", reason="needs brevitas")
pytest.importorskip("sklearn", reason="needs scikit-learn")
pytest.importorskip("onnxoptimizer", reason="needs onnxoptimizer")

import torch

from lutloom.qat.classifier import Classifier
from lutloom.qat.data import load_dataset
from lutloom.qat.recalibration import recalibrate
from lutloom.qat.recipe import DataSection, ModelSection, Recipe, TrainingSection
from lutloom.qat.trained import trace_trained
from lutloom.qat.trainer import train

RECIPE = Recipe(
    ModelSection("TFC_1W2A"),
    DataSection("digits"),
    TrainingSection(epochs=2, batch_size=100, threads=1, recalibrate=1000),
)


def test_statistics_are_the_mean_over_the_batches_and_nothing_else_changes() -> None:
    norm = torch.nn.BatchNorm1d(2)
    model = torch.nn.Sequential(norm, torch.nn.Dropout(0.9))
    batches = [torch.tensor([[0.0, 1.0], [2.0, 5.0]]), torch.tensor([[4.0, 1.0], [4.0, 1.0]])]
    recalibrate(model, batches)
    assert norm.get_buffer("running_mean").tolist() == [2.5, 2.0]
    # variances of a sample: 2 and 8, then 0 and 0
    assert norm.get_buffer("running_var").tolist() == [1.0, 4.0]
    assert norm.momentum == 0.1
    assert not any(module.training for module in model.modules())


@pytest.mark.parametrize("images", [1000, 10])
def test_a_run_exports_the_recalibrated_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, images: int
) -> None:
    monkeypatch.setattr(Classifier, "validation_accuracy", lambda _: 0.5)
    recipe = replace(RECIPE, training=replace(RECIPE.training, recalibrate=images))
    result = train(recipe, output=tmp_path / "out", progress=False)
    training = replace(RECIPE.training, recalibrate=0)
    plain = train(replace(RECIPE, training=training), output=tmp_path / "plain", progress=False)
    assert result.checkpoint.name == "recalibrated.ckpt"
    assert result.history == plain.history
    assert result.onnx.read_bytes() != plain.onnx.read_bytes()
    digits = load_dataset("digits")
    logits, _ = trace_trained(result.checkpoint, digits, digits.pixels(digits.test_x))
    assert int((logits.argmax(1) == digits.test_y).sum()) == result.correct
    # a run that is complete is calibrated again in the same way
    again = train(recipe, output=tmp_path / "out", resume=True, progress=False)
    assert again.onnx.read_bytes() == result.onnx.read_bytes()
    assert again.correct == result.correct


def test_worse_statistics_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    accuracies = iter([0.9, 0.8])
    monkeypatch.setattr(Classifier, "validation_accuracy", lambda _: next(accuracies))
    result = train(RECIPE, output=tmp_path / "out", progress=False)
    assert result.checkpoint.name == "best.ckpt"
    training = replace(RECIPE.training, recalibrate=0)
    plain = train(replace(RECIPE, training=training), output=tmp_path / "plain", progress=False)
    assert result.onnx.read_bytes() == plain.onnx.read_bytes()
