"""Every family is there in floats too: to teach, and to begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("lightning", reason="needs lightning")
pytest.importorskip("brevitas", reason="needs brevitas")
pytest.importorskip("sklearn", reason="needs scikit-learn")
pytest.importorskip("onnxoptimizer", reason="needs onnxoptimizer")

import torch

import lutloom
from lutloom.core.errors import LutloomError
from lutloom.qat.calibration import random_images
from lutloom.qat.errors import TrainingError
from lutloom.qat.models import build_model, canonical_name, is_float
from lutloom.qat.quantization import of_bits
from lutloom.readiness import ReadinessError
from tests.qat.test_zoo import CLASSES, TINY


def test_a_name_says_that_a_model_is_not_quantized() -> None:
    assert canonical_name("cnv float") == "CNV_FLOAT"
    assert is_float("cnv-float")
    assert not is_float("CNV_1W1A")
    message = r"^CNV_FLOAT has no quantizers: leave the quantization out, or say CNV to quantize"
    with pytest.raises(TrainingError, match=message):
        build_model("CNV_FLOAT", (3, 32, 32), 10, of_bits(4, 4))


@pytest.mark.parametrize("name", TINY)
def test_a_family_in_floats_has_plain_layers_of_the_same_names_and_learns(name: str) -> None:
    shape, options = TINY[name].shape, TINY[name].options
    torch.manual_seed(0)
    quantized = build_model(name, shape, CLASSES, of_bits(8, 8), **options)
    torch.manual_seed(0)
    model = build_model(f"{name}_FLOAT", shape, CLASSES, **options).train()
    assert not any("brevitas" in type(module).__module__ for module in model.modules())
    assert {path for path, _ in model.named_modules()} <= {
        path for path, _ in quantized.named_modules()
    }
    theirs = dict(quantized.named_parameters())
    for path, parameter in model.named_parameters():
        assert torch.equal(parameter, theirs[path])
    pixels = torch.from_numpy(random_images(shape, 16)) / 255
    outputs = model(pixels)
    (outputs * torch.randn_like(outputs)).sum().backward()
    for path, parameter in model.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, path


def test_a_model_in_floats_is_trained_and_can_teach_and_is_no_hardware(tmp_path: Path) -> None:
    settings = {"training.threads": 1, "training.batch_size": 100, "training.lr": 0.01}
    teacher = lutloom.train(
        "sfc-float",
        data="digits",
        epochs=6,
        output=tmp_path / "teacher",
        settings=settings,
        progress=False,
    )
    assert teacher.model == "SFC_FLOAT"
    assert teacher.accuracy > 0.93
    with pytest.raises(LutloomError, match="its weights are not quantized; train the l"):
        lutloom.compile(teacher.onnx, tmp_path / "build", input_type="uint8", input_scale="1/16")
    message = r"^SFC_FLOAT is a model in floats, which teaches another or starts one: there is "
    with pytest.raises(ReadinessError, match=message):
        lutloom.check_recipe("SFC_FLOAT", data="digits")
    student = lutloom.train(
        "TFC_1W2A",
        data="digits",
        epochs=20,
        output=tmp_path / "student",
        settings=settings
        | {"distillation.teacher": str(tmp_path / "teacher"), "distillation.weight": 1.0},
        progress=False,
        check=False,
    )
    assert student.accuracy > 0.8
