"""ResNet-18 on small images: eight blocks of two 3x3 convolutions, with a sum around each.

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
    EIGHT_BITS,
    Quantizer,
    added,
    centred,
    conv2d_block,
    input_quantizer,
    linear,
    reaching,
    signed_up_to,
)
from lutloom.qat.models.norm import TensorNorm
from lutloom.qat.quantization import Quantization
from lutloom.qat.quantizers import activation

IMAGE = (3, 32, 32)
_STAGES, _BLOCKS = (1, 2, 4, 8), 2
_MEAN_BITS = 8
# Largest values of branches that don't share a quantizer: no multiples of one another, and no ties
# all the time, as round ones would make.
BRANCH, _SHORTCUT = 0.73, 1.37


class BasicBlock(nn.Module):
    """y = relu(q(w2 * q(w1 * x)) + x): (N, channels, H, W) to (N, outputs, H / stride, ...).

    ``shared`` is the quantizer of ``x``, and becomes that of the branch, unless ``x`` goes through
    a convolution first: then it is the one behind that. With None each has its own. ``limit`` is a
    factor of the largest value of the result.
    """

    def __init__(
        self,
        quantization: Quantization,
        channels: int,
        outputs: int,
        *,
        stride: int = 1,
        shared: nn.Module | None = None,
        limit: float = 1.0,
    ) -> None:
        super().__init__()
        self.shortcut: nn.Module = nn.Identity()
        branch: Quantizer | nn.Module = signed_up_to(BRANCH) if shared is None else shared
        if stride > 1 or channels != outputs:
            shortcut = conv2d_block(
                quantization.at("shortcut"),
                channels,
                outputs,
                1,
                stride=stride,
                quantizer=activation if shared is not None else signed_up_to(_SHORTCUT),
            )
            if shared is not None:
                branch = shortcut.get_submodule("quantize")
            self.shortcut = shortcut
        self.conv0 = conv2d_block(
            quantization.at("conv0"), channels, outputs, stride=stride, padding=1
        )
        self.conv1 = conv2d_block(
            quantization.at("conv1"), outputs, outputs, padding=1, quantizer=branch
        )
        end = quantization.at("quantize").activations
        self.quantize = activation(reaching(end, limit), outputs)

    def forward(self, x: Any) -> Any:  # noqa: ANN401 (Brevitas' tensor of a quantizer)
        """Return the quantized sum."""
        return self.quantize(added(self.conv1(self.conv0(x)), self.shortcut(x)))


class ResNet18(nn.Module):
    """ResNet-18: (N, C, H, W) float pixels in [0, 1] to (N, classes) logits.

    ``width`` is the number of channels of the first layer; the others keep their ratio to it.
    ``shared`` says whether the branches of a sum share a quantizer.
    """

    def __init__(
        self,
        quantization: Quantization,
        input_shape: tuple[int, ...] = IMAGE,
        classes: int = 10,
        *,
        shared: bool = True,
        width: int = 64,
    ) -> None:
        super().__init__()
        quantization = quantization.or_else({"conv0": EIGHT_BITS, "classifier": EIGHT_BITS})
        self.quantize_input = input_quantizer()
        self.conv0 = conv2d_block(quantization.at("conv0"), input_shape[0], width, padding=1)
        end = self.conv0.get_submodule("quantize")
        self.blocks = nn.Sequential()
        within = quantization.at("blocks")
        channels = width
        for stage, times in enumerate(_STAGES):
            outputs = times * width
            for number in range(_BLOCKS):
                name = f"block{stage}{number}"
                module = BasicBlock(
                    within.at(name),
                    channels,
                    outputs,
                    stride=2 if stage > 0 and number == 0 else 1,
                    shared=end if shared else None,
                    # Two unsigned values of one quantizer add up to nearly twice as much; with
                    # twice as much, every second sum would be a tie.
                    limit=1.9 ** (number + 1) if shared else 1.0,
                )
                self.blocks.add_module(name, module)
                channels, end = outputs, module.quantize
        self.mean = TruncAdaptiveAvgPool2d(1, bit_width=_MEAN_BITS)
        self.flatten = nn.Flatten()
        self.classifier = linear(channels, classes, quantization.at("classifier").weights)
        self.norm = TensorNorm()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch."""
        features = self.blocks(self.conv0(self.quantize_input(centred(pixels))))
        logits: torch.Tensor = self.norm(self.classifier(self.flatten(self.mean(features))))
        return logits
