"""ShuffleNet-v2: units that let half of their channels pass, and shuffle both halves.

A unit splits its channels in two: one half passes, the other goes through a 1x1 convolution, a 3x3
one of each channel by itself, and a 1x1 one; both are concatenated, and their channels interleaved.
A unit of stride 2 begins a stage: both its branches read the whole input. The units of a stage
share the quantizer in front of the concatenation; with ``shared=False`` each has its own, and
scales differ from channel to channel.

Reference: Ma et al., ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design,
ECCV 2018.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lutloom.qat.models.blocks import (
    EIGHT_BITS,
    Quantizer,
    activation_up_to,
    centred,
    conv2d_block,
    input_quantizer,
    joined,
    linear,
    signed,
)
from lutloom.qat.models.norm import TensorNorm
from lutloom.qat.quantization import Quantization
from lutloom.qat.quantizers import activation
from lutloom.qat.run import values_of

IMAGE = (3, 224, 224)
_REPEATS = (4, 8, 4)
# Largest values of the second half where halves don't share a quantizer, unit by unit.
_HALVES = (0.7, 1.1, 0.9, 1.3)


class Unit(nn.Module):
    """y = shuffle(concat(x1, q(w3 * q(w2 * q(w1 * x2))))), x1 and x2 the halves of the channels.

    With ``stride`` 2 both are all of ``x``, and x1 is filtered and mixed as well. ``ends`` are the
    quantizers of both branches, of which one without a stride needs the second alone.
    """

    def __init__(
        self,
        quantization: Quantization,
        channels: int,
        outputs: int,
        ends: tuple[nn.Module, Quantizer | nn.Module],
        *,
        stride: int = 1,
    ) -> None:
        super().__init__()
        self.is_split = stride == 1
        half = outputs // 2
        inputs = channels // 2 if self.is_split else channels
        self.first = nn.Sequential()
        if not self.is_split:
            within = quantization.at("first")
            self.first.add_module("filter", _filter(within, channels, stride))
            mix = conv2d_block(within.at("mix"), channels, half, 1, quantizer=ends[0])
            self.first.add_module("mix", mix)
        self.second = nn.Sequential()
        within = quantization.at("second")
        self.second.add_module("mix0", conv2d_block(within.at("mix0"), inputs, half, 1))
        self.second.add_module("filter", _filter(within, half, stride))
        mix = conv2d_block(within.at("mix1"), half, half, 1, quantizer=ends[1])
        self.second.add_module("mix1", mix)

    def forward(self, x: Any) -> torch.Tensor:  # noqa: ANN401 (a tensor, or Brevitas')
        """Return the shuffled halves."""
        x = values_of(x)
        first, second = x.chunk(2, dim=1) if self.is_split else (x, x)
        return _shuffled(joined(self.first(first), self.second(second)))


class ShuffleNetV2(nn.Module):
    """ShuffleNet-v2: (N, C, image, image) float pixels in [0, 1] to (N, classes) logits.

    The stages have ``width`` channels, an even number, twice and four times as many; ``last_width``
    is the number in front of the mean. ``image`` is a multiple of 32.
    """

    def __init__(
        self,
        quantization: Quantization,
        input_shape: tuple[int, ...] = IMAGE,
        classes: int = 1000,
        *,
        shared: bool = True,
        width: int = 48,
        last_width: int = 1024,
        repeats: tuple[int, ...] = _REPEATS,
    ) -> None:
        super().__init__()
        quantization = quantization.or_else({"conv0": EIGHT_BITS, "classifier": EIGHT_BITS})
        self.quantize_input = input_quantizer()
        channels = width // 2
        self.conv0 = conv2d_block(
            quantization.at("conv0"), input_shape[0], channels, stride=2, padding=1
        )
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.units = nn.Sequential()
        within = quantization.at("units")
        for stage, units in enumerate(repeats):
            half = (width << stage) // 2
            spec = within.at(f"unit{stage}0").at("first").at("mix").at("quantize").activations
            end = activation(spec, half)
            for number in range(units):
                name = f"unit{stage}{number}"
                own = activation_up_to(_HALVES[number % len(_HALVES)])
                ends = (end, end if shared else own)
                stride = 2 if number == 0 else 1
                module = Unit(within.at(name), channels, width << stage, ends, stride=stride)
                self.units.add_module(name, module)
                channels = width << stage
        self.last = conv2d_block(quantization.at("last"), channels, last_width, 1)
        self.mean = nn.AvgPool2d(input_shape[1] // 32)
        self.flatten = nn.Flatten()
        self.classifier = linear(last_width, classes, quantization.at("classifier").weights)
        self.norm = TensorNorm()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch."""
        features = self.pool(self.conv0(self.quantize_input(centred(pixels))))
        mean = self.mean(self.last(self.units(features)))
        logits: torch.Tensor = self.norm(self.classifier(self.flatten(mean)))
        return logits


def _filter(quantization: Quantization, channels: int, stride: int) -> nn.Sequential:
    """Return the block ``filter``, a 3x3 convolution of each channel by itself."""
    return conv2d_block(
        quantization.at("filter"),
        channels,
        channels,
        stride=stride,
        padding=1,
        groups=channels,
        quantizer=signed,
    )


def _shuffled(x: torch.Tensor) -> torch.Tensor:
    """Return the channels of both halves by turns."""
    images, channels, height, width = x.shape
    halves = x.reshape(images, 2, channels // 2, height, width)
    return halves.transpose(1, 2).reshape(images, channels, height, width)
