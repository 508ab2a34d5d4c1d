"""The convolutional networks, whole and reduced: what they are built by, and what they take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from lutloom.qat.calibration import calibrate, random_images
from lutloom.qat.models.blocks import Bits
from lutloom.qat.models.cnv import Cnv
from lutloom.qat.models.keyword_spotting import KeywordSpotting
from lutloom.qat.models.mobilenet import MobileNet
from lutloom.qat.models.vgg import Vgg16
from lutloom.qat.models.vgg10 import Vgg10

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Recipe:
    """A network: how it is made, the shape of its input, and the integers that go in.

    ``input_type`` and ``input_scale`` are the options of ``lutloom compile``.
    """

    make: Callable[[], torch.nn.Module]
    shape: tuple[int, ...]
    input_type: str = "uint8"
    input_scale: str = "1/255"

    def integers(self, count: int, seed: int = 0) -> NDArray[np.int64]:
        """Return random inputs as the integers that go in, (count, *shape)."""
        images = random_images(self.shape, count, seed).astype(np.int64)
        return images if self.input_type == "uint8" else images - 128

    def floats(self, integers: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return what the model takes for ``integers``."""
        numerator, denominator = map(int, self.input_scale.split("/"))
        return (integers * numerator / denominator).astype(np.float32)

    def calibrated(self, count: int = 32, seed: int = 0) -> torch.nn.Module:
        """Return the model with weights drawn from ``seed``, calibrated on ``count`` inputs."""
        torch.manual_seed(seed)
        model = self.make()
        calibrate(model, self.floats(self.integers(count, seed)), seed)
        return model


_SIGNED = ("int8", "1/128")

FULL: Mapping[str, Recipe] = {
    "cnv-1w1a": Recipe(lambda: Cnv(Bits(1, 1)), (3, 32, 32)),
    "cnv-1w2a": Recipe(lambda: Cnv(Bits(1, 2)), (3, 32, 32)),
    "cnv-2w2a": Recipe(lambda: Cnv(Bits(2, 2)), (3, 32, 32)),
    "vgg16-1w1a": Recipe(lambda: Vgg16(Bits(1, 1)), (3, 32, 32)),
    "vgg16-2w2a": Recipe(lambda: Vgg16(Bits(2, 2)), (3, 32, 32)),
    "vgg16-ds": Recipe(lambda: Vgg16(Bits(4, 4), separable=True), (3, 32, 32)),
    "vgg10": Recipe(lambda: Vgg10(Bits(4, 4)), (2, 1024), *_SIGNED),
    "kws": Recipe(lambda: KeywordSpotting(Bits(4, 4)), (1, 49, 10), *_SIGNED),
    "mobilenet-0.25": Recipe(lambda: MobileNet(4, alpha=0.25, image=96), (3, 96, 96)),
    "mobilenet-1.0": Recipe(lambda: MobileNet(4), (3, 224, 224)),
}
"""The networks at their published sizes."""

SMALL: Mapping[str, Recipe] = {
    "cnv-1w1a": Recipe(lambda: Cnv(Bits(1, 1), width=4), (3, 32, 32)),
    "cnv-1w2a": Recipe(lambda: Cnv(Bits(1, 2), width=4), (3, 32, 32)),
    "cnv-2w2a": Recipe(lambda: Cnv(Bits(2, 2), width=4), (3, 32, 32)),
    "vgg16-1w1a": Recipe(lambda: Vgg16(Bits(1, 1), width=4), (3, 32, 32)),
    "vgg16-2w2a": Recipe(lambda: Vgg16(Bits(2, 2), width=4), (3, 32, 32)),
    "vgg16-ds": Recipe(lambda: Vgg16(Bits(4, 4), separable=True, width=4), (3, 32, 32)),
    "vgg10": Recipe(lambda: Vgg10(Bits(4, 4), width=4, length=128), (2, 128), *_SIGNED),
    "kws": Recipe(
        lambda: KeywordSpotting(Bits(4, 4), width=6, frames=(1, 13, 6)), (1, 13, 6), *_SIGNED
    ),
    "mobilenet": Recipe(lambda: MobileNet(4, alpha=1 / 8, image=32, classes=10), (3, 32, 32)),
}
"""The same networks with few channels and small images: for tests, and for the exact oracle."""
