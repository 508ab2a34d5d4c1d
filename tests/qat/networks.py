"""The networks, whole and reduced: what they are built by, and what they take.

``FULL`` and ``SMALL`` are chains of convolutions, ``BRANCHED`` and ``SMALL_BRANCHED`` have branches
or give images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from lutloom.qat.calibration import calibrate, random_images
from lutloom.qat.export import OUTPUT_NAME
from lutloom.qat.models.attention import AttentionNet
from lutloom.qat.models.autoencoder import Autoencoder
from lutloom.qat.models.cnv import Cnv
from lutloom.qat.models.detector import Detector
from lutloom.qat.models.fc import FullyConnected
from lutloom.qat.models.keyword_spotting import KeywordSpotting
from lutloom.qat.models.local_binary import LocalBinaryNet
from lutloom.qat.models.mobilenet import MobileNet
from lutloom.qat.models.mobilenet_v2 import STAGES, MobileNetV2
from lutloom.qat.models.real_residuals import BiRealNet, ReActNet
from lutloom.qat.models.resnet8 import ResNet8
from lutloom.qat.models.resnet18 import ResNet18
from lutloom.qat.models.resnet50 import ResNet50
from lutloom.qat.models.separable_filters import SeparableCnv
from lutloom.qat.models.shufflenet import ShuffleNetV2
from lutloom.qat.models.squeeze_excite import SqueezeExciteNet
from lutloom.qat.models.squeezenet import SqueezeNet
from lutloom.qat.models.super_resolution import ResizeConvolution, SubPixel
from lutloom.qat.models.unet import UNet
from lutloom.qat.models.vgg import Vgg16
from lutloom.qat.models.vgg10 import Vgg10
from lutloom.qat.quantization import ActivationKind, of_bits

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Recipe:
    """A network: how it is made, the shape of its input, and the integers that go in.

    ``input_type`` and ``input_scale`` are the options of ``lutloom compile``; with ``images``
    images it is shown. ``outputs`` are names for what the model returns.
    """

    make: Callable[[], torch.nn.Module]
    shape: tuple[int, ...]
    input_type: str = "uint8"
    input_scale: str = "1/255"
    images: int = 32
    outputs: tuple[str, ...] = (OUTPUT_NAME,)

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
_FOUR = of_bits(4, 4)
_SHIFTED = of_bits(1, 1, ActivationKind.RSIGN)
_symmetric = partial(of_bits, kind=ActivationKind.SIGNED)


def _perceptron(
    shape: tuple[int, ...], classes: int, hidden: tuple[int, ...], bits: int, input_bits: int
) -> torch.nn.Module:
    quantization = of_bits(bits, bits)
    return FullyConnected(quantization, shape, classes, hidden=hidden, input_bits=input_bits)


FULL: Mapping[str, Recipe] = {
    "cnv-1w1a": Recipe(lambda: Cnv(_symmetric(1, 1)), (3, 32, 32)),
    "cnv-1w2a": Recipe(lambda: Cnv(_symmetric(1, 2)), (3, 32, 32)),
    "cnv-2w2a": Recipe(lambda: Cnv(_symmetric(2, 2)), (3, 32, 32)),
    "vgg16-1w1a": Recipe(lambda: Vgg16(of_bits(1, 1)), (3, 32, 32)),
    "vgg16-2w2a": Recipe(lambda: Vgg16(of_bits(2, 2)), (3, 32, 32)),
    "vgg16-ds": Recipe(lambda: Vgg16(_FOUR, separable=True), (3, 32, 32)),
    "vgg10": Recipe(lambda: Vgg10(_FOUR, signed_input=True), (2, 1024), *_SIGNED),
    "kws": Recipe(lambda: KeywordSpotting(_FOUR, signed_input=True), (1, 49, 10), *_SIGNED),
    "mobilenet-0.25": Recipe(lambda: MobileNet(_FOUR, (3, 96, 96), alpha=0.25), (3, 96, 96)),
    "mobilenet-1.0": Recipe(lambda: MobileNet(_FOUR), (3, 224, 224)),
    "cnv-separable-1w1a": Recipe(lambda: SeparableCnv(_symmetric(1, 1)), (3, 32, 32)),
    "kws-mlp": Recipe(partial(_perceptron, (1, 49, 10), 12, (256,) * 3, 3, 8), (1, 49, 10)),
    "unsw-nb15": Recipe(partial(_perceptron, (1, 1, 593), 2, (64,) * 3, 2, 1), (1, 1, 593)),
    "jets": Recipe(partial(_perceptron, (1, 1, 16), 5, (64, 32, 32), 6, 8), (1, 1, 16)),
}
"""The networks at their published sizes."""

SMALL: Mapping[str, Recipe] = {
    "cnv-1w1a": Recipe(lambda: Cnv(_symmetric(1, 1), width=4), (3, 32, 32)),
    "cnv-1w2a": Recipe(lambda: Cnv(_symmetric(1, 2), width=4), (3, 32, 32)),
    "cnv-2w2a": Recipe(lambda: Cnv(_symmetric(2, 2), width=4), (3, 32, 32)),
    "vgg16-1w1a": Recipe(lambda: Vgg16(of_bits(1, 1), width=4), (3, 32, 32)),
    "vgg16-2w2a": Recipe(lambda: Vgg16(of_bits(2, 2), width=4), (3, 32, 32)),
    "vgg16-ds": Recipe(lambda: Vgg16(_FOUR, separable=True, width=4), (3, 32, 32)),
    "vgg10": Recipe(lambda: Vgg10(_FOUR, (2, 128), width=4, signed_input=True), (2, 128), *_SIGNED),
    "kws": Recipe(
        lambda: KeywordSpotting(_FOUR, (1, 13, 6), width=6, signed_input=True),
        (1, 13, 6),
        *_SIGNED,
    ),
    "mobilenet": Recipe(lambda: MobileNet(_FOUR, (3, 32, 32), 10, alpha=1 / 8), (3, 32, 32)),
    "cnv-separable-1w1a": Recipe(lambda: SeparableCnv(_symmetric(1, 1), width=4), (3, 32, 32)),
    "kws-mlp": Recipe(partial(_perceptron, (1, 7, 5), 12, (9,) * 3, 3, 8), (1, 7, 5)),
    "unsw-nb15": Recipe(partial(_perceptron, (1, 1, 50), 2, (8,) * 3, 2, 1), (1, 1, 50)),
    "jets": Recipe(partial(_perceptron, (1, 1, 16), 5, (16, 8, 8), 6, 8), (1, 1, 16)),
}
"""The same networks with few channels and small images: for tests, and for the exact oracle."""

_BOXES = ("coarse", "fine")

BRANCHED: Mapping[str, Recipe] = {
    "resnet8": Recipe(lambda: ResNet8(_FOUR), (3, 32, 32)),
    "autoencoder": Recipe(lambda: Autoencoder(_FOUR, signed_input=True), (640,), *_SIGNED),
    "squeeze-excite": Recipe(lambda: SqueezeExciteNet(_FOUR), (3, 32, 32)),
    "attention": Recipe(lambda: AttentionNet(_FOUR), (3, 32, 32)),
    "espcn": Recipe(lambda: SubPixel(_FOUR), (1, 32, 32)),
    "resize-conv": Recipe(lambda: ResizeConvolution(_FOUR), (1, 32, 32)),
    "unet": Recipe(lambda: UNet(_FOUR), (3, 64, 64)),
    "unet-transposed": Recipe(lambda: UNet(_FOUR, transposed=True, shared=False), (3, 64, 64)),
    "detector": Recipe(lambda: Detector(_FOUR), (3, 96, 96), outputs=_BOXES),
    "detector-joined": Recipe(lambda: Detector(_FOUR, joined=True), (3, 96, 96)),
    "inverted-residual": Recipe(
        lambda: MobileNetV2(_FOUR, (3, 32, 32), 10, shared=False, last_width=64, stages=STAGES[:2]),
        (3, 32, 32),
    ),
    "shufflenet": Recipe(lambda: ShuffleNetV2(_FOUR, (3, 96, 96)), (3, 96, 96)),
    "squeezenet": Recipe(lambda: SqueezeNet(_FOUR), (3, 96, 96)),
    "mobilenet-v2": Recipe(lambda: MobileNetV2(_FOUR, (3, 96, 96), alpha=0.35), (3, 96, 96)),
    "resnet18": Recipe(lambda: ResNet18(_FOUR), (3, 32, 32)),
    "resnet18-separate": Recipe(lambda: ResNet18(_FOUR, shared=False), (3, 32, 32)),
    "resnet20": Recipe(lambda: ResNet8(_FOUR, blocks=3), (3, 32, 32)),
    "bireal18": Recipe(lambda: BiRealNet(_symmetric(1, 1)), (3, 32, 32)),
    "reactnet": Recipe(lambda: ReActNet(_SHIFTED), (3, 224, 224), images=8),
    "lbcnn": Recipe(lambda: LocalBinaryNet(_FOUR), (3, 32, 32)),
    "resnet50-1w2a": Recipe(lambda: ResNet50(of_bits(1, 2)), (3, 224, 224), images=8),
    "resnet50-2w2a": Recipe(lambda: ResNet50(of_bits(2, 2)), (3, 224, 224), images=8),
}
"""Networks with branches, and those that give images, at their published sizes."""

_TINY_V2 = partial(MobileNetV2, _FOUR, (3, 32, 32), 10, alpha=1 / 8, last_width=24)
_TINY_SHUFFLE = partial(
    ShuffleNetV2, _FOUR, (3, 32, 32), 10, width=8, last_width=16, repeats=(3, 2, 2)
)

SMALL_BRANCHED: Mapping[str, Recipe] = {
    "resnet8": Recipe(lambda: ResNet8(_FOUR, (3, 16, 16), width=4), (3, 16, 16)),
    "autoencoder": Recipe(lambda: Autoencoder(_FOUR, (24,), signed_input=True), (24,), *_SIGNED),
    "squeeze-excite": Recipe(lambda: SqueezeExciteNet(_FOUR, width=4, blocks=2), (3, 12, 12)),
    "attention": Recipe(lambda: AttentionNet(_FOUR, width=8, heads=2, blocks=1), (3, 12, 12)),
    "espcn": Recipe(lambda: SubPixel(_FOUR, width=6), (1, 7, 8)),
    "resize-conv": Recipe(lambda: ResizeConvolution(_FOUR, width=6, factor=3), (1, 7, 8)),
    "unet": Recipe(lambda: UNet(_FOUR, width=3), (3, 12, 8)),
    "unet-separate": Recipe(lambda: UNet(_FOUR, shared=False, width=3), (3, 12, 8)),
    "unet-transposed": Recipe(
        lambda: UNet(_FOUR, shared=False, transposed=True, width=4), (3, 12, 8)
    ),
    "detector": Recipe(lambda: Detector(_FOUR, width=2), (3, 32, 16), outputs=_BOXES),
    "detector-joined": Recipe(lambda: Detector(_FOUR, joined=True, width=2), (3, 32, 16)),
    "shufflenet": Recipe(_TINY_SHUFFLE, (3, 32, 32)),
    "shufflenet-separate": Recipe(partial(_TINY_SHUFFLE, shared=False), (3, 32, 32)),
    "squeezenet": Recipe(lambda: SqueezeNet(_FOUR, (3, 33, 33), 5, width=8), (3, 33, 33)),
    "squeezenet-separate": Recipe(
        lambda: SqueezeNet(_FOUR, (3, 33, 33), 5, shared=False, width=8), (3, 33, 33)
    ),
    "mobilenet-v2": Recipe(_TINY_V2, (3, 32, 32)),
    "mobilenet-v2-separate": Recipe(partial(_TINY_V2, shared=False), (3, 32, 32)),
    "resnet18": Recipe(lambda: ResNet18(_FOUR, width=4), (3, 16, 16)),
    "resnet18-separate": Recipe(lambda: ResNet18(_FOUR, shared=False, width=4), (3, 16, 16)),
    "resnet50-1w2a": Recipe(lambda: ResNet50(of_bits(1, 2), (3, 32, 32), 10, width=4), (3, 32, 32)),
    "resnet50-2w2a": Recipe(lambda: ResNet50(of_bits(2, 2), (3, 32, 32), 10, width=4), (3, 32, 32)),
    "resnet20": Recipe(lambda: ResNet8(_FOUR, (3, 16, 16), blocks=2, width=2), (3, 16, 16)),
    "bireal18": Recipe(
        lambda: BiRealNet(_symmetric(1, 1), (3, 8, 8), width=4, stages=(2, 2)), (3, 8, 8)
    ),
    "reactnet": Recipe(
        lambda: ReActNet(_SHIFTED, (3, 16, 16), 10, width=8, layers=((2, 1), (2, 2))), (3, 16, 16)
    ),
    "lbcnn": Recipe(
        lambda: LocalBinaryNet(_FOUR, (3, 9, 10), depth=2, width=4, patterns=6), (3, 9, 10)
    ),
    "resnet50-2w2a-separate": Recipe(
        lambda: ResNet50(of_bits(2, 2), (3, 32, 32), 10, shared=False, width=4), (3, 32, 32)
    ),
}
"""The same networks with few channels and small images: for tests, and for the exact oracle."""
