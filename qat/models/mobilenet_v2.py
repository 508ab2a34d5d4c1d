"""MobileNet-v2: inverted residuals, whose sums are those of narrow tensors without a ReLU.

A block widens its input sixfold by a 1x1 convolution, filters each channel, and narrows it again;
the narrow end is signed. Where the shape stays, the input is added. The narrow tensors of a stage
share a quantizer, unless ``shared=False`` gives each its own. The first and the last layer have
weights of 8 bits.

Reference: Sandler et al., MobileNetV2: Inverted Residuals and Linear Bottlenecks, CVPR 2018.
"""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch import nn

from lutloom.qat.models.blocks import (
    Bits,
    activation,
    added,
    block,
    conv2d,
    input_quantizer,
    linear,
    signed,
)
from lutloom.qat.models.norm import TensorNorm

IMAGE = (3, 224, 224)
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Of each stage its expansion, its channels, its blocks, and the stride of the first of them."""

_END_BITS = 8
# The largest value of a branch that doesn't share its quantizer: no multiple of that of the sum.
_BRANCH = 0.73


class InvertedResidual(nn.Module):
    """y = q(w3 * q(w2 * q(w1 * x))) (+ x, quantized again): w2 filters each channel by itself.

    ``residual`` is the quantizer of the narrow end and of the sum; if ``shared``, of the branch
    that is added as well.
    """

    def __init__(
        self,
        channels: int,
        outputs: int,
        bits: Bits,
        residual: nn.Module,
        *,
        expansion: int = 6,
        stride: int = 1,
        shared: bool = True,
    ) -> None:
        super().__init__()
        self.is_added = stride == 1 and channels == outputs
        self.quantize = residual
        end = residual
        if self.is_added and not shared:
            end = signed(bits.activations, _BRANCH)
        width = expansion * channels
        self.branch = nn.Sequential()
        if expansion > 1:
            widen = conv2d(channels, width, 1, bits.weights)
            self.branch.add_module("widen", block(widen, activation(bits.activations)))
        each = conv2d(width, width, 3, bits.weights, stride=stride, padding=1, groups=width)
        self.branch.add_module("filter", block(each, activation(bits.activations)))
        self.branch.add_module("narrow", block(conv2d(width, outputs, 1, bits.weights), end))

    def forward(self, x: Any) -> Any:  # noqa: ANN401 (Brevitas' tensor of a quantizer)
        """Return the narrow end, or the quantized sum."""
        found = self.branch(x)
        return self.quantize(added(found, x)) if self.is_added else found


class MobileNetV2(nn.Module):
    """MobileNet-v2: (N, 3, image, image) float pixels in [0, 1] to (N, classes) logits.

    ``alpha`` scales all numbers of channels; ``image`` is a multiple of all strides, 32. The narrow
    tensors have as many bits as the other activations. ``last_width`` is the number of channels in
    front of the mean, which grows with ``alpha`` and doesn't shrink. ``stages`` are as ``STAGES``.
    """

    def __init__(
        self,
        bits: Bits,
        *,
        shared: bool = True,
        alpha: float = 1.0,
        image: int = IMAGE[1],
        classes: int = 1000,
        last_width: int = 1280,
        stages: tuple[tuple[int, int, int, int], ...] = STAGES,
    ) -> None:
        super().__init__()
        self.quantize_input = input_quantizer()
        self.features = nn.Sequential()
        channels = round(32 * alpha)
        first = conv2d(IMAGE[0], channels, 3, _END_BITS, stride=2, padding=1)
        self.features.add_module("conv0", block(first, activation(bits.activations)))
        for stage, (expansion, width, blocks, stride) in enumerate(stages):
            residual = signed(bits.activations)
            for number in range(blocks):
                module = InvertedResidual(
                    channels,
                    round(width * alpha),
                    bits,
                    residual,
                    expansion=expansion,
                    stride=stride if number == 0 else 1,
                    shared=shared,
                )
                self.features.add_module(f"block{stage}{number}", module)
                channels = round(width * alpha)
        outputs = round(last_width * max(alpha, 1.0))
        last = block(conv2d(channels, outputs, 1, bits.weights), activation(bits.activations))
        self.features.add_module("last", last)
        self.mean = nn.AvgPool2d(image // (2 * prod(stage[-1] for stage in stages)))
        self.flatten = nn.Flatten()
        self.classifier = linear(outputs, classes, _END_BITS)
        self.norm = TensorNorm()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch."""
        features = self.features(self.quantize_input(2.0 * pixels - 1.0))
        logits: torch.Tensor = self.norm(self.classifier(self.flatten(self.mean(features))))
        return logits
