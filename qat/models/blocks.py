"""y = q(norm(w * x)): what convolutional nets repeat, with quantizers by their number of bits.

One bit is bipolar; weights of two are ternary, of more they have a scale for each output channel;
activations of two and more are those of a ReLU.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from lutloom.qat.brevitas_parts import (
    QuantConv1d,
    QuantConv2d,
    QuantIdentity,
    QuantLinear,
    QuantReLU,
)
from lutloom.qat.quantizers import (
    activation_quantizer,
    channel_weight_quantizer,
    fixed_point_quantizer,
    relu_quantizer,
    weight_quantizer,
)
from lutloom.qat.run import values_of


@dataclass(frozen=True, slots=True)
class Bits:
    """How many bits the weights and the activations of a net have."""

    weights: int
    activations: int


def input_quantizer(bits: int = 8) -> nn.Module:
    """Return the quantizer of an input in [-1, 1), in fixed point."""
    module: nn.Module = QuantIdentity(
        act_quant=fixed_point_quantizer(bits), return_quant_tensor=True
    )
    return module


def activation(bits: int, channel_shape: tuple[int, ...] = (), *, limit: float = 1.0) -> nn.Module:
    """Return the quantizer between two layers; ``channel_shape`` gives it a scale a channel.

    Of two bits and more, ``limit`` is its largest value.
    """
    if bits == 1:
        return signed(1)
    quantizer = relu_quantizer(bits, limit, channel_shape)
    module: nn.Module = QuantReLU(act_quant=quantizer, return_quant_tensor=True)
    return module


def signed(bits: int, limit: float = 1.0) -> nn.Module:
    """Return a quantizer that is symmetric around zero, with the largest value ``limit``."""
    module: nn.Module = QuantIdentity(
        act_quant=activation_quantizer(bits, limit), return_quant_tensor=True
    )
    return module


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
    bits: int,
    *,
    stride: int = 1,
    padding: int = 0,
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
        weight_quant=_weights(bits),
    )
    return _initialized(layer, bits)


def conv1d(channels: int, outputs: int, kernel: int, bits: int, *, padding: int = 0) -> nn.Module:
    """Return a convolution of signals without bias."""
    layer: nn.Module = QuantConv1d(
        channels, outputs, kernel, padding=padding, bias=False, weight_quant=_weights(bits)
    )
    return _initialized(layer, bits)


def linear(inputs: int, outputs: int, bits: int) -> nn.Module:
    """Return a fully connected layer without bias."""
    layer: nn.Module = QuantLinear(inputs, outputs, bias=False, weight_quant=_weights(bits))
    return _initialized(layer, bits)


def block(layer: nn.Module, quantize: nn.Module) -> nn.Sequential:
    """Return ``layer``, a batch normalization of its outputs and the quantizer behind it."""
    outputs = layer.get_parameter("weight").shape[0]
    norm = nn.BatchNorm2d if isinstance(layer, nn.Conv2d) else nn.BatchNorm1d
    sequence = nn.Sequential()
    sequence.add_module("layer", layer)
    sequence.add_module("norm", norm(outputs))
    sequence.add_module("quantize", quantize)
    return sequence


def depthwise_separable(
    channels: int,
    outputs: int,
    bits: Bits,
    *,
    stride: int = 1,
    quantize: nn.Module | None = None,
) -> nn.Sequential:
    """Return a 3x3 convolution of each channel by itself, and one of 1x1 across the channels.

    ``quantize`` is the quantizer at the end, if it is another one than :func:`activation`.
    """
    depthwise = conv2d(
        channels, channels, 3, bits.weights, stride=stride, padding=1, groups=channels
    )
    sequence = nn.Sequential()
    sequence.add_module("depthwise", block(depthwise, activation(bits.activations)))
    pointwise = conv2d(channels, outputs, 1, bits.weights)
    end = quantize if quantize is not None else activation(bits.activations)
    sequence.add_module("pointwise", block(pointwise, end))
    return sequence


def classifier(
    inputs: int,
    width: int,
    classes: int,
    bits: Bits,
    quantizer: Callable[[int], nn.Module] = activation,
) -> nn.Sequential:
    """Return two fully connected layers of ``width`` neurons, and a bare one of ``classes``."""
    sequence = nn.Sequential()
    for number in range(2):
        layer = linear(inputs, width, bits.weights)
        sequence.add_module(f"linear{number}", block(layer, quantizer(bits.activations)))
        inputs = width
    sequence.add_module("linear2", linear(inputs, classes, bits.weights))
    return sequence


def _weights(bits: int) -> Any:  # noqa: ANN401 (an injector of Brevitas)
    return weight_quantizer(bits) if bits <= 2 else channel_weight_quantizer(bits)


def _initialized(layer: nn.Module, bits: int) -> nn.Module:
    weight = layer.get_parameter("weight")
    if bits <= 2:
        # over the quantizer's whole range, so that every level occurs from the start
        nn.init.uniform_(weight, -1.0, 1.0)
    else:
        nn.init.kaiming_normal_(weight)
    return layer
