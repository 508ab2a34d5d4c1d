"""MobileNet-v1: one convolution, thirteen depthwise-separable ones, a global mean, one layer.

The first and the last layer have weights of 8 bits. Whatever only a convolution of single channels
reads has a scale for each channel. Pixels in [0, 1] are normalized by ImageNet's mean and deviation
of each colour and quantized to 8 bits inside.

Reference: Howard et al., MobileNets: Efficient Convolutional Neural Networks for Mobile Vision
Applications, 2017; with four bits, Brevitas' examples.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from lutloom.qat.brevitas_parts import Int32Bias, QuantLinear, TruncAvgPool2d
from lutloom.qat.models.blocks import EIGHT_BITS, conv2d_block, depthwise_separable
from lutloom.qat.quantization import (
    ActivationKind,
    ActivationSpec,
    Quantization,
    WeightKind,
    WeightSpec,
)
from lutloom.qat.quantizers import activation, weight_quantizer

IMAGE = (3, 224, 224)
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_STAGES = ((64,), (128, 128), (256, 256), (512,) * 6, (1024, 1024))
_END_BITS = 8
# (1 - 0.406) / 0.225, the brightest blue
_PIXELS = ActivationSpec(ActivationKind.SIGNED, _END_BITS, limit=2.64)
_SCALED = {ActivationKind.RELU, ActivationKind.LSQ, ActivationKind.PO2}
_LAST = WeightSpec(WeightKind.CONSTANT, _END_BITS)


class MobileNet(nn.Module):
    """MobileNet-v1: (N, 3, image, image) float pixels in [0, 1] to (N, classes) logits.

    ``alpha`` scales all numbers of channels; ``image`` is a multiple of 32.
    """

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(
        self,
        quantization: Quantization,
        input_shape: tuple[int, ...] = IMAGE,
        classes: int = 1000,
        *,
        alpha: float = 1.0,
    ) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).reshape(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(DEVIATION).reshape(1, 3, 1, 1))
        self.quantize_input = activation(_PIXELS, input_shape[0])
        self.features = nn.Sequential()
        quantization = quantization.or_else({"features.conv0": EIGHT_BITS, "classifier": _LAST})
        within = quantization.at("features")
        channels = round(32 * alpha)
        first = conv2d_block(
            within.at("conv0"), input_shape[0], channels, stride=2, padding=1, quantizer=_scaled
        )
        self.features.add_module("conv0", first)
        number = 1
        for stage, layers in enumerate(_STAGES):
            for index, width in enumerate(layers):
                is_last = number == sum(map(len, _STAGES))
                module = depthwise_separable(
                    within.at(f"conv{number}"),
                    channels,
                    round(width * alpha),
                    stride=2 if stage > 0 and index == 0 else 1,
                    quantizer=activation if is_last else _scaled,
                )
                self.features.add_module(f"conv{number}", module)
                channels, number = round(width * alpha), number + 1
        self.pool = TruncAvgPool2d(input_shape[1] // 32, bit_width=_END_BITS)
        self.flatten = nn.Flatten()
        self.classifier = QuantLinear(
            channels,
            classes,
            bias=True,
            bias_quant=Int32Bias,
            weight_quant=weight_quantizer(quantization.at("classifier").weights),
        )

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch."""
        x = self.quantize_input((pixels - self.mean) / self.deviation)
        logits: torch.Tensor = self.classifier(self.flatten(self.pool(self.features(x))))
        return logits


def _scaled(spec: ActivationSpec, channels: int, /, *, dimensions: int = 2) -> nn.Module:
    """Return a quantizer with a scale for each channel, if its kind can have any."""
    spec = replace(spec, per_channel=spec.per_channel or spec.kind in _SCALED)
    return activation(spec, channels, dimensions=dimensions)
