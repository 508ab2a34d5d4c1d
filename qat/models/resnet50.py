"""ResNet-50 on images of 224x224, in FINN's form: low-bit layers around residuals of 4 bits.

What runs along the blocks is signed, of 4 bits, and of one scale in a stage: branch and sum share
the quantizer, so that sums need no multipliers. A block quantizes it to the bits of the
activations, behind a ReLU, before its first convolution. The first layer and the last have weights
of 8 bits. With quantizers of their own (``shared=False``) the scales of branches meet at each sum.

Reference: He et al., Deep Residual Learning for Image Recognition, CVPR 2016, with the stride on
the 3x3 convolutions as in torchvision; quantized, the ResNet-50 of finn-examples.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import nn

from lutloom.qat.models.blocks import (
    EIGHT_BITS,
    added,
    centred,
    conv2d_block,
    input_quantizer,
    linear,
    signed,
)
from lutloom.qat.models.norm import TensorNorm
from lutloom.qat.quantization import ActivationKind, ActivationSpec, Quantization
from lutloom.qat.quantizers import activation

IMAGE = (3, 224, 224)
_STAGES = (3, 4, 6, 3)
_EXPANSION = 4
_RESIDUAL_BITS = 4
# Largest values of branches that don't share a quantizer: no multiples of one another, and no ties
# all the time, as round ones would make.
_BRANCH, _SHORTCUT = 0.93, 1.07


class Bottleneck(nn.Module):
    """y = q(q(w3 * q(w2 * q(w1 * q(x)))) + x): 1x1, 3x3 and 1x1 convolutions beside the residual.

    ``residual`` is the quantizer of the sum, and of its branches if ``shared``.
    """

    def __init__(
        self,
        quantization: Quantization,
        channels: int,
        width: int,
        residual: nn.Module,
        *,
        stride: int = 1,
        shared: bool = True,
    ) -> None:
        super().__init__()
        outputs = _EXPANSION * width
        self.narrow = activation(quantization.at("narrow").activations, channels)
        self.is_projected = channels != outputs or stride > 1
        self.shortcut: nn.Module = nn.Identity()
        if self.is_projected:
            self.shortcut = conv2d_block(
                quantization.at("shortcut"),
                channels,
                outputs,
                1,
                stride=stride,
                quantizer=residual if shared else _residual(_SHORTCUT),
            )
        within = quantization.at("branch")
        # made before its neighbours: random weights are drawn in this order
        middle = conv2d_block(within.at("conv1"), width, width, stride=stride, padding=1)
        self.branch = nn.Sequential()
        self.branch.add_module("conv0", conv2d_block(within.at("conv0"), channels, width, 1))
        self.branch.add_module("conv1", middle)
        end = residual if shared else _residual(_BRANCH)
        last = conv2d_block(within.at("conv2"), width, outputs, 1, quantizer=end)
        self.branch.add_module("conv2", last)
        self.quantize = residual

    def forward(self, x: Any) -> Any:  # noqa: ANN401 (Brevitas' tensor of a quantizer)
        """Return the quantized sum."""
        narrow = self.narrow(x)
        shortcut = self.shortcut(narrow if self.is_projected else x)
        return self.quantize(added(self.branch(narrow), shortcut))


class ResNet50(nn.Module):
    """ResNet-50: (N, C, image, image) float pixels in [0, 1] to (N, classes) logits.

    ``width`` is the number of channels of the first layer; the others keep their ratio to it.
    ``image`` is a multiple of 32. ``shared`` says whether the branches of a sum share a quantizer.
    """

    def __init__(
        self,
        quantization: Quantization,
        input_shape: tuple[int, ...] = IMAGE,
        classes: int = 1000,
        *,
        shared: bool = True,
        width: int = 64,
    ) -> None:
        super().__init__()
        quantization = quantization.or_else({"conv0": EIGHT_BITS, "classifier": EIGHT_BITS})
        self.quantize_input = input_quantizer()
        self.conv0 = conv2d_block(
            quantization.at("conv0"),
            input_shape[0],
            width,
            7,
            stride=2,
            padding=3,
            quantizer=_residual(),
        )
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.blocks = nn.Sequential()
        within = quantization.at("blocks")
        channels = width
        for stage, blocks in enumerate(_STAGES):
            residual = _residual()
            for number in range(blocks):
                name = f"block{stage}{number}"
                module = Bottleneck(
                    within.at(name),
                    channels,
                    width << stage,
                    residual,
                    stride=2 if stage > 0 and number == 0 else 1,
                    shared=shared,
                )
                self.blocks.add_module(name, module)
                channels = _EXPANSION * (width << stage)
        self.relu = activation(replace(_RESIDUAL, kind=ActivationKind.RELU), channels)
        self.mean = nn.AvgPool2d(input_shape[1] // 32)
        self.flatten = nn.Flatten()
        self.classifier = linear(channels, classes, quantization.at("classifier").weights)
        self.norm = TensorNorm()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch."""
        features = self.pool(self.conv0(self.quantize_input(centred(pixels))))
        mean = self.mean(self.relu(self.blocks(features)))
        logits: torch.Tensor = self.norm(self.classifier(self.flatten(mean)))
        return logits


_RESIDUAL = ActivationSpec(ActivationKind.SIGNED, _RESIDUAL_BITS)


def _residual(limit: float = 1.0) -> nn.Module:
    return signed(_RESIDUAL, limit=limit)
