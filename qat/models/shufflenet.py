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
    Bits,
    activation,
    block,
    conv2d,
    input_quantizer,
    joined,
    linear,
    signed,
)
from lutloom.qat.models.norm import TensorNorm
from lutloom.qat.run import values_of

IMAGE = (3, 224, 224)
_REPEATS = (4, 8, 4)
_END_BITS = 8
# Largest values of the second half where halves don't share a quantizer, unit by unit.
_HALVES = (0.7, 1.1, 0.9, 1.3)


class Unit(nn.Module):
    """y = shuffle(concat(x1, q(w3 * q(w2 * q(w1 * x2))))), x1 and x2 the halves of the channels.

    With ``stride`` 2 both are all of ``x``, and x1 is filtered and mixed as well. ``ends`` are the
    quantizers of both branches, of which one without a stride needs the second alone.
    """

    def __init__(
        self,
        channels: int,
        outputs: int,
        bits: Bits,
        ends: tuple[nn.Module, nn.Module],
        *,
        stride: int = 1,
    ) -> None:
        super().__init__()
        self.is_split = stride == 1
        half = outputs // 2
        inputs = channels // 2 if self.is_split else channels
        self.first = nn.Sequential()
        if not self.is_split:
            each = conv2d(
                channels, channels, 3, bits.weights, stride=stride, padding=1, groups=channels
            )
            self.first.add_module("filter", block(each, signed(bits.activations)))
            self.first.add_module("mix", block(conv2d(channels, half, 1, bits.weights), ends[0]))
        self.second = nn.Sequential()
        mix = block(conv2d(inputs, half, 1, bits.weights), activation(bits.activations))
        self.second.add_module("mix0", mix)
        each = conv2d(half, half, 3, bits.weights, stride=stride, padding=1, groups=half)
        self.second.add_module("filter", block(each, signed(bits.activations)))
        self.second.add_module("mix1", block(conv2d(half, half, 1, bits.weights), ends[1]))

    def forward(self, x: Any) -> torch.Tensor:  # noqa: ANN401 (a tensor, or Brevitas')
        """Return the shuffled halves."""
        x = values_of(x)
        first, second = x.chunk(2, dim=1) if self.is_split else (x, x)
        return _shuffled(joined(self.first(first), self.second(second)))


class ShuffleNetV2(nn.Module):
    """ShuffleNet-v2: (N, 3, image, image) float pixels in [0, 1] to (N, classes) logits.

    The stages have ``width`` channels, an even number, twice and four times as many; ``last_width``
    is the number in front of the mean. ``image`` is a multiple of 32.
    """

    def __init__(
        self,
        bits: Bits,
        *,
        shared: bool = True,
        width: int = 48,
        last_width: int = 1024,
        repeats: tuple[int, ...] = _REPEATS,
        image: int = IMAGE[1],
        classes: int = 1000,
    ) -> None:
        super().__init__()
        self.quantize_input = input_quantizer()
        channels = width // 2
        first = conv2d(IMAGE[0], channels, 3, _END_BITS, stride=2, padding=1)
        self.conv0 = block(first, activation(bits.activations))
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.units = nn.Sequential()
        for stage, units in enumerate(repeats):
            end = activation(bits.activations)
            for number in range(units):
                limit = _HALVES[number % len(_HALVES)]
                second = end if shared else activation(bits.activations, limit=limit)
                stride = 2 if number == 0 else 1
                module = Unit(channels, width << stage, bits, (end, second), stride=stride)
                self.units.add_module(f"unit{stage}{number}", module)
                channels = width << stage
        last = conv2d(channels, last_width, 1, bits.weights)
        self.last = block(last, activation(bits.activations))
        self.mean = nn.AvgPool2d(image // 32)
        self.flatten = nn.Flatten()
        self.classifier = linear(last_width, classes, _END_BITS)
        self.norm = TensorNorm()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch."""
        features = self.pool(self.conv0(self.quantize_input(2.0 * pixels - 1.0)))
        mean = self.mean(self.last(self.units(features)))
        logits: torch.Tensor = self.norm(self.classifier(self.flatten(mean)))
        return logits


def _shuffled(x: torch.Tensor) -> torch.Tensor:
    """Return the channels of both halves by turns."""
    images, channels, height, width = x.shape
    halves = x.reshape(images, 2, channels // 2, height, width)
    return halves.transpose(1, 2).reshape(images, channels, height, width)
