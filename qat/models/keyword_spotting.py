"""DS-CNN for spotting keywords: one convolution, four depthwise-separable ones, a mean, a layer.

The input is 49 frames of 10 cepstral coefficients (MFCC); the first convolution is one of 10x4 taps
and stride 2, padded unevenly (4 rows above, 5 below) to 25x5.

Reference: Zhang et al., Hello Edge: Keyword Spotting on Microcontrollers, 2017; the sizes are those
of MLPerf Tiny.
"""

from __future__ import annotations

import torch
from torch import nn

from lutloom.qat.brevitas_parts import TruncAvgPool2d
from lutloom.qat.models.blocks import (
    centred,
    conv2d_block,
    depthwise_separable,
    input_quantizer,
    linear,
)
from lutloom.qat.models.norm import TensorNorm
from lutloom.qat.quantization import Quantization

FRAMES = (1, 49, 10)


class KeywordSpotting(nn.Module):
    """DS-CNN: (N, C, frames, coefficients) floats in [0, 1] to (N, classes) logits.

    ``width`` is the number of channels of each convolution, ``blocks`` that of the separable ones.
    With ``signed_input`` the input is in [-1, 1) from the start.
    """

    def __init__(
        self,
        quantization: Quantization,
        input_shape: tuple[int, ...] = FRAMES,
        classes: int = 12,
        *,
        width: int = 64,
        blocks: int = 4,
        signed_input: bool = False,
    ) -> None:
        super().__init__()
        self.signed_input = signed_input
        self.quantize_input = input_quantizer()
        # left, right, above, below
        self.pad = nn.ZeroPad2d((1, 1, 4, 5))
        channels, frames, coefficients = input_shape
        size = ((frames + 9 - 10) // 2 + 1, (coefficients + 2 - 4) // 2 + 1)
        self.features = nn.Sequential()
        within = quantization.at("features")
        first = conv2d_block(within.at("conv0"), channels, width, (10, 4), stride=2)
        self.features.add_module("conv0", first)
        for number in range(1, 1 + blocks):
            name = f"conv{number}"
            self.features.add_module(name, depthwise_separable(within.at(name), width, width))
        self.mean = TruncAvgPool2d(size, bit_width=8)
        self.flatten = nn.Flatten()
        self.classifier = linear(width, classes, quantization.at("classifier").weights)
        self.norm = TensorNorm()

    def forward(self, coefficients: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch."""
        values = centred(coefficients, signed_input=self.signed_input)
        features = self.features(self.pad(self.quantize_input(values)))
        logits: torch.Tensor = self.norm(self.classifier(self.flatten(self.mean(features))))
        return logits
