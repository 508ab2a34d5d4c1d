"""SqueezeNet: fire units, which squeeze channels by a 1x1 convolution and expand them by two.

The two, of 1x1 and of 3x3, are concatenated; they share a quantizer, unless ``shared=False`` gives
each its own. There is no linear layer: a last 1x1 convolution makes the classes, and their means
over all pixels are the logits.

Reference: Iandola et al., SqueezeNet: AlexNet-level accuracy with 50x fewer parameters, 2016;
version 1.1, with batch normalization.
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
)
from lutloom.qat.quantization import ActivationKind, ActivationSpec, Quantization
from lutloom.qat.quantizers import activation
from lutloom.qat.run import values_of

IMAGE = (3, 224, 224)
# channels squeezed to, by 64; None is a pooling
_UNITS = (16, 16, None, 32, 32, None, 48, 48, 64, 64)
_CLASSES = ActivationSpec(ActivationKind.RELU, 8)
# The largest value of the 3x3 convolution where it doesn't share the quantizer of the other one.
_OTHER = 0.7


class Fire(nn.Module):
    """y = concat(q(w1 * s), q(w3 * s)) with s = q(w0 * x): 1x1 to ``squeezed``, then 1x1 and 3x3.

    Each of the latter has four times as many channels.
    """

    def __init__(
        self, quantization: Quantization, channels: int, squeezed: int, *, shared: bool = True
    ) -> None:
        super().__init__()
        self.squeeze = conv2d_block(quantization.at("squeeze"), channels, squeezed, 1)
        self.expand1 = conv2d_block(quantization.at("expand1"), squeezed, 4 * squeezed, 1)
        end: Quantizer | nn.Module = activation_up_to(_OTHER)
        if shared:
            end = self.expand1.get_submodule("quantize")
        self.expand3 = conv2d_block(
            quantization.at("expand3"), squeezed, 4 * squeezed, padding=1, quantizer=end
        )

    def forward(self, x: Any) -> torch.Tensor:  # noqa: ANN401 (a tensor, or Brevitas')
        """Return the channels of both convolutions."""
        squeezed = self.squeeze(x)
        return joined(self.expand1(squeezed), self.expand3(squeezed))


class SqueezeNet(nn.Module):
    """SqueezeNet: (N, C, H, W) float pixels in [0, 1] to (N, classes) logits.

    ``width`` is the number of channels of the first layer; the others keep their ratio to it.
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
        quantization = quantization.or_else({"features.conv0": EIGHT_BITS, "classes": EIGHT_BITS})
        self.quantize_input = input_quantizer()
        self.features = nn.Sequential()
        within = quantization.at("features")
        first = conv2d_block(within.at("conv0"), input_shape[0], width, stride=2, padding=1)
        self.features.add_module("conv0", first)
        self.features.add_module("pool0", nn.MaxPool2d(3, 2))
        channels = width
        for number, part in enumerate(_UNITS, start=1):
            if part is None:
                self.features.add_module(f"pool{number}", nn.MaxPool2d(3, 2))
                continue
            squeezed = part * width // 64
            module = Fire(within.at(f"fire{number}"), channels, squeezed, shared=shared)
            self.features.add_module(f"fire{number}", module)
            channels = 8 * squeezed
        end = activation(_CLASSES, classes)
        self.classes = conv2d_block(quantization.at("classes"), channels, classes, 1, quantizer=end)
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch."""
        classes = self.classes(self.features(self.quantize_input(centred(pixels))))
        logits: torch.Tensor = self.flatten(self.mean(values_of(classes)))
        return logits
