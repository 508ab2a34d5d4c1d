"""CNV of separable filters: each 3x3 convolution is one of 3x1 and one of 1x3, nothing in between.

The column filters work on each channel by itself, the row filters on all: the filter from channel c
to output o is the outer product of c's column and a row for c and o, a matrix of rank 1. With
``rank`` columns for each channel it is a sum of so many. Sums of the columns stay integers.

Reference: Lin et al., Binarized Convolutional Neural Networks with Separable Filters for Efficient
Hardware Acceleration, CVPRW 2017. There each pair of a channel and an output has a column of its
own, found by a singular value decomposition; here columns are shared by all outputs and trained as
they are, so that hardware computes each once.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import nn

from lutloom.qat.models.blocks import centred, classifier, conv2d, input_quantizer
from lutloom.qat.models.cnv import IMAGE, TIMES, convolutions
from lutloom.qat.models.norm import TensorNorm
from lutloom.qat.quantization import Quantization
from lutloom.qat.quantizers import activation


class SeparableFilters(nn.Module):
    """y = q(norm(row * (column * x))): (N, channels, H, W) to (N, outputs, H - 2, W - 2)."""

    def __init__(
        self, quantization: Quantization, channels: int, outputs: int, *, rank: int = 1
    ) -> None:
        super().__init__()
        columns, rows = (quantization.at(name).weights for name in ("column", "row"))
        self.column = conv2d(channels, rank * channels, (3, 1), columns, groups=channels)
        self.row = conv2d(rank * channels, outputs, (1, 3), rows)
        self.norm = nn.BatchNorm2d(outputs)
        self.quantize = activation(quantization.at("quantize").activations, outputs)

    def forward(self, x: Any) -> Any:  # noqa: ANN401 (Brevitas' tensor of a quantizer)
        """Return the quantized sums."""
        return self.quantize(self.norm(self.row(self.column(x))))


class SeparableCnv(nn.Module):
    """CNV of separable filters: (N, C, 32, 32) float pixels in [0, 1] to (N, classes) logits.

    ``width`` is the number of channels of the first layer; the others keep their ratio to it.
    """

    def __init__(
        self,
        quantization: Quantization,
        input_shape: tuple[int, ...] = IMAGE,
        classes: int = 10,
        *,
        width: int = 64,
        rank: int = 1,
    ) -> None:
        super().__init__()
        self.quantize_input = input_quantizer()
        make = partial(SeparableFilters, rank=rank)
        self.features = convolutions(quantization.at("features"), input_shape[0], width, make)
        self.flatten = nn.Flatten()
        within = quantization.at("classifier")
        self.classifier = classifier(within, TIMES[-1] * width, 8 * width, classes)
        self.norm = TensorNorm()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch."""
        features = self.features(self.quantize_input(centred(pixels)))
        logits: torch.Tensor = self.norm(self.classifier(self.flatten(features)))
        return logits
