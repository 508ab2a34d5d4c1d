"""ResNet-8 and ResNet-20 on small images: a convolution, residual blocks, a mean, a layer.

16-32-64 channels, one and three blocks of each; every quantizer has a scale of its own, so that two
meet at each sum.

References: Banbury et al., MLPerf Tiny Benchmark, NeurIPS 2021 (ResNet-8, image classification);
He et al., Deep Residual Learning for Image Recognition, CVPR 2016 (ResNet-20 for CIFAR-10; where
the shape changes its shortcuts have no weights, here they are 1x1 convolutions).
"""

from __future__ import annotations

from math import ceil

import torch
from torch import nn

from lutloom.qat.models.blocks import centred, conv2d_block, input_quantizer, linear
from lutloom.qat.models.norm import TensorNorm
from lutloom.qat.models.resnet18 import BRANCH, BasicBlock
from lutloom.qat.quantization import Quantization

IMAGE = (3, 32, 32)


class ResNet8(nn.Module):
    """ResNet-8, of 6 ``blocks`` + 2 layers: (N, C, H, W) float pixels in [0, 1] to logits.

    ``blocks`` is the number of residual blocks of each of three widths; ``width`` the number of
    channels of the first layer.
    """

    def __init__(
        self,
        quantization: Quantization,
        input_shape: tuple[int, ...] = IMAGE,
        classes: int = 10,
        *,
        blocks: int = 1,
        width: int = 16,
    ) -> None:
        super().__init__()
        self.quantize_input = input_quantizer()
        self.features = nn.Sequential()
        within = quantization.at("features")
        first = conv2d_block(within.at("conv0"), input_shape[0], width, padding=1)
        self.features.add_module("conv0", first)
        channels = width
        for stage, times in enumerate((1, 2, 4)):
            for number in range(blocks):
                # a stage of one block is called by its number alone
                name = f"block{stage}{number}" if blocks > 1 else f"block{stage}"
                stride = 2 if stage > 0 and number == 0 else 1
                module = BasicBlock(
                    within.at(name),
                    channels,
                    times * width,
                    stride=stride,
                    # each block adds a branch to what the one before it let through
                    limit=1.0 + BRANCH * number,
                )
                self.features.add_module(name, module)
                channels = times * width
        self.mean = nn.AvgPool2d((ceil(input_shape[1] / 4), ceil(input_shape[2] / 4)))
        self.flatten = nn.Flatten()
        self.classifier = linear(channels, classes, quantization.at("classifier").weights)
        self.norm = TensorNorm()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch."""
        features = self.features(self.quantize_input(centred(pixels)))
        logits: torch.Tensor = self.norm(self.classifier(self.flatten(self.mean(features))))
        return logits
