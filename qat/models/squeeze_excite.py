"""A squeeze-and-excite net: residual blocks whose channels are weighted by what the image shows.

The mean of each channel goes through two small layers to a gate between 0 and 1, which multiplies
all pixels of that channel.

Reference: Hu et al., Squeeze-and-Excitation Networks, CVPR 2018.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lutloom.qat.brevitas_parts import QuantSigmoid
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
from lutloom.qat.quantizers import relu_quantizer
from lutloom.qat.run import values_of

IMAGE = (3, 32, 32)
_REDUCTION = 4
_GATE_BITS = 8
# The largest mean of a channel that is told from larger ones.
_MEAN = 0.25


class SqueezeExcite(nn.Module):
    """y = q(x * q(sigmoid(w2 * q(w1 * q(mean(x)))))): (N, channels, H, W) to the same."""

    def __init__(self, channels: int, bits: Bits) -> None:
        super().__init__()
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.quantize_mean = signed(_GATE_BITS, _MEAN)
        squeeze = conv2d(channels, max(channels // _REDUCTION, 1), 1, bits.weights)
        self.squeeze = block(squeeze, activation(bits.activations))
        self.excite = conv2d(max(channels // _REDUCTION, 1), channels, 1, bits.weights)
        self.gate = QuantSigmoid(act_quant=relu_quantizer(_GATE_BITS), return_quant_tensor=True)
        self.quantize = signed(bits.activations)

    def forward(self, x: Any) -> Any:  # noqa: ANN401 (Brevitas' tensor of a quantizer)
        """Return the weighted channels."""
        mean = self.quantize_mean(self.mean(values_of(x)))
        gate = self.gate(self.excite(self.squeeze(mean)))
        return self.quantize(values_of(x) * values_of(gate))


class SqueezeExciteNet(nn.Module):
    """Blocks with a gate each: (N, 3, H, W) float pixels in [0, 1] to (N, classes) logits.

    ``width`` is the number of channels of the first block, which doubles with each of ``blocks``.
    """

    def __init__(self, bits: Bits, *, classes: int = 10, width: int = 16, blocks: int = 3) -> None:
        super().__init__()
        self.quantize_input = input_quantizer()
        first = conv2d(IMAGE[0], width, 3, bits.weights, padding=1)
        self.conv0 = block(first, activation(bits.activations))
        self.branches, self.shortcuts, self.sums = (nn.ModuleList() for _ in range(3))
        channels = width
        for number in range(blocks):
            outputs = width << number
            branch = nn.Sequential()
            layer = conv2d(channels, outputs, 3, bits.weights, stride=2, padding=1)
            branch.add_module("conv", block(layer, signed(bits.activations)))
            branch.add_module("gate", SqueezeExcite(outputs, bits))
            self.branches.append(branch)
            shortcut = conv2d(channels, outputs, 1, bits.weights, stride=2)
            self.shortcuts.append(block(shortcut, signed(bits.activations)))
            self.sums.append(activation(bits.activations))
            channels = outputs
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = linear(channels, classes, bits.weights)
        self.norm = TensorNorm()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch."""
        x = self.conv0(self.quantize_input(2.0 * pixels - 1.0))
        for branch, shortcut, quantize in zip(
            self.branches, self.shortcuts, self.sums, strict=True
        ):
            x = quantize(added(branch(x), shortcut(x)))
        mean = self.flatten(self.mean(values_of(x)))
        logits: torch.Tensor = self.norm(self.classifier(mean))
        return logits
