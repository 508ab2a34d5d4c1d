"""VGG16 on small images: thirteen padded 3x3 convolutions, five poolings, three linear layers.

Channels 64-64-P-128-128-P-256-256-256-P-512-512-512-P-512-512-512-P, then 512-512-10. The
depthwise-separable variant has a convolution of each channel by itself and one of 1x1 in the place
of each but the first.

Reference: Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image
Recognition, ICLR 2015; for 32x32 with batch normalization and narrow linear layers, Liu and Deng,
Very Deep Convolutional Neural Network Based Image Classification Using Small Training Sample Size,
ACPR 2015; the factors of a convolution, Howard et al., MobileNets, 2017.
"""

from __future__ import annotations

import torch
from torch import nn

from lutloom.qat.models.blocks import (
    centred,
    classifier,
    conv2d_block,
    depthwise_separable,
    input_quantizer,
)
from lutloom.qat.models.norm import TensorNorm
from lutloom.qat.quantization import Quantization

IMAGE = (3, 32, 32)
_STAGES = ((1, 1), (2, 2), (4, 4, 4), (8, 8, 8), (8, 8, 8))


class Vgg16(nn.Module):
    """VGG16: (N, C, H, W) float pixels in [0, 1] to (N, classes) logits.

    H and W are at least 32. ``width`` is the number of channels of the first layer; the others keep
    their ratio to it.
    """

    def __init__(
        self,
        quantization: Quantization,
        input_shape: tuple[int, ...] = IMAGE,
        classes: int = 10,
        *,
        separable: bool = False,
        width: int = 64,
    ) -> None:
        super().__init__()
        self.quantize_input = input_quantizer()
        self.features = nn.Sequential()
        within = quantization.at("features")
        number = 0
        channels, *size = input_shape
        for stage, layers in enumerate(_STAGES):
            for times in layers:
                outputs, name = times * width, f"conv{number}"
                if separable and number > 0:
                    module = depthwise_separable(within.at(name), channels, outputs)
                else:
                    module = conv2d_block(within.at(name), channels, outputs, padding=1)
                self.features.add_module(name, module)
                channels, number = outputs, number + 1
            self.features.add_module(f"pool{stage}", nn.MaxPool2d(2))
            size = [side // 2 for side in size]
        self.flatten = nn.Flatten()
        inputs = channels * size[0] * size[1]
        self.classifier = classifier(quantization.at("classifier"), inputs, 8 * width, classes)
        self.norm = TensorNorm()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch."""
        features = self.features(self.quantize_input(centred(pixels)))
        logits: torch.Tensor = self.norm(self.classifier(self.flatten(features)))
        return logits
