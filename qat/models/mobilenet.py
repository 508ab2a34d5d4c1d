"""MobileNet-v1: one convolution, thirteen depthwise-separable ones, a global mean, one layer.

Weights and activations have as many bits as asked for, the first and the last layer 8. Whatever
only a convolution of single channels reads has a scale for each channel. Pixels in [0, 1] are
normalized by ImageNet's mean and deviation of each colour and quantized to 8 bits inside.

Reference: Howard et al., MobileNets: Efficient Convolutional Neural Networks for Mobile Vision
Applications, 2017; with four bits, Brevitas' examples.
"""

from __future__ import annotations

import torch
from torch import nn

from lutloom.qat.brevitas_parts import Int32Bias, QuantIdentity, QuantLinear, TruncAvgPool2d
from lutloom.qat.models.blocks import Bits, activation, block, conv2d, depthwise_separable
from lutloom.qat.quantizers import activation_quantizer, weight_quantizer

IMAGE = (3, 224, 224)
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_STAGES = ((64,), (128, 128), (256, 256), (512,) * 6, (1024, 1024))
_END_BITS = 8
# (1 - 0.406) / 0.225, the brightest blue
_LARGEST_PIXEL = 2.64


class MobileNet(nn.Module):
    """MobileNet-v1: (N, 3, image, image) float pixels in [0, 1] to (N, classes) logits.

    ``alpha`` scales all numbers of channels; ``image`` is a multiple of 32.
    """

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(
        self, bits: int = 4, *, alpha: float = 1.0, image: int = IMAGE[1], classes: int = 1000
    ) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).reshape(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(DEVIATION).reshape(1, 3, 1, 1))
        self.quantize_input = QuantIdentity(
            act_quant=activation_quantizer(_END_BITS, _LARGEST_PIXEL), return_quant_tensor=True
        )
        self.features = nn.Sequential()
        channels = round(32 * alpha)
        layer = conv2d(IMAGE[0], channels, 3, _END_BITS, stride=2, padding=1)
        self.features.add_module("conv0", block(layer, _per_channel(bits, channels)))
        number = 1
        for stage, layers in enumerate(_STAGES):
            for index, width in enumerate(layers):
                outputs, stride = round(width * alpha), 2 if stage > 0 and index == 0 else 1
                is_last = number == sum(map(len, _STAGES))
                module = depthwise_separable(
                    channels,
                    outputs,
                    Bits(bits, bits),
                    stride=stride,
                    quantize=None if is_last else _per_channel(bits, outputs),
                )
                self.features.add_module(f"conv{number}", module)
                channels, number = outputs, number + 1
        self.pool = TruncAvgPool2d(image // 32, bit_width=_END_BITS)
        self.flatten = nn.Flatten()
        self.classifier = QuantLinear(
            channels,
            classes,
            bias=True,
            bias_quant=Int32Bias,
            weight_quant=weight_quantizer(_END_BITS),
        )

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch."""
        x = self.quantize_input((pixels - self.mean) / self.deviation)
        logits: torch.Tensor = self.classifier(self.flatten(self.pool(self.features(x))))
        return logits


def _per_channel(bits: int, channels: int) -> nn.Module:
    return activation(bits, (1, channels, 1, 1))
