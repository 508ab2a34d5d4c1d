"""The networks of convolutions and branches: their sizes, and what their files compute."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("brevitas", reason="needs brevitas")

from lutloom.qat.brevitas_parts import (
    QuantConv1d,
    QuantConv2d,
    QuantConvTranspose2d,
    QuantLinear,
)
from lutloom.qat.calibration import variety
from lutloom.qat.export import export_qonnx
from lutloom.qat.models.autoencoder import Autoencoder
from lutloom.qat.models.cnv import Cnv
from lutloom.qat.models.keyword_spotting import KeywordSpotting
from lutloom.qat.models.mobilenet import MobileNet
from lutloom.qat.models.mobilenet_v2 import MobileNetV2
from lutloom.qat.models.resnet8 import ResNet8
from lutloom.qat.models.resnet18 import ResNet18
from lutloom.qat.models.resnet50 import ResNet50
from lutloom.qat.models.shufflenet import ShuffleNetV2
from lutloom.qat.models.squeezenet import SqueezeNet
from lutloom.qat.models.vgg import Vgg16
from lutloom.qat.models.vgg10 import Vgg10
from lutloom.qat.quantization import of_bits
from lutloom.qat.run import classify, run_model
from lutloom.streamline.executor import prepare
from tests.qat.networks import BRANCHED, FULL, SMALL, SMALL_BRANCHED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import torch

LAYERS = (QuantConv1d, QuantConv2d, QuantConvTranspose2d, QuantLinear)
SEPARABLE = partial(Vgg16, separable=True)


def layers_of(model: torch.nn.Module) -> list[torch.nn.Module]:
    return [module for module in model.modules() if isinstance(module, LAYERS)]


@pytest.mark.parametrize(
    ("make", "layers", "weights"),
    [
        # sums of the products of each layer's sizes, as the publications have them
        (partial(Cnv, of_bits(1, 1)), 9, 1_542_848),
        (partial(Vgg16, of_bits(2, 2)), 16, 14_710_464 + 2 * 512 * 512 + 5_120),
        (partial(SEPARABLE, of_bits(4, 4)), 28, 2_198_848),
        (partial(Vgg10, of_bits(4, 4)), 10, 159_104),
        (partial(KeywordSpotting, of_bits(4, 4)), 10, 22_016),
        (partial(MobileNet, of_bits(4, 4)), 28, 4_209_088),
        (partial(MobileNet, of_bits(4, 4), alpha=0.25), 28, 463_600),
        (partial(ResNet8, of_bits(4, 4)), 10, 77_360),
        (partial(Autoencoder, of_bits(4, 4)), 10, 264_192),
        # the parameters that torchvision counts, less those of norms (two a channel) and biases
        (partial(ResNet18, of_bits(4, 4)), 21, 11_173_962 - 9_600 - 10),
        (partial(ResNet50, of_bits(1, 2)), 54, 25_557_032 - 53_120 - 1_000),
        (partial(MobileNetV2, of_bits(4, 4)), 53, 3_504_872 - 34_112 - 1_000),
        (partial(ShuffleNetV2, of_bits(4, 4)), 57, 1_366_792 - 7_952 - 1_000),
        (partial(SqueezeNet, of_bits(4, 4)), 26, 1_235_496 - 3_944),
    ],
    ids=[
        *("cnv", "vgg16", "vgg16-ds", "vgg10", "kws", "mobilenet", "mobilenet-0.25", "resnet8"),
        *("autoencoder", "resnet18", "resnet50", "mobilenet-v2", "shufflenet", "squeezenet"),
    ],
)
def test_networks_are_as_large_as_their_publications_say(
    make: Callable[[], torch.nn.Module], layers: int, weights: int
) -> None:
    found = layers_of(make())
    assert len(found) == layers
    assert sum(layer.get_parameter("weight").numel() for layer in found) == weights


@pytest.mark.parametrize("name", SMALL)
def test_a_reduced_network_has_the_layers_of_the_whole_one(name: str) -> None:
    whole: dict[str, Callable[[], torch.nn.Module]] = {
        "cnv": partial(Cnv, of_bits(1, 1)),
        "vgg16": partial(Vgg16, of_bits(1, 1)),
        "vgg16-ds": partial(SEPARABLE, of_bits(4, 4)),
        "vgg10": partial(Vgg10, of_bits(4, 4)),
        "kws": partial(KeywordSpotting, of_bits(4, 4)),
        "mobilenet": partial(MobileNet, of_bits(4, 4)),
        **{
            each: FULL[each].make for each in ("cnv-separable-1w1a", "kws-mlp", "unsw-nb15", "jets")
        },
    }
    key = name if name in whole else name.split("-", maxsplit=1)[0]
    assert paths_of(SMALL[name].make()) == paths_of(whole[key]())


def paths_of(model: torch.nn.Module) -> set[str]:
    return {path for path, _ in model.named_modules() if "quant" not in path}


@pytest.mark.parametrize("name", [name for name in BRANCHED if name in SMALL_BRANCHED])
def test_a_reduced_network_with_branches_has_layers_of_the_whole_one(name: str) -> None:
    assert paths_of(SMALL_BRANCHED[name].make()) <= paths_of(BRANCHED[name].make())


@pytest.mark.parametrize("name", SMALL_BRANCHED)
def test_a_network_with_branches_uses_its_levels(name: str) -> None:
    recipe = SMALL_BRANCHED[name]
    found = variety(recipe.calibrated(16), recipe.floats(recipe.integers(16)))
    for use in found.activations:
        # few numbers of an image reach few of many levels
        assert use.used >= min(0.4 * use.levels, 20), use
        assert use.largest < 0.75, use
    # one channel of pixels has one largest
    assert len(found.classes) > 1 or name in {"espcn", "resize-conv"}


def test_a_keyword_spotter_takes_any_number_of_frames_and_coefficients() -> None:
    for frames in ((1, 11, 7), (1, 12, 6), (2, 9, 5)):
        model = KeywordSpotting(of_bits(4, 4), frames, 2, width=3).eval()
        logits = run_model(model, np.zeros((1, *frames), np.float32))
        assert logits.shape == (1, 2)


@pytest.mark.parametrize(
    ("name", "dynamo"),
    [
        ("cnv-1w1a", False),
        ("vgg10", False),
        ("kws", False),
        ("kws", True),
        ("mobilenet", False),
        ("resnet18", False),
        ("shufflenet", False),
        ("attention", True),
        ("unet", True),
    ],
)
def test_the_file_computes_what_the_model_does(tmp_path: Path, name: str, dynamo: bool) -> None:
    recipe = {**SMALL, **SMALL_BRANCHED}[name]
    model = recipe.calibrated()
    path = export_qonnx(model, tmp_path / "m.onnx", recipe.shape, dynamo=dynamo)
    x = recipe.floats(recipe.integers(8, seed=1))
    found = prepare(path, len(x)).run(x)["logits"]
    expected = run_model(model, x)
    # float32 sums in another order; a quantizer's tie may fall to the other side at the very most
    assert np.mean(classify(found) == classify(expected)) > 0.7
    assert np.median(np.abs(found - expected)) <= 2.0**-10 * np.abs(expected).max()
