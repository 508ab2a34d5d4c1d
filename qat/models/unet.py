"""U-Net: two levels down, two up again, the features of each level concatenated on the way.

Each level is two 3x3 convolutions; the way down are poolings, the way up repeated pixels and a 3x3
convolution, or a transposed 2x2 one (``transposed``). The result has logits for each pixel. What
passes and what comes up share a quantizer, unless ``shared=False`` gives each its own.

Reference: Ronneberger et al., U-Net: Convolutional Networks for Biomedical Image Segmentation,
MICCAI 2015; padded, with batch normalization, and small.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lutloom.qat.brevitas_parts import QuantConvTranspose2d
from lutloom.qat.models.blocks import Bits, activation, block, conv2d, input_quantizer, joined
from lutloom.qat.quantizers import channel_weight_quantizer
from lutloom.qat.run import values_of

IMAGE = (3, 64, 64)
# The largest value of what comes up where it doesn't share the quantizer of what passes.
_OTHER = 0.7


class UNet(nn.Module):
    """U-Net: (N, 3, H, W) float pixels in [0, 1] to (N, classes, H, W) logits.

    ``width`` is the number of channels of the first level; H and W are multiples of 4.
    """

    def __init__(
        self,
        bits: Bits,
        *,
        transposed: bool = False,
        shared: bool = True,
        classes: int = 4,
        width: int = 16,
    ) -> None:
        super().__init__()
        self.quantize_input = input_quantizer()
        self.down0 = _level(IMAGE[0], width, bits)
        self.down1 = _level(width, 2 * width, bits)
        self.bottom = _level(2 * width, 4 * width, bits)
        ends = [
            down.get_submodule("conv1.quantize")
            if shared
            else activation(bits.activations, limit=_OTHER)
            for down in (self.down0, self.down1)
        ]
        self.rise1 = _rise(4 * width, bits, ends[1], transposed=transposed)
        self.up1 = _level(4 * width, 2 * width, bits)
        self.rise0 = _rise(2 * width, bits, ends[0], transposed=transposed)
        self.up0 = _level(2 * width, width, bits)
        self.pool = nn.MaxPool2d(2)
        self.classes = conv2d(width, classes, 1, bits.weights)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits of each pixel of a batch."""
        passed0 = self.down0(self.quantize_input(2.0 * pixels - 1.0))
        passed1 = self.down1(self.pool(passed0))
        x: Any = self.bottom(self.pool(passed1))
        x = self.up1(joined(passed1, self.rise1(values_of(x))))
        x = self.up0(joined(passed0, self.rise0(values_of(x))))
        logits: torch.Tensor = self.classes(x)
        return logits


def _level(channels: int, outputs: int, bits: Bits) -> nn.Sequential:
    sequence = nn.Sequential()
    for number in range(2):
        layer = conv2d(channels, outputs, 3, bits.weights, padding=1)
        sequence.add_module(f"conv{number}", block(layer, activation(bits.activations)))
        channels = outputs
    return sequence


def _rise(channels: int, bits: Bits, end: nn.Module, *, transposed: bool) -> nn.Sequential:
    """Return what doubles height and width and halves the channels."""
    outputs = channels // 2
    sequence = nn.Sequential()
    if transposed:
        weights = channel_weight_quantizer(bits.weights)
        layer = QuantConvTranspose2d(
            channels, outputs, 2, stride=2, bias=False, weight_quant=weights
        )
        sequence.add_module("layer", layer)
        sequence.add_module("norm", nn.BatchNorm2d(outputs))
        sequence.add_module("quantize", end)
        return sequence
    sequence.add_module("repeat", nn.Upsample(scale_factor=2, mode="nearest"))
    layer = conv2d(channels, outputs, 3, bits.weights, padding=1)
    sequence.add_module("conv", block(layer, end))
    return sequence
