"""VGG10 for radio signals: seven 1-D convolutions, each followed by a pooling, and three layers.

It says which of 24 modulations 1024 samples of two channels (in phase, in quadrature) carry.

Reference: O'Shea, Roy and Clancy, Over-the-Air Deep Learning Based Radio Signal Classification,
IEEE JSTSP 2018; with four bits, the RadioML example of FINN.
"""

from __future__ import annotations

import torch
from torch import nn

from lutloom.qat.models.blocks import centred, classifier, conv1d_block, input_quantizer
from lutloom.qat.models.norm import TensorNorm
from lutloom.qat.quantization import Quantization

SIGNAL = (2, 1024)
CONVOLUTIONS = 7


class Vgg10(nn.Module):
    """VGG10: (N, C, length) or (N, C, 1, length) float samples in [0, 1] to (N, classes) logits.

    ``width`` is the number of channels of each convolution; the length is at least 128. With
    ``signed_input`` samples are in [-1, 1) from the start.
    """

    def __init__(
        self,
        quantization: Quantization,
        input_shape: tuple[int, ...] = SIGNAL,
        classes: int = 24,
        *,
        width: int = 64,
        signed_input: bool = False,
    ) -> None:
        super().__init__()
        self.signed_input = signed_input
        # of an image of one row, its row
        self.signal = nn.Flatten(2) if len(input_shape) > 2 else nn.Identity()
        self.quantize_input = input_quantizer()
        self.features = nn.Sequential()
        within = quantization.at("features")
        channels = input_shape[0]
        for number in range(CONVOLUTIONS):
            name = f"conv{number}"
            self.features.add_module(
                name, conv1d_block(within.at(name), channels, width, 3, padding=1)
            )
            self.features.add_module(f"pool{number}", nn.MaxPool1d(2))
            channels = width
        self.flatten = nn.Flatten()
        inputs = width * (input_shape[-1] >> CONVOLUTIONS)
        self.classifier = classifier(quantization.at("classifier"), inputs, 2 * width, classes)
        self.norm = TensorNorm()

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch."""
        signal = centred(self.signal(samples), signed_input=self.signed_input)
        features = self.features(self.quantize_input(signal))
        logits: torch.Tensor = self.norm(self.classifier(self.flatten(features)))
        return logits
