"""Bi-Real Net and ReActNet: binary convolutions, each with a shortcut of many bits around it.

What runs along the shortcuts is real in the publications; here it is quantized to 8 bits, so that
hardware adds integers. Branch and sum have the same scale: sums need no multipliers. A convolution
reads the signs of a sum. Bi-Real Net is a ResNet-18 in which each convolution is a block; where its
shape changes, the shortcut is a mean of 2x2 pixels and a 1x1 convolution of 8 bits. ReActNet has
the layers of MobileNet-v1, each a 3x3 and a 1x1 binary convolution of all channels; twice as many
channels are the input twice. Its signs have learned thresholds (RSign), and behind its sums is a
PReLU between two learned shifts (RPReLU). The first and the last layer have weights of 8 bits.

References: Liu et al., Bi-Real Net: Enhancing the Performance of 1-bit CNNs With Improved
Representational Capability and Advanced Training Algorithm, ECCV 2018; Liu et al., ReActNet:
Towards Precise Binary Neural Network with Generalized Activation Functions, ECCV 2020.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

import torch
from torch import nn

from lutloom.qat.models.blocks import EIGHT_BITS, added, conv2d_block, joined, signed
from lutloom.qat.models.shortcut_net import SUMS, ShortcutNet, with_ends
from lutloom.qat.quantization import ActivationKind, ActivationSpec, Quantization
from lutloom.qat.quantizers import activation
from lutloom.qat.run import values_of

SMALL_IMAGE, IMAGE = (3, 32, 32), (3, 224, 224)
_BENT_SUMS = replace(SUMS, kind=ActivationKind.RPRELU)
STAGES = (4, 4, 4, 4)
"""The blocks of each stage of Bi-Real Net; the next one has twice the channels, half the sides."""

LAYERS = ((2, 1), (4, 2), (4, 1), (8, 2), (8, 1), (16, 2), *((16, 1),) * 5, (32, 2), (32, 1))
"""Of each layer of ReActNet its channels, in those of the first, and its stride."""


class BinaryResidual(nn.Module):
    """y = q(q(norm(w * sign(x))) + s(x)): (N, channels, H, W) to (N, outputs, H / stride, ...).

    ``shortcut`` is s, which gives the shape of the result; ``sums`` is what the sum becomes where
    the quantization doesn't say it.
    """

    def __init__(
        self,
        quantization: Quantization,
        channels: int,
        outputs: int,
        kernel: int,
        *,
        shortcut: nn.Module,
        stride: int = 1,
        sums: ActivationSpec = SUMS,
    ) -> None:
        super().__init__()
        spec = quantization.or_else(activations={"sum": sums}).at("sum").activations
        self.sign = activation(quantization.at("sign").activations, channels)
        self.conv = conv2d_block(
            quantization.at("conv"),
            channels,
            outputs,
            kernel,
            stride=stride,
            padding=kernel // 2,
            quantizer=signed(spec),
        )
        self.shortcut = shortcut
        self.sum = activation(spec, outputs)

    def forward(self, x: Any) -> Any:  # noqa: ANN401 (Brevitas' tensor of a quantizer)
        """Return the quantized sum."""
        values = values_of(x)
        return self.sum(added(self.conv(self.sign(values)), self.shortcut(values)))


class Twice(nn.Module):
    """y = concat(x, x), along the channels."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return twice as many channels."""
        return joined(x, x)


class BiRealNet(ShortcutNet):
    """Bi-Real Net of 18 layers: (N, C, H, W) float pixels in [0, 1] to (N, classes) logits.

    ``width`` is the number of channels of the first layer; the others keep their ratio to it. H and
    W are multiples of 8, or of all strides of other ``stages``.
    """

    def __init__(
        self,
        quantization: Quantization,
        input_shape: tuple[int, ...] = SMALL_IMAGE,
        classes: int = 10,
        *,
        width: int = 64,
        stages: tuple[int, ...] = STAGES,
    ) -> None:
        quantization = with_ends(quantization)
        conv0 = conv2d_block(quantization.at("conv0"), input_shape[0], width, padding=1)
        blocks = nn.Sequential()
        within = quantization.at("blocks")
        channels = width
        for stage, times in enumerate(stages):
            for number in range(times):
                name = f"block{stage}{number}"
                outputs, halves = width << stage, stage > 0 and number == 0
                shortcut: nn.Module = nn.Identity()
                if halves:
                    shortcut = _halving(within.at(name).at("shortcut"), channels, outputs)
                module = BinaryResidual(
                    within.at(name),
                    channels,
                    outputs,
                    3,
                    shortcut=shortcut,
                    stride=2 if halves else 1,
                )
                blocks.add_module(name, module)
                channels = outputs
        size = _divided(input_shape, 2 ** (len(stages) - 1))
        super().__init__(quantization, conv0, blocks, size, channels, classes)


class ReActNet(ShortcutNet):
    """ReActNet-A: (N, C, H, W) float pixels in [0, 1] to (N, classes) logits.

    ``width`` is the number of channels of the first layer; the others keep their ratio to it. H and
    W are multiples of 32, or of all strides of other ``layers``.
    """

    def __init__(
        self,
        quantization: Quantization,
        input_shape: tuple[int, ...] = IMAGE,
        classes: int = 1000,
        *,
        width: int = 32,
        layers: tuple[tuple[int, int], ...] = LAYERS,
    ) -> None:
        quantization = with_ends(quantization)
        conv0 = conv2d_block(quantization.at("conv0"), input_shape[0], width, stride=2, padding=1)
        blocks = nn.Sequential()
        within = quantization.at("blocks")
        channels = width
        for number, (times, stride) in enumerate(layers):
            name, outputs = f"spatial{number}", times * width
            spatial = BinaryResidual(
                within.at(name),
                channels,
                channels,
                3,
                shortcut=nn.AvgPool2d(2) if stride == 2 else nn.Identity(),
                stride=stride,
                sums=_BENT_SUMS,
            )
            blocks.add_module(name, spatial)
            name = f"mix{number}"
            mix = BinaryResidual(
                within.at(name),
                channels,
                outputs,
                1,
                shortcut=Twice() if outputs > channels else nn.Identity(),
                sums=_BENT_SUMS,
            )
            blocks.add_module(name, mix)
            channels = outputs
        size = _divided(input_shape, 2 * prod(stride for _, stride in layers))
        super().__init__(quantization, conv0, blocks, size, channels, classes)


def _divided(input_shape: tuple[int, ...], stride: int) -> tuple[int, int]:
    return input_shape[1] // stride, input_shape[2] // stride


def _halving(quantization: Quantization, channels: int, outputs: int) -> nn.Sequential:
    """Return the shortcut to half the height and width, and other channels."""
    within = quantization.or_else({"conv": EIGHT_BITS}, {"conv": SUMS})
    shortcut = nn.Sequential()
    shortcut.add_module("mean", nn.AvgPool2d(2))
    shortcut.add_module("conv", conv2d_block(within.at("conv"), channels, outputs, 1))
    return shortcut
