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
    added,
    centred,
    conv2d,
    conv2d_block,
    input_quantizer,
    linear,
    signed,
)
from lutloom.qat.models.norm import TensorNorm
from lutloom.qat.quantization import ActivationKind, ActivationSpec, Quantization
from lutloom.qat.quantizers import activation, relu_quantizer
from lutloom.qat.run import values_of

IMAGE = (3, 32, 32)
_REDUCTION = 4
_GATE_BITS = 8
# 1/4 is the largest mean of a channel that is told from larger ones.
_MEAN = ActivationSpec(ActivationKind.SIGNED, _GATE_BITS, limit=0.25)


class SqueezeExcite(nn.Module):
    """y = q(x * q(sigmoid(w2 * q(w1 * q(mean(x)))))): (N, channels, H, W) to the same."""

    def __init__(self, quantization: Quantization, channels: int) -> None:
        super().__init__()
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.quantize_mean = signed(_MEAN)
        squeezed = max(channels // _REDUCTION, 1)
        self.squeeze = conv2d_block(quantization.at("squeeze"), channels, squeezed, 1)
        self.excite = conv2d(squeezed, channels, 1, quantization.at("excite").weights)
        self.gate = QuantSigmoid(act_quant=relu_quantizer(_GATE_BITS), return_quant_tensor=True)
        self.quantize = signed(quantization.at("quantize").activations, channels)

    def forward(self, x: Any) -> Any:  # noqa: ANN401 (Brevitas' tensor of a quantizer)
        """Return the weighted channels."""
        mean = self.quantize_mean(self.mean(values_of(x)))
        gate = self.gate(self.excite(self.squeeze(mean)))
        return self.quantize(values_of(x) * values_of(gate))


class SqueezeExciteNet(nn.Module):
    """Blocks with a gate each: (N, C, H, W) float pixels in [0, 1] to (N, classes) logits.

    ``width`` is the number of channels of the first block, which doubles with each of ``blocks``.
    """

    def __init__(
        self,
        quantization: Quantization,
        input_shape: tuple[int, ...] = IMAGE,
        classes: int = 10,
        *,
        width: int = 16,
        blocks: int = 3,
    ) -> None:
        super().__init__()
        self.quantize_input = input_quantizer()
        self.conv0 = conv2d_block(quantization.at("conv0"), input_shape[0], width, padding=1)
        self.branches, self.shortcuts, self.sums = (nn.ModuleList() for _ in range(3))
        channels = width
        for number in range(blocks):
            outputs = width << number
            branch = nn.Sequential()
            within = quantization.at(f"branches.{number}")
            layer = conv2d_block(
                within.at("conv"), channels, outputs, stride=2, padding=1, quantizer=signed
            )
            branch.add_module("conv", layer)
            branch.add_module("gate", SqueezeExcite(within.at("gate"), outputs))
            self.branches.append(branch)
            within = quantization.at(f"shortcuts.{number}")
            shortcut = conv2d_block(within, channels, outputs, 1, stride=2, quantizer=signed)
            self.shortcuts.append(shortcut)
            self.sums.append(activation(quantization.at(f"sums.{number}").activations, outputs))
            channels = outputs
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = linear(channels, classes, quantization.at("classifier").weights)
        self.norm = TensorNorm()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch."""
        x = self.conv0(self.quantize_input(centred(pixels)))
        for branch, shortcut, quantize in zip(
            self.branches, self.shortcuts, self.sums, strict=True
        ):
            x = quantize(added(branch(x), shortcut(x)))
        mean = self.flatten(self.mean(values_of(x)))
        logits: torch.Tensor = self.norm(self.classifier(mean))
        return logits
