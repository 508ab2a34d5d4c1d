"""ResNet-50 on images of 224x224, in FINN's form: low-bit layers around residuals of 4 bits.

What runs along the blocks is signed, of 4 bits, and of one scale in a stage: branch and sum share
the quantizer, so that sums need no multipliers. A block quantizes it to the bits of the
activations, behind a ReLU, before its first convolution. The first layer and the last have weights
of 8 bits. With quantizers of their own (``shared=False``) the scales of branches meet at each sum.

Reference: He et al., Deep Residual Learning for Image Recognition, CVPR 2016, with the stride on
the 3x3 convolutions as in torchvision; quantized, the ResNet-50 of finn-examples.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lutloom.qat.models.blocks import (
    Bits,
    activation,
    added,
    block,
    conv2d,
    input_quantizer,
    linear,
    signed,
)
from lutloom.qat.models.norm import TensorNorm

IMAGE = (3, 224, 224)
_STAGES = (3, 4, 6, 3)
_EXPANSION = 4
_END_BITS, _RESIDUAL_BITS = 8, 4
# Largest values of branches that don't share a quantizer: no multiples of one another, and no ties
# all the time, as round ones would make.
_BRANCH, _SHORTCUT = 0.93, 1.07


class Bottleneck(nn.Module):
    """y = q(q(w3 * q(w2 * q(w1 * q(x)))) + x): 1x1, 3x3 and 1x1 convolutions beside the residual.

    ``residual`` is the quantizer of the sum, and of its branches if ``shared``.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        bits: Bits,
        residual: nn.Module,
        *,
        stride: int = 1,
        shared: bool = True,
    ) -> None:
        super().__init__()
        outputs = _EXPANSION * width
        self.narrow = activation(bits.activations)
        self.is_projected = channels != outputs or stride > 1
        self.shortcut: nn.Module = nn.Identity()
        if self.is_projected:
            end = residual if shared else signed(_RESIDUAL_BITS, _SHORTCUT)
            self.shortcut = block(conv2d(channels, outputs, 1, bits.weights, stride=stride), end)
        middle = conv2d(width, width, 3, bits.weights, stride=stride, padding=1)
        end = residual if shared else signed(_RESIDUAL_BITS, _BRANCH)
        self.branch = nn.Sequential()
        self.branch.add_module(
            "conv0", block(conv2d(channels, width, 1, bits.weights), activation(bits.activations))
        )
        self.branch.add_module("conv1", block(middle, activation(bits.activations)))
        self.branch.add_module("conv2", block(conv2d(width, outputs, 1, bits.weights), end))
        self.quantize = residual

    def forward(self, x: Any) -> Any:  # noqa: ANN401 (Brevitas' tensor of a quantizer)
        """Return the quantized sum."""
        narrow = self.narrow(x)
        shortcut = self.shortcut(narrow if self.is_projected else x)
        return self.quantize(added(self.branch(narrow), shortcut))


class ResNet50(nn.Module):
    """ResNet-50: (N, 3, image, image) float pixels in [0, 1] to (N, classes) logits.

    ``width`` is the number of channels of the first layer; the others keep their ratio to it.
    ``image`` is a multiple of 32. ``shared`` says whether the branches of a sum share a quantizer.
    """

    def __init__(
        self,
        bits: Bits,
        *,
        shared: bool = True,
        classes: int = 1000,
        width: int = 64,
        image: int = IMAGE[1],
    ) -> None:
        super().__init__()
        self.quantize_input = input_quantizer()
        first = conv2d(IMAGE[0], width, 7, _END_BITS, stride=2, padding=3)
        self.conv0 = block(first, signed(_RESIDUAL_BITS))
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.blocks = nn.Sequential()
        channels = width
        for stage, blocks in enumerate(_STAGES):
            residual = signed(_RESIDUAL_BITS)
            for number in range(blocks):
                module = Bottleneck(
                    channels,
                    width << stage,
                    bits,
                    residual,
                    stride=2 if stage > 0 and number == 0 else 1,
                    shared=shared,
                )
                self.blocks.add_module(f"block{stage}{number}", module)
                channels = _EXPANSION * (width << stage)
        self.relu = activation(_RESIDUAL_BITS)
        self.mean = nn.AvgPool2d(image // 32)
        self.flatten = nn.Flatten()
        self.classifier = linear(channels, classes, _END_BITS)
        self.norm = TensorNorm()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch."""
        features = self.pool(self.conv0(self.quantize_input(2.0 * pixels - 1.0)))
        mean = self.mean(self.relu(self.blocks(features)))
        logits: torch.Tensor = self.norm(self.classifier(self.flatten(mean)))
        return logits
