"""Local binary convolutions: fixed sparse filters of -1, 0 and 1, and a learned 1x1 behind.

The fixed 3x3 filters, the anchors, are drawn once and never trained: of their weights the share
``density`` is not zero, half of these 1 and half -1. What is learned are the 1x1 convolutions that
mix their quantized responses. Each such pair has a residual around it; sums and branches share a
quantizer of 8 bits. The first and the last layer have weights of 8 bits.

Reference: Juefei-Xu, Boddeti and Savvides, Local Binary Convolutional Neural Networks, CVPR 2017;
there between the mean and the classes is one more layer.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lutloom.qat.models.blocks import (
    EIGHT_BITS,
    added,
    block,
    centred,
    conv2d,
    conv2d_block,
    input_quantizer,
    linear,
)
from lutloom.qat.models.norm import TensorNorm
from lutloom.qat.models.real_residuals import SUMS
from lutloom.qat.quantization import Quantization, WeightKind, WeightSpec
from lutloom.qat.quantizers import activation
from lutloom.qat.run import values_of

IMAGE = (3, 32, 32)
_TERNARY = WeightSpec(WeightKind.CONSTANT, 2)
_MEAN_SIDE = 8


def anchors(channels: int, patterns: int, density: float) -> nn.Module:
    """Return the convolution of ``patterns`` fixed 3x3 filters, drawn from torch's generator."""
    layer = conv2d(channels, patterns, 3, _TERNARY, padding=1)
    weight = layer.get_parameter("weight").requires_grad_(False)  # noqa: FBT003 (torch has no name for it)
    signs = torch.where(torch.rand_like(weight) < 0.5, -1.0, 1.0)
    weight.copy_(signs * (torch.rand_like(weight) < density))
    return layer


class LocalBinary(nn.Module):
    """y = q(q(norm(w * q(norm(a * x)))) + x), the anchors a fixed, w of 1x1: to the same shape."""

    def __init__(
        self,
        quantization: Quantization,
        channels: int,
        patterns: int,
        residual: nn.Module,
        *,
        density: float,
    ) -> None:
        super().__init__()
        spec = quantization.at("anchors").at("quantize").activations
        fixed = anchors(channels, patterns, density)
        self.anchors = block(fixed, activation(spec, patterns))
        self.mix = conv2d_block(quantization.at("mix"), patterns, channels, 1, quantizer=residual)
        self.quantize = residual

    def forward(self, x: Any) -> Any:  # noqa: ANN401 (Brevitas' tensor of a quantizer)
        """Return the quantized sum."""
        return self.quantize(added(self.mix(self.anchors(x)), x))


class LocalBinaryNet(nn.Module):
    """Local binary convolutions: (N, C, H, W) float pixels in [0, 1] to (N, classes) logits.

    ``depth`` pairs with a residual have ``width`` channels and ``patterns`` anchors each. Every
    second is followed by a pooling, as long as both sides have more than 8 pixels.
    """

    def __init__(
        self,
        quantization: Quantization,
        input_shape: tuple[int, ...] = IMAGE,
        classes: int = 10,
        *,
        depth: int = 8,
        width: int = 64,
        patterns: int = 128,
        density: float = 0.5,
    ) -> None:
        super().__init__()
        quantization = quantization.or_else(
            {"conv0": EIGHT_BITS, "classifier": EIGHT_BITS}, {"conv0": SUMS}
        )
        self.quantize_input = input_quantizer()
        self.conv0 = conv2d_block(quantization.at("conv0"), input_shape[0], width, padding=1)
        residual = self.conv0.get_submodule("quantize")
        self.blocks = nn.Sequential()
        within = quantization.at("blocks")
        height, across = input_shape[1:]
        for number in range(depth):
            name = f"block{number}"
            module = LocalBinary(within.at(name), width, patterns, residual, density=density)
            self.blocks.add_module(name, module)
            if min(height, across) > _MEAN_SIDE and number % 2:
                self.blocks.add_module(f"pool{number}", nn.MaxPool2d(2))
                height, across = height // 2, across // 2
        self.mean = nn.AvgPool2d((height, across))
        self.flatten = nn.Flatten()
        self.classifier = linear(width, classes, quantization.at("classifier").weights)
        self.norm = TensorNorm()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch."""
        features = self.blocks(self.conv0(self.quantize_input(centred(pixels))))
        mean = self.flatten(self.mean(values_of(features)))
        logits: torch.Tensor = self.norm(self.classifier(mean))
        return logits
