"""y = q(norm(w * x)): what nets repeat, with weights and quantizers as a recipe says.

The quantization of a block is that of the net narrowed to its name, and what is made here has the
names of the submodules in it: ``layer``, ``norm`` and ``quantize``.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import torch
from torch import nn

from lutloom.qat.brevitas_parts import QuantConv1d, QuantConv2d, QuantIdentity, QuantLinear
from lutloom.qat.quantization import (
    ActivationKind,
    ActivationSpec,
    Quantization,
    WeightKind,
    WeightSpec,
)
from lutloom.qat.quantizers import (
    activation,
    fixed_point_quantizer,
    initialize_weights,
    weight_quantizer,
)
from lutloom.qat.run import values_of

EIGHT_BITS = WeightSpec(WeightKind.INTEGER, 8, per_channel=True)
"""Weights of the first and the last layer of many nets."""


class Quantizer(Protocol):
    """Makes the quantizer of (N, channels, ...), as :func:`lutloom.qat.quantizers.activation`."""

    def __call__(self, spec: ActivationSpec, channels: int, /, *, dimensions: int = 2) -> nn.Module:
        """Return the quantizer; so many dimensions are behind the channels."""


def input_quantizer(bits: int = 8) -> nn.Module:
    """Return the quantizer of an input in [-1, 1), in fixed point."""
    module: nn.Module = QuantIdentity(
        act_quant=fixed_point_quantizer(bits), return_quant_tensor=True
    )
    return module


def centred(x: torch.Tensor, *, signed_input: bool = False) -> torch.Tensor:
    """Return an input in [0, 1] in [-1, 1]; one that is there already (``signed_input``) as is."""
    return x if signed_input else 2.0 * x - 1.0


def signed(
    spec: ActivationSpec, channels: int = 1, /, *, dimensions: int = 2, limit: float = 1.0
) -> nn.Module:
    """Return a quantizer that is symmetric around zero, of as many bits as ``spec``.

    It is for what is no ReLU's: inputs, ends of branches, sums. It has one constant scale, and is
    the same for any shape. ``limit`` is a factor of its largest value.
    """
    spec = replace(reaching(spec, limit), kind=ActivationKind.SIGNED, per_channel=False)
    return activation(spec, channels, dimensions=dimensions)


def reaching(spec: ActivationSpec, limit: float) -> ActivationSpec:
    """Return ``spec`` with a largest value that is ``limit`` times as large."""
    return replace(spec, limit=limit * spec.limit)


def signed_up_to(limit: float) -> Quantizer:
    """Return what makes quantizers as :func:`signed`, with that factor of the largest value."""
    return partial(signed, limit=limit)


def activation_up_to(limit: float) -> Quantizer:
    """Return what makes activations with that factor of the largest value."""

    def make(spec: ActivationSpec, channels: int, /, *, dimensions: int = 2) -> nn.Module:
        return activation(reaching(spec, limit), channels, dimensions=dimensions)

    return make


def added(*branches: Any) -> torch.Tensor:  # noqa: ANN401 (tensors, or Brevitas' of a quantizer)
    """Return the sum of branches of one shape, whose quantizers may differ in their scales."""
    return sum((values_of(x) for x in branches[1:]), start=values_of(branches[0]))


def joined(*branches: Any) -> torch.Tensor:  # noqa: ANN401 (tensors, or Brevitas' of a quantizer)
    """Return the channels of ``branches``, one after the other."""
    return torch.cat([values_of(x) for x in branches], dim=1)


def conv2d(
    channels: int,
    outputs: int,
    kernel: int | tuple[int, int],
    weights: WeightSpec,
    *,
    stride: int = 1,
    padding: int | tuple[int, int] = 0,
    groups: int = 1,
) -> nn.Module:
    """Return a convolution of images without bias."""
    layer: nn.Module = QuantConv2d(
        channels,
        outputs,
        kernel,
        stride=stride,
        padding=padding,
        groups=groups,
        bias=False,
        weight_quant=weight_quantizer(weights),
    )
    initialize_weights(layer, weights)
    return layer


def conv1d(
    channels: int, outputs: int, kernel: int, weights: WeightSpec, *, padding: int = 0
) -> nn.Module:
    """Return a convolution of signals without bias."""
    layer: nn.Module = QuantConv1d(
        channels,
        outputs,
        kernel,
        padding=padding,
        bias=False,
        weight_quant=weight_quantizer(weights),
    )
    initialize_weights(layer, weights)
    return layer


def linear(inputs: int, outputs: int, weights: WeightSpec) -> nn.Module:
    """Return a fully connected layer without bias."""
    layer: nn.Module = QuantLinear(
        inputs, outputs, bias=False, weight_quant=weight_quantizer(weights)
    )
    initialize_weights(layer, weights)
    return layer


def block(layer: nn.Module, quantize: nn.Module) -> nn.Sequential:
    """Return ``layer``, a batch normalization of its outputs and the quantizer behind it."""
    is_transposed = isinstance(layer, nn.ConvTranspose2d)
    outputs = layer.get_parameter("weight").shape[1 if is_transposed else 0]
    norm = nn.BatchNorm2d if isinstance(layer, nn.Conv2d) or is_transposed else nn.BatchNorm1d
    sequence = nn.Sequential()
    sequence.add_module("layer", layer)
    sequence.add_module("norm", norm(outputs))
    sequence.add_module("quantize", quantize)
    return sequence


def conv2d_block(
    quantization: Quantization,
    channels: int,
    outputs: int,
    kernel: int | tuple[int, int] = 3,
    *,
    stride: int = 1,
    padding: int = 0,
    groups: int = 1,
    quantizer: Quantizer | nn.Module = activation,
) -> nn.Sequential:
    """Return a convolution of images as a block.

    ``quantizer`` makes the one at the end, or is one that another block has.
    """
    layer = conv2d(
        channels,
        outputs,
        kernel,
        quantization.at("layer").weights,
        stride=stride,
        padding=padding,
        groups=groups,
    )
    return block(layer, _end(quantization, outputs, quantizer, dimensions=2))


def conv1d_block(
    quantization: Quantization,
    channels: int,
    outputs: int,
    kernel: int,
    *,
    padding: int = 0,
    quantizer: Quantizer | nn.Module = activation,
) -> nn.Sequential:
    """Return a convolution of signals as a block, with a ``quantizer`` as there."""
    layer = conv1d(channels, outputs, kernel, quantization.at("layer").weights, padding=padding)
    return block(layer, _end(quantization, outputs, quantizer, dimensions=1))


def linear_block(
    quantization: Quantization,
    inputs: int,
    outputs: int,
    *,
    quantizer: Quantizer | nn.Module = activation,
) -> nn.Sequential:
    """Return a fully connected layer as a block, with a ``quantizer`` as there."""
    layer = linear(inputs, outputs, quantization.at("layer").weights)
    return block(layer, _end(quantization, outputs, quantizer, dimensions=0))


def depthwise_separable(
    quantization: Quantization,
    channels: int,
    outputs: int,
    *,
    stride: int = 1,
    quantizer: Quantizer | nn.Module = activation,
) -> nn.Sequential:
    """Return a 3x3 convolution of each channel by itself, and one of 1x1 across the channels.

    ``quantizer`` makes the one at the end, or is it.
    """
    sequence = nn.Sequential()
    depthwise = conv2d_block(
        quantization.at("depthwise"),
        channels,
        channels,
        stride=stride,
        padding=1,
        groups=channels,
    )
    sequence.add_module("depthwise", depthwise)
    pointwise = conv2d_block(
        quantization.at("pointwise"), channels, outputs, 1, quantizer=quantizer
    )
    sequence.add_module("pointwise", pointwise)
    return sequence


def classifier(quantization: Quantization, inputs: int, width: int, classes: int) -> nn.Sequential:
    """Return two fully connected layers of ``width`` neurons, and a bare one of ``classes``."""
    sequence = nn.Sequential()
    for number in range(2):
        name = f"linear{number}"
        sequence.add_module(name, linear_block(quantization.at(name), inputs, width))
        inputs = width
    sequence.add_module("linear2", linear(inputs, classes, quantization.at("linear2").weights))
    return sequence


def _end(
    quantization: Quantization,
    channels: int,
    quantizer: Quantizer | nn.Module,
    *,
    dimensions: int,
) -> nn.Module:
    if isinstance(quantizer, nn.Module):
        return quantizer
    return quantizer(quantization.at("quantize").activations, channels, dimensions=dimensions)
