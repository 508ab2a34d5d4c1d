"""The autoencoder of MLPerf Tiny: 640-128-128-128-128-8-128-128-128-128-640, all fully connected.

It is fed five frames of 128 mel bands of a machine's sound, and gives back what it makes of them:
the more that differs, the stranger is the sound.

Reference: Banbury et al., MLPerf Tiny Benchmark, NeurIPS 2021 (anomaly detection).
"""

from __future__ import annotations

from math import prod

import torch
from torch import nn

from lutloom.qat.models.blocks import centred, input_quantizer, linear, linear_block
from lutloom.qat.quantization import Quantization

BANDS = (640,)
_LAYERS = 4


class Autoencoder(nn.Module):
    """(N, ...) floats in [0, 1], flattened, to as many floats (N, values), those in [-1, 1].

    ``width`` are the neurons of each of four layers before and behind the ``code`` in the middle.
    With ``signed_input`` the input is in [-1, 1) from the start.
    """

    def __init__(
        self,
        quantization: Quantization,
        input_shape: tuple[int, ...] = BANDS,
        *,
        width: int = 128,
        code: int = 8,
        signed_input: bool = False,
    ) -> None:
        super().__init__()
        self.signed_input = signed_input
        # what is flat already stays as it is
        self.flatten = nn.Flatten() if len(input_shape) > 1 else nn.Identity()
        self.quantize_input = input_quantizer()
        self.layers = nn.Sequential()
        within = quantization.at("layers")
        values = inputs = prod(input_shape)
        for number, neurons in enumerate((*(width,) * _LAYERS, code, *(width,) * _LAYERS)):
            name = f"linear{number}"
            self.layers.add_module(name, linear_block(within.at(name), inputs, neurons))
            inputs = neurons
        self.layers.add_module("last", linear(inputs, values, within.at("last").weights))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the reconstruction of a batch."""
        values = centred(self.flatten(x), signed_input=self.signed_input)
        found: torch.Tensor = self.layers(self.quantize_input(values))
        return found
