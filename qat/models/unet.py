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
from lutloom.qat.models.blocks import (
    Quantizer,
    activation_up_to,
    block,
    centred,
    conv2d,
    conv2d_block,
    input_quantizer,
    joined,
)
from lutloom.qat.quantization import Quantization
from lutloom.qat.quantizers import weight_quantizer
from lutloom.qat.run import values_of

IMAGE = (3, 64, 64)
# The largest value of what comes up where it doesn't share the quantizer of what passes.
_OTHER = 0.7


class UNet(nn.Module):
    """U-Net: (N, C, H, W) float pixels in [0, 1] to (N, classes, H, W) logits.

    ``width`` is the number of channels of the first level; H and W are multiples of 4.
    """

    def __init__(
        self,
        quantization: Quantization,
        input_shape: tuple[int, ...] = IMAGE,
        classes: int = 4,
        *,
        transposed: bool = False,
        shared: bool = True,
        width: int = 16,
    ) -> None:
        super().__init__()
        self.quantize_input = input_quantizer()
        at = quantization.at
        self.down0 = _level(at("down0"), input_shape[0], width)
        self.down1 = _level(at("down1"), width, 2 * width)
        self.bottom = _level(at("bottom"), 2 * width, 4 * width)
        ends: list[Quantizer | nn.Module] = [
            down.get_submodule("conv1.quantize") if shared else activation_up_to(_OTHER)
            for down in (self.down0, self.down1)
        ]
        self.rise1 = _rise(at("rise1"), 4 * width, ends[1], transposed=transposed)
        self.up1 = _level(at("up1"), 4 * width, 2 * width)
        self.rise0 = _rise(at("rise0"), 2 * width, ends[0], transposed=transposed)
        self.up0 = _level(at("up0"), 2 * width, width)
        self.pool = nn.MaxPool2d(2)
        self.classes = conv2d(width, classes, 1, at("classes").weights)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits of each pixel of a batch."""
        passed0 = self.down0(self.quantize_input(centred(pixels)))
        passed1 = self.down1(self.pool(passed0))
        x: Any = self.bottom(self.pool(passed1))
        x = self.up1(joined(passed1, self.rise1(values_of(x))))
        x = self.up0(joined(passed0, self.rise0(values_of(x))))
        logits: torch.Tensor = self.classes(x)
        return logits


def _level(quantization: Quantization, channels: int, outputs: int) -> nn.Sequential:
    sequence = nn.Sequential()
    for number in range(2):
        name = f"conv{number}"
        layer = conv2d_block(quantization.at(name), channels, outputs, padding=1)
        sequence.add_module(name, layer)
        channels = outputs
    return sequence


def _rise(
    quantization: Quantization, channels: int, end: Quantizer | nn.Module, *, transposed: bool
) -> nn.Sequential:
    """Return what doubles height and width and halves the channels."""
    outputs = channels // 2
    sequence = nn.Sequential()
    if transposed:
        weights = weight_quantizer(quantization.at("layer").weights)
        layer = QuantConvTranspose2d(
            channels, outputs, 2, stride=2, bias=False, weight_quant=weights
        )
        if not isinstance(end, nn.Module):
            end = end(quantization.at("quantize").activations, outputs)
        return block(layer, end)
    sequence.add_module("repeat", nn.Upsample(scale_factor=2, mode="nearest"))
    layer = conv2d_block(quantization.at("conv"), channels, outputs, padding=1, quantizer=end)
    sequence.add_module("conv", layer)
    return sequence
