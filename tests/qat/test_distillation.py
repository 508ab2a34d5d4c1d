"""A teacher adds to the loss what it thinks of an image."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("lightning", reason="needs lightning")
pytest.importorskip("brevitas", reason="needs brevitas")
pytest.importorskip("sklearn", reason="needs scikit-learn")
pytest.importorskip("onnxoptimizer", reason="needs onnxoptimizer")

import torch

from lutloom.qat.checkpoint import read_checkpoint
from lutloom.qat.data import load_dataset
from lutloom.qat.distillation import Teacher, divergence, load_teacher, unlikeness
from lutloom.qat.errors import TrainingError
from lutloom.qat.recipe import (
    DataSection,
    DistillationSection,
    ModelSection,
    Recipe,
    TrainingSection,
)
from lutloom.qat.recipe_model import build_recipe_model
from lutloom.qat.run import run_model
from lutloom.qat.trained import load_trained
from lutloom.qat.trainer import TrainResult, train
from tests.qat.interruption import interrupted_after

TEACHER = Recipe(
    ModelSection("SFC"),
    DataSection("digits"),
    TrainingSection(epochs=8, batch_size=100, lr=0.01, threads=1),
    quantization={
        "weights": {"kind": "integer", "bits": 8},
        "activations": {"kind": "relu", "bits": 8, "limit": 4.0},
    },
)


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    return train(TEACHER, output=tmp_path_factory.mktemp("teacher"), progress=False)


def student(taught: TrainResult, weight: float = 0.5) -> Recipe:
    return Recipe(
        ModelSection("TFC_1W2A"),
        DataSection("digits"),
        TrainingSection(epochs=3, batch_size=250, threads=1, checkpoint_steps=1),
        distillation=DistillationSection(str(taught.checkpoint.parents[1]), weight),
    )


def test_the_loss_is_the_divergence_from_the_teacher() -> None:
    teacher = Teacher(torch.nn.Identity(), 0.25, 2.0, "")
    wanted = torch.tensor([[2.0, 0.0, -4.0], [1.0, 1.0, 0.0]])
    assert float(teacher.loss(torch.tensor(8.0), wanted, wanted, {})) == 6
    assert float(divergence(wanted, wanted, 2.0)) == 0
    assert float(divergence(wanted + 3, wanted, 2.0)) < 1e-6
    logits = torch.tensor([[0.0, 2.0, 0.0], [1.0, -1.0, 0.0]])
    p, q = (np.exp(x.double().numpy() / 2) for x in (wanted, logits))
    p, q = p / p.sum(1, keepdims=True), q / q.sum(1, keepdims=True)
    expected = 4 * (p * np.log(p / q)).sum() / 2
    assert abs(float(divergence(logits, wanted, 2.0)) - expected) < 1e-6


def test_features_are_compared_by_which_images_they_find_alike() -> None:
    wanted = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    # another shape, another basis, other lengths of channels as a whole: the same likeness
    same = torch.tensor([[0.0, 3.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, -6.0]]).reshape(3, 3, 1)
    assert float(unlikeness(wanted, wanted)) == 0
    assert float(unlikeness(same, wanted)) < 1e-12
    other = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    a, b = (x.double().numpy() for x in (other, wanted))
    a, b = a @ a.T, b @ b.T
    a, b = (g / np.sqrt((g**2).sum(1, keepdims=True)) for g in (a, b))
    assert abs(float(unlikeness(other, wanted)) - ((a - b) ** 2).sum() / 9) < 1e-6


def test_layers_that_a_recipe_names_become_like_those_of_the_teacher(
    taught: TrainResult, tmp_path: Path
) -> None:
    digits = load_dataset("digits")
    pixels = torch.from_numpy(digits.pixels(digits.test_x[:200]))
    found = {}
    for weight in (0.0, 3000.0):
        section = DistillationSection(
            str(taught.checkpoint),
            features=("layers.quantize1", "layers.quantize2:layers.norm2"),
            feature_weight=weight,
        )
        training = TrainingSection(epochs=6, batch_size=100, threads=1)
        recipe = replace(student(taught), distillation=section, training=training)
        result = train(recipe, output=tmp_path / f"{weight}", progress=False)
        teacher = load_teacher(section, digits, load_trained(result.checkpoint, digits))
        model = load_trained(result.checkpoint, digits).eval()
        with torch.no_grad(), teacher.watching(model) as seen:
            logits = model(pixels)
            loss = teacher.loss(torch.tensor(0.0), pixels, logits, seen)
            found[weight] = unlikeness(
                seen["layers.quantize2"], _teachers(teacher, pixels, "layers.norm2")
            )
            of_logits = replace(teacher, features=()).loss(torch.tensor(0.0), pixels, logits, {})
        assert set(seen) == {"layers.quantize1", "layers.quantize2"}
        assert (loss > of_logits) == (weight > 0)
        assert not any(module._forward_hooks for module in model.modules())
    assert found[3000.0] < 0.85 * found[0.0]


def _teachers(teacher: Teacher, pixels: torch.Tensor, layer: str) -> torch.Tensor:
    other = Teacher(teacher.model, 0.0, 1.0, "", ((layer, layer),))
    with other.watching(teacher.model) as seen:
        teacher.model(pixels)
    return seen[layer]


def test_layers_that_are_not_there_are_refused(taught: TrainResult) -> None:
    recipe = student(taught)
    model = build_recipe_model(recipe, (1, 8, 8), 10)
    digits = load_dataset("digits")
    for features, whose in (("layers.quantise1", "model"), ("layers.norm1:norm9", "teacher")):
        section = DistillationSection(str(taught.checkpoint), features=(features,))
        message = (
            rf"^distillation\.features names '.+', a layer that the {whose} has not: use names of"
            r" its modules, such as .*(norm|quantize)"
        )
        with pytest.raises(TrainingError, match=message):
            load_teacher(section, digits, model)
    with pytest.raises(
        TrainingError, match=r"^distillation\.features is 'a': give a list of names"
    ):
        DistillationSection("x", features="a")  # type: ignore[arg-type]


def test_a_teacher_teaches_without_labels(taught: TrainResult, tmp_path: Path) -> None:
    assert taught.accuracy > 0.9
    recipe = student(taught, 1.0)
    training = TrainingSection(epochs=20, batch_size=100, threads=1)
    result = train(replace(recipe, training=training), output=tmp_path, progress=False)
    assert result.accuracy > 0.85


def test_a_run_with_a_teacher_goes_on_exactly_and_does_not_keep_it(
    taught: TrainResult, tmp_path: Path
) -> None:
    recipe = student(taught)
    whole = train(recipe, output=tmp_path / "whole", progress=False)
    alone = train(replace(recipe, distillation=None), output=tmp_path / "alone", progress=False)
    assert whole.history != alone.history
    kept, other = (read_checkpoint(r.checkpoint)["state_dict"] for r in (whole, alone))
    assert kept.keys() == other.keys()
    with interrupted_after(7):
        train(recipe, output=tmp_path / "again", progress=False)
    again = train(recipe, output=tmp_path / "again", resume=True, progress=False)
    assert again.history == whole.history
    assert again.onnx.read_bytes() == whole.onnx.read_bytes()
    others = DistillationSection(str(whole.checkpoint))
    with pytest.raises(TrainingError, match=r"the teacher's file was '[0-9a-f]{64}' and is now"):
        train(
            replace(recipe, distillation=others),
            output=tmp_path / "again",
            resume=True,
            progress=False,
        )


def test_the_teacher_is_the_best_epoch_of_its_run(taught: TrainResult) -> None:
    digits = load_dataset("digits")
    section = DistillationSection(str(taught.checkpoint.parents[1]))
    teacher = load_teacher(section, digits, torch.nn.Identity())
    logits = run_model(teacher.model, digits.pixels(digits.test_x))
    assert int((logits.argmax(1) == digits.test_y).sum()) == taught.correct
    assert not teacher.model.training
    assert not any(parameter.requires_grad for parameter in teacher.model.parameters())


def test_a_teacher_that_is_not_there_or_of_other_images_is_refused(taught: TrainResult) -> None:
    digits = load_dataset("digits")
    with pytest.raises(TrainingError, match=r"^there is no checkpoint nowhere: give"):
        load_teacher(DistillationSection("nowhere"), digits, torch.nn.Identity())
    larger = replace(digits, train_x=np.zeros((1, 1, 9, 9), np.uint8))
    section = DistillationSection(str(taught.checkpoint))
    with pytest.raises(TrainingError, match=r"best\.ckpt was trained for other images or classes"):
        load_teacher(section, larger, torch.nn.Identity())
