"""ResNet-18 on images of 32x32: eight blocks of two 3x3 convolutions, with a sum around each.

A sum is quantized behind a ReLU. As in Brevitas' example, its branches are unsigned and have one
quantizer between them, that of the sum in front or of the 1x1 convolution which replaces it where
the shape changes; so sums need no multipliers. With quantizers of their own (``shared=False``)
branches are signed, and their scales meet at each sum. The first and the last layer have weights
of 8 bits.

Reference: He et al., Deep Residual Learning for Image Recognition, CVPR 2016; without the first
pooling and with 4 bits, Brevitas' ResNet18_4W4A.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lutloom.qat.brevitas_parts import TruncAdaptiveAvgPool2d
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

IMAGE = (3, 32, 32)
_STAGES, _BLOCKS = (1, 2, 4, 8), 2
_END_BITS = 8
# Largest values of branches that don't share a quantizer: no multiples of one another, and no ties
# all the time, as round ones would make.
_BRANCH, _SHORTCUT = 0.73, 1.37


class BasicBlock(nn.Module):
    """y = relu(q(w2 * q(w1 * x)) + x): (N, channels, H, W) to (N, outputs, H / stride, ...).

    ``shared`` is the quantizer of ``x``, and becomes that of the branch, unless ``x`` goes through
    a convolution first: then it is the one behind that. With None each has its own. ``limit`` is
    the largest value of the result.
    """

    def __init__(
        self,
        channels: int,
        outputs: int,
        bits: Bits,
        *,
        stride: int = 1,
        shared: nn.Module | None = None,
        limit: float = 1.0,
    ) -> None:
        super().__init__()
        self.shortcut: nn.Module = nn.Identity()
        branch = shared if shared is not None else signed(bits.activations, _BRANCH)
        if stride > 1 or channels != outputs:
            end = signed(bits.activations, _SHORTCUT)
            if shared is not None:
                end = branch = activation(bits.activations)
            self.shortcut = block(conv2d(channels, outputs, 1, bits.weights, stride=stride), end)
        first = conv2d(channels, outputs, 3, bits.weights, stride=stride, padding=1)
        self.conv0 = block(first, activation(bits.activations))
        self.conv1 = block(conv2d(outputs, outputs, 3, bits.weights, padding=1), branch)
        self.quantize = activation(bits.activations, limit=limit)

    def forward(self, x: Any) -> Any:  # noqa: ANN401 (Brevitas' tensor of a quantizer)
        """Return the quantized sum."""
        return self.quantize(added(self.conv1(self.conv0(x)), self.shortcut(x)))


class ResNet18(nn.Module):
    """ResNet-18: (N, 3, 32, 32) float pixels in [0, 1] to (N, classes) logits.

    ``width`` is the number of channels of the first layer; the others keep their ratio to it.
    ``shared`` says whether the branches of a sum share a quantizer.
    """

    def __init__(
        self, bits: Bits, *, shared: bool = True, classes: int = 10, width: int = 64
    ) -> None:
        super().__init__()
        self.quantize_input = input_quantizer()
        first = conv2d(IMAGE[0], width, 3, _END_BITS, padding=1)
        end: nn.Module = activation(bits.activations)
        self.conv0 = block(first, end)
        self.blocks = nn.Sequential()
        channels = width
        for stage, times in enumerate(_STAGES):
            outputs = times * width
            for number in range(_BLOCKS):
                module = BasicBlock(
                    channels,
                    outputs,
                    bits,
                    stride=2 if stage > 0 and number == 0 else 1,
                    shared=end if shared else None,
                    # Two unsigned values of one quantizer add up to nearly twice as much; with
                    # twice as much, every second sum would be a tie.
                    limit=1.9 ** (number + 1) if shared else 1.0,
                )
                self.blocks.add_module(f"block{stage}{number}", module)
                channels, end = outputs, module.quantize
        self.mean = TruncAdaptiveAvgPool2d(1, bit_width=_END_BITS)
        self.flatten = nn.Flatten()
        self.classifier = linear(channels, classes, _END_BITS)
        self.norm = TensorNorm()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch."""
        features = self.blocks(self.conv0(self.quantize_input(2.0 * pixels - 1.0)))
        logits: torch.Tensor = self.norm(self.classifier(self.flatten(self.mean(features))))
        return logits
