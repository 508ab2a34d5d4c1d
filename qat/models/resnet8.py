"""ResNet-8 on images of 32x32: one convolution, three residual blocks, a mean, a layer.

16-32-64 channels; every quantizer has a scale of its own, so that two meet at each sum.

Reference: Banbury et al., MLPerf Tiny Benchmark, NeurIPS 2021 (image classification); He et al.,
Deep Residual Learning for Image Recognition, CVPR 2016.
"""

from __future__ import annotations

import torch
from torch import nn

from lutloom.qat.models.blocks import Bits, activation, block, conv2d, input_quantizer, linear
from lutloom.qat.models.norm import TensorNorm
from lutloom.qat.models.resnet18 import BasicBlock

IMAGE = (3, 32, 32)


class ResNet8(nn.Module):
    """ResNet-8: (N, 3, image, image) float pixels in [0, 1] to (N, classes) logits.

    ``width`` is the number of channels of the first layer; ``image`` is a multiple of 4.
    """

    def __init__(
        self, bits: Bits, *, classes: int = 10, width: int = 16, image: int = IMAGE[1]
    ) -> None:
        super().__init__()
        self.quantize_input = input_quantizer()
        self.features = nn.Sequential()
        first = conv2d(IMAGE[0], width, 3, bits.weights, padding=1)
        self.features.add_module("conv0", block(first, activation(bits.activations)))
        channels = width
        for number, times in enumerate((1, 2, 4)):
            stride = 2 if number > 0 else 1
            module = BasicBlock(channels, times * width, bits, stride=stride)
            self.features.add_module(f"block{number}", module)
            channels = times * width
        self.mean = nn.AvgPool2d(image // 4)
        self.flatten = nn.Flatten()
        self.classifier = linear(channels, classes, bits.weights)
        self.norm = TensorNorm()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch."""
        features = self.features(self.quantize_input(2.0 * pixels - 1.0))
        logits: torch.Tensor = self.norm(self.classifier(self.flatten(self.mean(features))))
        return logits
