"""VGG10 for radio signals: seven 1-D convolutions, each followed by a pooling, and three layers.

It says which of 24 modulations 1024 samples of two channels (in phase, in quadrature) carry.

Reference: O'Shea, Roy and Clancy, Over-the-Air Deep Learning Based Radio Signal Classification,
IEEE JSTSP 2018; with four bits, the RadioML example of FINN.
"""

from __future__ import annotations

import torch
from torch import nn

from lutloom.qat.models.blocks import (
    Bits,
    activation,
    block,
    classifier,
    conv1d,
    input_quantizer,
)
from lutloom.qat.models.norm import TensorNorm

SIGNAL = (2, 1024)
_CONVOLUTIONS = 7


class Vgg10(nn.Module):
    """VGG10: (N, 2, length) float samples in [-1, 1) to (N, classes) logits.

    ``width`` is the number of channels of each convolution; ``length`` a multiple of 128.
    """

    def __init__(
        self, bits: Bits, *, classes: int = 24, width: int = 64, length: int = SIGNAL[1]
    ) -> None:
        super().__init__()
        self.quantize_input = input_quantizer()
        self.features = nn.Sequential()
        channels = SIGNAL[0]
        for number in range(_CONVOLUTIONS):
            layer = conv1d(channels, width, 3, bits.weights, padding=1)
            self.features.add_module(f"conv{number}", block(layer, activation(bits.activations)))
            self.features.add_module(f"pool{number}", nn.MaxPool1d(2))
            channels = width
        self.flatten = nn.Flatten()
        channels = width * (length >> _CONVOLUTIONS)
        self.classifier = classifier(channels, 2 * width, classes, bits)
        self.norm = TensorNorm()

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch."""
        features = self.features(self.quantize_input(samples))
        logits: torch.Tensor = self.norm(self.classifier(self.flatten(features)))
        return logits
