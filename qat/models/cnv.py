"""CNV of BNN-PYNQ: six unpadded 3x3 convolutions, two poolings, three fully connected layers.

64-64-P-128-128-P-256-256-512-512-10 on images of 32x32, moved from [0, 1] to [-1, 1] and quantized
to 8 bits; activations are symmetric around zero, and the last layer is followed by one
normalization for the whole tensor.

Reference: Umuroglu et al., FINN: A Framework for Fast, Scalable Binarized Neural Network
Inference, FPGA 2017; 1W2A and 2W2A are those of Brevitas' examples.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from lutloom.qat.models.blocks import centred, classifier, conv2d_block, input_quantizer
from lutloom.qat.models.norm import TensorNorm
from lutloom.qat.quantization import Quantization

Make = Callable[[Quantization, int, int], nn.Module]
"""What makes a layer and its quantizer, from so many channels to so many."""

IMAGE = (3, 32, 32)
TIMES = (1, 1, 2, 2, 4, 4)
"""The channels of each convolution, in those of the first."""
POOLED = (1, 3)
"""The convolutions with a pooling behind."""


class Cnv(nn.Module):
    """CNV: (N, C, 32, 32) float pixels in [0, 1] to (N, classes) logits.

    ``width`` is the number of channels of the first layer; the others keep their ratio to it.
    """

    def __init__(
        self,
        quantization: Quantization,
        input_shape: tuple[int, ...] = IMAGE,
        classes: int = 10,
        *,
        width: int = 64,
    ) -> None:
        super().__init__()
        self.quantize_input = input_quantizer()
        within = quantization.at("features")
        self.features = convolutions(within, input_shape[0], width, conv2d_block)
        self.flatten = nn.Flatten()
        within = quantization.at("classifier")
        self.classifier = classifier(within, TIMES[-1] * width, 8 * width, classes)
        self.norm = TensorNorm()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch."""
        features = self.features(self.quantize_input(centred(pixels)))
        logits: torch.Tensor = self.norm(self.classifier(self.flatten(features)))
        return logits


def convolutions(
    quantization: Quantization, channels: int, width: int, make: Make
) -> nn.Sequential:
    """Return the convolutions and poolings of a CNV, each convolution as ``make`` makes it."""
    features = nn.Sequential()
    for number, times in enumerate(TIMES):
        name = f"conv{number}"
        features.add_module(name, make(quantization.at(name), channels, times * width))
        if number in POOLED:
            features.add_module(f"pool{number}", nn.MaxPool2d(2))
        channels = times * width
    return features
