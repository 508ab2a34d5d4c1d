"""logits = norm(W_n q(bn(... q(bn(W_1 q(2 x - 1)))))): the fully connected nets of BNN-PYNQ.

Pixels x in [0, 1] are moved to [-1, 1] and quantized inside the model; each hidden layer is a
product without bias, a batch normalization and a quantizer; the last product is followed by one
normalization for the whole tensor, which keeps the order of the logits.

Reference: Umuroglu et al., FINN: A Framework for Fast, Scalable Binarized Neural Network
Inference, FPGA 2017; the variants with two bits are those of Brevitas' examples.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import nn

from lutloom.qat.brevitas_parts import QuantIdentity, QuantLinear
from lutloom.qat.models.norm import TensorNorm
from lutloom.qat.quantizers import activation_quantizer, weight_quantizer


@dataclass(frozen=True, slots=True)
class FcSpec:
    """A fully connected net: neurons of each hidden layer, bits of weights and activations.

    The input is quantized to the bits of the activations. ``dropout`` is the probability that a
    value between two layers is zero in a training step; it leaves no trace in the trained net.
    """

    hidden: tuple[int, ...]
    weight_bits: int
    activation_bits: int
    dropout: float = 0.0


class FullyConnected(nn.Module):
    """The net of an :class:`FcSpec`: (N, C, H, W) float pixels in [0, 1] to (N, classes) logits."""

    def __init__(self, spec: FcSpec, input_shape: tuple[int, ...], classes: int) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.quantize_input = _quantizer(spec)
        self.layers = nn.Sequential()
        width = prod(input_shape)
        for number, neurons in enumerate(spec.hidden):
            self.layers.add_module(f"linear{number}", _linear(spec, width, neurons))
            self.layers.add_module(f"norm{number}", nn.BatchNorm1d(neurons))
            self.layers.add_module(f"quantize{number}", _quantizer(spec))
            if spec.dropout > 0:
                self.layers.add_module(f"dropout{number}", nn.Dropout(spec.dropout))
            width = neurons
        self.layers.add_module(f"linear{len(spec.hidden)}", _linear(spec, width, classes))
        self.norm = TensorNorm()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch."""
        centred = 2.0 * self.flatten(pixels) - 1.0
        logits: torch.Tensor = self.norm(self.layers(self.quantize_input(centred)))
        return logits


def _quantizer(spec: FcSpec) -> nn.Module:
    module: nn.Module = QuantIdentity(act_quant=activation_quantizer(spec.activation_bits))
    return module


def _linear(spec: FcSpec, inputs: int, outputs: int) -> nn.Module:
    layer: nn.Module = QuantLinear(
        inputs, outputs, bias=False, weight_quant=weight_quantizer(spec.weight_bits)
    )
    # over the quantizer's whole range, so that every level occurs from the start
    weight = layer.get_parameter("weight")
    nn.init.uniform_(weight, -1.0, 1.0)
    return layer
