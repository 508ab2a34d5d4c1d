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

from lutloom.qat.models.blocks import added, block, conv2d, conv2d_block
from lutloom.qat.models.shortcut_net import ShortcutNet, with_ends
from lutloom.qat.quantization import Quantization, WeightKind, WeightSpec
from lutloom.qat.quantizers import activation

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


class LocalBinaryNet(ShortcutNet):
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
        quantization = with_ends(quantization)
        conv0 = conv2d_block(quantization.at("conv0"), input_shape[0], width, padding=1)
        residual = conv0.get_submodule("quantize")
        blocks = nn.Sequential()
        within = quantization.at("blocks")
        height, across = input_shape[1:]
        for number in range(depth):
            name = f"block{number}"
            module = LocalBinary(within.at(name), width, patterns, residual, density=density)
            blocks.add_module(name, module)
            if min(height, across) > _MEAN_SIDE and number % 2:
                blocks.add_module(f"pool{number}", nn.MaxPool2d(2))
                height, across = height // 2, across // 2
        super().__init__(quantization, conv0, blocks, (height, across), width, classes)
