"""The autoencoder of MLPerf Tiny: 640-128-128-128-128-8-128-128-128-128-640, all fully connected.

It is fed five frames of 128 mel bands of a machine's sound, and gives back what it makes of them:
the more that differs, the stranger is the sound.

Reference: Banbury et al., MLPerf Tiny Benchmark, NeurIPS 2021 (anomaly detection).
"""

from __future__ import annotations

import torch
from torch import nn

from lutloom.qat.models.blocks import Bits, activation, block, input_quantizer, linear

BANDS = 640
_HIDDEN, _CODE = (128,) * 4, 8


class Autoencoder(nn.Module):
    """(N, bands) floats in [-1, 1) to (N, bands) floats."""

    def __init__(self, bits: Bits, *, bands: int = BANDS) -> None:
        super().__init__()
        self.quantize_input = input_quantizer()
        self.layers = nn.Sequential()
        inputs = bands
        for number, width in enumerate((*_HIDDEN, _CODE, *_HIDDEN)):
            layer = linear(inputs, width, bits.weights)
            self.layers.add_module(f"linear{number}", block(layer, activation(bits.activations)))
            inputs = width
        self.layers.add_module("last", linear(inputs, bands, bits.weights))

    def forward(self, bands: torch.Tensor) -> torch.Tensor:
        """Return the reconstruction of a batch."""
        found: torch.Tensor = self.layers(self.quantize_input(bands))
        return found
