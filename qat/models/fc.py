"""logits = norm(W_n q(bn(... q(bn(W_1 q(2 x - 1)))))): fully connected nets.

Inputs x in [0, 1] are moved to [-1, 1] and quantized inside the model; each hidden layer is a
product without bias, a batch normalization and a quantizer; the last product is followed by one
normalization for the whole tensor, which keeps the order of the logits.

TFC, SFC and LFC of BNN-PYNQ are three hidden layers of 64, 256 and 1024 neurons, on inputs of as
few bits as the activations. References: Umuroglu et al., FINN: A Framework for Fast, Scalable
Binarized Neural Network Inference, FPGA 2017; the variants with two bits are those of Brevitas'
examples. Others of this form: keywords in 490 features (FINN's example, three layers of 256),
attacks in 593 bits of a network's flows (UNSW-NB15, FINN's cybersecurity example, three layers of
64), jets of particles in 16 features (Duarte et al., Fast inference of deep neural networks in
FPGAs for particle physics, JINST 2018: 64, 32 and 32 neurons).
"""

from __future__ import annotations

from math import prod

import torch
from torch import nn

from lutloom.qat.models.blocks import centred, input_quantizer, linear, signed
from lutloom.qat.models.norm import TensorNorm
from lutloom.qat.quantization import ActivationKind, ActivationSpec, Quantization
from lutloom.qat.quantizers import activation

_SIGNS = ActivationSpec(ActivationKind.SIGNED, 1)


class FullyConnected(nn.Module):
    """(N, ...) floats in [0, 1], flattened, to (N, classes) logits.

    ``hidden`` are the neurons of each hidden layer. ``dropout`` is the probability that a value
    between two layers is zero in a training step, ``input_dropout`` that one of the quantized input
    is; they leave no trace in the trained net. The input
    has ``input_bits``, in fixed point, or its sign if it is one; 0 is as many as an activation,
    symmetric around zero. With ``signed_input`` it is in [-1, 1) from the start.
    """

    def __init__(
        self,
        quantization: Quantization,
        input_shape: tuple[int, ...],
        classes: int,
        *,
        hidden: tuple[int, ...] = (64, 64, 64),
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        input_bits: int = 0,
        signed_input: bool = False,
    ) -> None:
        super().__init__()
        self.signed_input = signed_input
        self.flatten = nn.Flatten()
        if input_bits > 1:
            self.quantize_input = input_quantizer(input_bits)
        elif input_bits == 1:
            self.quantize_input = activation(_SIGNS, 1, dimensions=0)
        else:
            self.quantize_input = signed(quantization.at("quantize_input").activations)
        self.layers = nn.Sequential()
        if input_dropout > 0:
            self.layers.add_module("input_dropout", nn.Dropout(input_dropout))
        within = quantization.at("layers")
        width = prod(input_shape)
        for number, neurons in enumerate(hidden):
            weights = within.at(f"linear{number}").weights
            self.layers.add_module(f"linear{number}", linear(width, neurons, weights))
            self.layers.add_module(f"norm{number}", nn.BatchNorm1d(neurons))
            spec = within.at(f"quantize{number}").activations
            self.layers.add_module(f"quantize{number}", activation(spec, neurons, dimensions=0))
            if dropout > 0:
                self.layers.add_module(f"dropout{number}", nn.Dropout(dropout))
            width = neurons
        last = f"linear{len(hidden)}"
        self.layers.add_module(last, linear(width, classes, within.at(last).weights))
        self.norm = TensorNorm()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch."""
        values = centred(self.flatten(x), signed_input=self.signed_input)
        logits: torch.Tensor = self.norm(self.layers(self.quantize_input(values)))
        return logits
