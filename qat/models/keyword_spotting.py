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
    Bits,
    activation,
    block,
    conv2d,
    depthwise_separable,
    input_quantizer,
    linear,
)
from lutloom.qat.models.norm import TensorNorm

FRAMES = (1, 49, 10)
_BLOCKS = 4


class KeywordSpotting(nn.Module):
    """DS-CNN: (N, 1, frames, coefficients) floats in [-1, 1) to (N, classes) logits.

    ``width`` is the number of channels of each convolution.
    """

    def __init__(
        self,
        bits: Bits,
        *,
        classes: int = 12,
        width: int = 64,
        frames: tuple[int, int, int] = FRAMES,
    ) -> None:
        super().__init__()
        self.quantize_input = input_quantizer()
        # left, right, above, below
        self.pad = nn.ZeroPad2d((1, 1, 4, 5))
        size = ((frames[1] + 9 - 10) // 2 + 1, (frames[2] + 2 - 4) // 2 + 1)
        self.features = nn.Sequential()
        layer = conv2d(frames[0], width, (10, 4), bits.weights, stride=2)
        self.features.add_module("conv0", block(layer, activation(bits.activations)))
        for number in range(1, 1 + _BLOCKS):
            self.features.add_module(f"conv{number}", depthwise_separable(width, width, bits))
        self.mean = TruncAvgPool2d(size, bit_width=8)
        self.flatten = nn.Flatten()
        self.classifier = linear(width, classes, bits.weights)
        self.norm = TensorNorm()

    def forward(self, coefficients: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch."""
        features = self.features(self.pad(self.quantize_input(coefficients)))
        logits: torch.Tensor = self.norm(self.classifier(self.flatten(self.mean(features))))
        return logits
