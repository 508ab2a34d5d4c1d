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
    EIGHT_BITS,
    Quantizer,
    added,
    centred,
    conv2d_block,
    input_quantizer,
    linear,
    signed,
    signed_up_to,
)
from lutloom.qat.models.norm import TensorNorm
from lutloom.qat.quantization import Quantization

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

# The largest value of a branch that doesn't share its quantizer: no multiple of that of the sum.
_BRANCH = 0.73


class InvertedResidual(nn.Module):
    """y = q(w3 * q(w2 * q(w1 * x))) (+ x, quantized again): w2 filters each channel by itself.

    ``residual`` is the quantizer of the narrow end and of the sum; if ``shared``, of the branch
    that is added as well.
    """

    def __init__(
        self,
        quantization: Quantization,
        channels: int,
        outputs: int,
        residual: nn.Module,
        *,
        expansion: int = 6,
        stride: int = 1,
        shared: bool = True,
    ) -> None:
        super().__init__()
        self.is_added = stride == 1 and channels == outputs
        self.quantize = residual
        end: Quantizer | nn.Module = residual
        if self.is_added and not shared:
            end = signed_up_to(_BRANCH)
        width = expansion * channels
        within = quantization.at("branch")
        self.branch = nn.Sequential()
        if expansion > 1:
            self.branch.add_module("widen", conv2d_block(within.at("widen"), channels, width, 1))
        each = conv2d_block(
            within.at("filter"), width, width, stride=stride, padding=1, groups=width
        )
        self.branch.add_module("filter", each)
        narrow = conv2d_block(within.at("narrow"), width, outputs, 1, quantizer=end)
        self.branch.add_module("narrow", narrow)

    def forward(self, x: Any) -> Any:  # noqa: ANN401 (Brevitas' tensor of a quantizer)
        """Return the narrow end, or the quantized sum."""
        found = self.branch(x)
        return self.quantize(added(found, x)) if self.is_added else found


class MobileNetV2(nn.Module):
    """MobileNet-v2: (N, C, image, image) float pixels in [0, 1] to (N, classes) logits.

    ``alpha`` scales all numbers of channels; ``image`` is a multiple of all strides, 32. The narrow
    tensors have as many bits as the other activations. ``last_width`` is the number of channels in
    front of the mean, which grows with ``alpha`` and doesn't shrink. ``stages`` are as ``STAGES``.
    """

    def __init__(
        self,
        quantization: Quantization,
        input_shape: tuple[int, ...] = IMAGE,
        classes: int = 1000,
        *,
        shared: bool = True,
        alpha: float = 1.0,
        last_width: int = 1280,
        stages: tuple[tuple[int, int, int, int], ...] = STAGES,
    ) -> None:
        super().__init__()
        quantization = quantization.or_else(
            {"features.conv0": EIGHT_BITS, "classifier": EIGHT_BITS}
        )
        self.quantize_input = input_quantizer()
        self.features = nn.Sequential()
        within = quantization.at("features")
        channels = round(32 * alpha)
        first = conv2d_block(within.at("conv0"), input_shape[0], channels, stride=2, padding=1)
        self.features.add_module("conv0", first)
        for stage, (expansion, width, blocks, stride) in enumerate(stages):
            residual = signed(within.at(f"block{stage}0").at("quantize").activations)
            for number in range(blocks):
                name = f"block{stage}{number}"
                module = InvertedResidual(
                    within.at(name),
                    channels,
                    round(width * alpha),
                    residual,
                    expansion=expansion,
                    stride=stride if number == 0 else 1,
                    shared=shared,
                )
                self.features.add_module(name, module)
                channels = round(width * alpha)
        outputs = round(last_width * max(alpha, 1.0))
        last = conv2d_block(within.at("last"), channels, outputs, 1)
        self.features.add_module("last", last)
        self.mean = nn.AvgPool2d(input_shape[1] // (2 * prod(stage[-1] for stage in stages)))
        self.flatten = nn.Flatten()
        self.classifier = linear(outputs, classes, quantization.at("classifier").weights)
        self.norm = TensorNorm()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch."""
        features = self.features(self.quantize_input(centred(pixels)))
        logits: torch.Tensor = self.norm(self.classifier(self.flatten(self.mean(features))))
        return logits
