"""A quantized model begins with one in floats, and may stay as it is."""

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

import lutloom
from lutloom.qat.calibration import random_images
from lutloom.qat.data import load_dataset
from lutloom.qat.errors import TrainingError
from lutloom.qat.fitting import threads_and_generator_kept
from lutloom.qat.models import build_model
from lutloom.qat.recalibration import recalibrate
from lutloom.qat.recipe import (
    DataSection,
    ModelSection,
    Recipe,
    StartSection,
    TrainingSection,
)
from lutloom.qat.recipe_file import read_recipe
from lutloom.qat.run import values_of
from lutloom.qat.start import best_limit, quantized_as
from lutloom.qat.trainer import TrainResult, train
from tests.qat.test_zoo import CLASSES, TINY

TRAINING = TrainingSection(epochs=5, batch_size=100, lr=0.01, threads=1)


@pytest.fixture(scope="module")
def floats(tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    recipe = Recipe(ModelSection("SFC_FLOAT"), DataSection("digits"), TRAINING)
    return train(recipe, output=tmp_path_factory.mktemp("floats"), progress=False)


def asked(bits: int, start: StartSection | None, *, epochs: int = 0, name: str = "SFC") -> Recipe:
    return Recipe(
        ModelSection(name),
        DataSection("digits"),
        replace(TRAINING, epochs=epochs, lr=1e-5),
        {
            "weights": {"kind": "integer", "bits": bits},
            "activations": {"kind": "relu", "bits": bits},
        },
        start,
    )


def test_the_best_limit_has_the_least_squared_error() -> None:
    values = torch.tensor([-9.0, *[0.1 * step for step in range(40)], 20.0])
    for signed, least in ((False, 0.0), (True, -1.0)):
        levels = 7 if signed else 15
        x = values.double().numpy()
        x = x if signed else x.clip(min=0)

        def error(limit: float, x: np.ndarray = x, least: float = least, n: int = levels) -> float:
            step = limit / n
            return float(((np.clip(np.round(x / step), least * n, n) * step - x) ** 2).sum())

        limits = [20 * part / 64 for part in range(1, 65)]
        found = best_limit(values, 4, signed=signed)
        assert found in limits
        assert error(found) <= min(map(error, limits)) * (1 + 1e-5)
    assert best_limit(torch.tensor([-3.0, 1.0]), 1, signed=True) == 2
    assert best_limit(torch.tensor([-3.0, 0.0]), 4, signed=False) == 0


@pytest.mark.parametrize(
    ("name", "equalize"),
    [("CNV", False), ("DS_CNN", True), ("RESNET8", True), ("LBCNN", False), ("ATTENTION", True)],
)
def test_eight_bits_say_what_floats_do(name: str, equalize: bool) -> None:
    shape, options = TINY[name].shape, TINY[name].options
    torch.manual_seed(0)
    start = build_model(f"{name}_FLOAT", shape, CLASSES, **options)
    pixels = torch.from_numpy(random_images(shape, 50).astype(np.float32)) / 255
    section = StartSection("x", equalize=equalize)
    recipe = replace(asked(8, section), model=ModelSection(name, options))
    with torch.no_grad(), threads_and_generator_kept(1):
        recalibrate(start, [pixels])
        wanted = start(pixels)
        calibrated, model = quantized_as(recipe, start, shape, CLASSES, pixels)
        logits = values_of(model.eval()(pixels))
    both = [(x - x.mean(1, keepdim=True)).flatten() for x in (wanted, logits)]
    assert float(torch.corrcoef(torch.stack(both))[0, 1]) > 0.97
    # the ranges are written down: from the recipe with them the same comes out
    assert isinstance(calibrated.quantization, dict)
    assert calibrated.quantization["layers"]


def test_weights_of_a_constant_range_are_scaled_to_it_with_biases_that_are_corrected() -> None:
    shape, options = TINY["MOBILENET_V1"].shape, TINY["MOBILENET_V1"].options
    torch.manual_seed(0)
    start = build_model("MOBILENET_V1_FLOAT", shape, CLASSES, **options)
    pixels = torch.from_numpy(random_images(shape, 30).astype(np.float32)) / 255
    recipe = replace(asked(4, StartSection("x")), model=ModelSection("MOBILENET_V1", options))
    with torch.no_grad(), threads_and_generator_kept(1):
        recalibrate(start, [pixels])
        _, model = quantized_as(recipe, start, shape, CLASSES, pixels)
        layer = model.get_submodule("classifier")
    weight, bias = layer.get_parameter("weight"), layer.get_parameter("bias")
    own = start.get_submodule("classifier")
    factor = 1 / own.get_parameter("weight").abs().max()
    assert torch.equal(weight, own.get_parameter("weight") * factor)
    correction = bias - own.get_parameter("bias") * factor
    assert 0 < correction.abs().max() < 0.1


def test_a_model_is_quantized_without_training_and_becomes_hardware(
    floats: TrainResult, tmp_path: Path
) -> None:
    start = StartSection(str(floats.checkpoint.parents[1]))
    result = train(asked(4, start), output=tmp_path / "a", progress=False)
    assert result.accuracy > floats.accuracy - 0.03
    assert (result.epoch, result.history) == (-1, ())
    whole = read_recipe(tmp_path / "a" / "recipe.toml")
    again = train(whole, output=tmp_path / "b", progress=False)
    assert again.onnx.read_bytes() == result.onnx.read_bytes()
    assert read_recipe(tmp_path / "b" / "recipe.toml") == whole
    resumed = train(asked(4, start), output=tmp_path / "a", progress=False, resume=True)
    assert resumed.onnx.read_bytes() == result.onnx.read_bytes()
    digits = load_dataset("digits")
    build = lutloom.compile(
        result.onnx,
        tmp_path / "build",
        data=digits.test_x[:32],
    )
    assert lutloom.verify(build, digits.test_x[:32], samples=8, csim=False).passed


def test_evened_out_channels_suit_one_scale_better(floats: TrainResult, tmp_path: Path) -> None:
    found = {}
    for equalize in (False, True):
        start = StartSection(str(floats.checkpoint), equalize=equalize)
        found[equalize] = train(asked(2, start), output=tmp_path / f"{equalize}", progress=False)
    assert found[True].accuracy > found[False].accuracy + 0.1


def test_training_begins_where_the_floats_ended(floats: TrainResult, tmp_path: Path) -> None:
    start = StartSection(str(floats.checkpoint))
    begun = train(asked(4, start, epochs=1), output=tmp_path / "begun", progress=False)
    fresh = train(asked(4, None, epochs=1), output=tmp_path / "fresh", progress=False)
    assert begun.history[0].accuracy > 0.9
    assert fresh.history[0].accuracy < 0.6
    with pytest.raises(TrainingError, match=r"start\.checkpoint was .* and is now None"):
        train(asked(4, None, epochs=1), output=tmp_path / "begun", resume=True, progress=False)


def test_what_is_no_start_is_refused(floats: TrainResult, tmp_path: Path) -> None:
    start = StartSection(str(floats.checkpoint))
    quantized = train(asked(4, start), output=tmp_path / "quantized", progress=False).checkpoint
    signed = {"activations": {"kind": "signed", "bits": 4}}
    for recipe, message in (
        (
            asked(4, None),
            r"^training\.epochs is 0, and there is no \[start\]: train for at least 1",
        ),
        (asked(4, StartSection(str(quantized))), r"^start\.checkpoint is that of SFC, which is qu"),
        (asked(4, start, name="TFC"), r"^start\.checkpoint is that of another model, whose .* not"),
        (asked(4, StartSection("nowhere")), r"^there is no checkpoint nowhere: give"),
        (
            replace(asked(4, start), quantization=signed),
            r"^layers\.quantize0 is a ReLU in the model in floats, and this one lets negative",
        ),
        (
            replace(asked(4, start, name="SFC_FLOAT"), quantization=None),
            r"^model\.name is 'SFC_FLOAT', in which nothing is quantized: say the bits",
        ),
    ):
        with pytest.raises(TrainingError, match=message):
            train(recipe, output=tmp_path / "none", progress=False)
    shape, options = TINY["LBCNN"].shape, TINY["LBCNN"].options
    fixed = build_model("LBCNN_FLOAT", shape, CLASSES, **options)
    recipe = replace(
        asked(4, StartSection("x", equalize=True)), model=ModelSection("LBCNN", options)
    )
    with pytest.raises(TrainingError, match=r"^start\.equalize would change filters that are fix"):
        quantized_as(recipe, fixed, shape, CLASSES, torch.rand(4, *shape))
