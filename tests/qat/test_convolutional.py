"""The convolutional networks: their sizes, and what the files that leave them compute."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("brevitas", reason="needs brevitas")

from lutloom.qat.brevitas_parts import QuantConv1d, QuantConv2d, QuantLinear
from lutloom.qat.export import export_qonnx
from lutloom.qat.models.blocks import Bits
from lutloom.qat.models.cnv import Cnv
from lutloom.qat.models.keyword_spotting import KeywordSpotting
from lutloom.qat.models.mobilenet import MobileNet
from lutloom.qat.models.vgg import Vgg16
from lutloom.qat.models.vgg10 import Vgg10
from lutloom.qat.run import classify, run_model
from lutloom.streamline.executor import prepare
from tests.qat.networks import SMALL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import torch

LAYERS = (QuantConv1d, QuantConv2d, QuantLinear)
SEPARABLE = partial(Vgg16, separable=True)


def layers_of(model: torch.nn.Module) -> list[torch.nn.Module]:
    return [module for module in model.modules() if isinstance(module, LAYERS)]


@pytest.mark.parametrize(
    ("make", "layers", "weights"),
    [
        # sums of the products of each layer's sizes, as the publications have them
        (partial(Cnv, Bits(1, 1)), 9, 1_542_848),
        (partial(Vgg16, Bits(2, 2)), 16, 14_710_464 + 2 * 512 * 512 + 5_120),
        (partial(SEPARABLE, Bits(4, 4)), 28, 2_198_848),
        (partial(Vgg10, Bits(4, 4)), 10, 159_104),
        (partial(KeywordSpotting, Bits(4, 4)), 10, 22_016),
        (MobileNet, 28, 4_209_088),
        (partial(MobileNet, alpha=0.25), 28, 463_600),
    ],
    ids=["cnv", "vgg16", "vgg16-ds", "vgg10", "kws", "mobilenet", "mobilenet-0.25"],
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
        "cnv": partial(Cnv, Bits(1, 1)),
        "vgg16": partial(Vgg16, Bits(1, 1)),
        "vgg16-ds": partial(SEPARABLE, Bits(4, 4)),
        "vgg10": partial(Vgg10, Bits(4, 4)),
        "kws": partial(KeywordSpotting, Bits(4, 4)),
        "mobilenet": MobileNet,
    }
    key = name if name in whole else name.split("-", maxsplit=1)[0]
    paths = [
        {path for path, _ in model.named_modules() if "quant" not in path}
        for model in (whole[key](), SMALL[name].make())
    ]
    assert paths[0] == paths[1]


def test_a_keyword_spotter_takes_any_number_of_frames_and_coefficients() -> None:
    for frames in ((1, 11, 7), (1, 12, 6), (2, 9, 5)):
        model = KeywordSpotting(Bits(4, 4), width=3, frames=frames, classes=2).eval()
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
    ],
)
def test_the_file_computes_what_the_model_does(tmp_path: Path, name: str, dynamo: bool) -> None:
    recipe = SMALL[name]
    model = recipe.calibrated()
    path = export_qonnx(model, tmp_path / "m.onnx", recipe.shape, dynamo=dynamo)
    x = recipe.floats(recipe.integers(8, seed=1))
    found = prepare(path, len(x)).run(x)["logits"]
    expected = run_model(model, x)
    # float32 sums in another order; a quantizer's tie may fall to the other side at the very most
    assert np.mean(classify(found) == classify(expected)) > 0.7
    assert np.median(np.abs(found - expected)) <= 2.0**-10 * np.abs(expected).max()
