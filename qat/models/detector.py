"""A small YOLO: convolutions with a leaky ReLU, and boxes found on two grids.

Poolings lead to a coarse grid, whose features are upsampled and concatenated to those of the grid
twice as fine; a 1x1 convolution on each makes the predictions: of each of three anchors its box,
how sure it is, and the classes. What they mean is for the host to compute.

Reference: Redmon and Farhadi, YOLOv3: An Incremental Improvement, 2018 (its tiny variant).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lutloom.qat.models.blocks import (
    centred,
    conv2d,
    conv2d_block,
    input_quantizer,
    joined,
    signed,
)
from lutloom.qat.quantization import ActivationKind, ActivationSpec, Quantization
from lutloom.qat.run import values_of

IMAGE = (3, 96, 96)
_ANCHORS, _BOX = 3, 5
_SLOPE = 0.1
_END = ActivationSpec(ActivationKind.SIGNED, 8)
# The largest value of the upsampled features: no multiple of that of those they are joined to.
_OTHER = 0.7


class Detector(nn.Module):
    """(N, 3, H, W) float pixels in [0, 1] to the predictions on the coarse and the fine grid.

    They are (N, 3 (5 + classes), H/16, W/16) and (..., H/8, W/8); with ``joined`` one tensor
    (N, 3 (5 + classes), places), the coarse grid first. ``width`` is the number of channels of the
    first layer, of 16 in the tiny YOLOv3; H and W are multiples of 16.
    """

    def __init__(
        self,
        quantization: Quantization,
        input_shape: tuple[int, ...] = IMAGE,
        classes: int = 2,
        *,
        joined: bool = False,
        width: int = 8,
    ) -> None:
        super().__init__()
        self.is_joined = joined
        self.quantize_input = input_quantizer()
        self.pool = nn.MaxPool2d(2)
        self.down = nn.ModuleList()
        channels = input_shape[0]
        for number in range(4):
            within = quantization.at(f"down.{number}")
            self.down.append(_leaky(within, channels, width << number, 3))
            channels = width << number
        self.coarse = _leaky(quantization.at("coarse"), channels, 2 * channels, 3)
        self.narrow = _leaky(quantization.at("narrow"), 2 * channels, channels // 2, 1)
        self.repeat = nn.Upsample(scale_factor=2, mode="nearest")
        lateral = quantization.at("lateral")
        self.lateral = _leaky(lateral, channels // 2, channels // 4, 1, limit=_OTHER)
        self.fine = _leaky(quantization.at("fine"), channels + channels // 4, channels, 3)
        outputs = _ANCHORS * (_BOX + classes)
        self.coarse_boxes = _boxes(quantization.at("coarse_boxes"), channels // 2, outputs)
        self.fine_boxes = _boxes(quantization.at("fine_boxes"), channels, outputs)

    def forward(self, pixels: torch.Tensor) -> Any:  # noqa: ANN401 (one tensor, or two)
        """Return the predictions of a batch."""
        x: Any = self.quantize_input(centred(pixels))
        for layer in self.down:
            passed = layer(x)
            x = self.pool(passed)
        narrow = self.narrow(self.coarse(x))
        upsampled = self.repeat(values_of(self.lateral(narrow)))
        fine = self.fine(joined(upsampled, passed))
        boxes = values_of(self.coarse_boxes(narrow)), values_of(self.fine_boxes(fine))
        if self.is_joined:
            return torch.cat([grid.flatten(2) for grid in boxes], dim=2)
        return boxes


def _leaky(
    quantization: Quantization, channels: int, outputs: int, kernel: int, *, limit: float = 1.0
) -> nn.Sequential:
    weights = quantization.at("layer").weights
    layer = conv2d(channels, outputs, kernel, weights, padding=kernel // 2)
    sequence = nn.Sequential()
    sequence.add_module("layer", layer)
    sequence.add_module("norm", nn.BatchNorm2d(outputs))
    sequence.add_module("relu", nn.LeakyReLU(_SLOPE))
    spec = quantization.at("quantize").activations
    sequence.add_module("quantize", signed(spec, outputs, limit=limit))
    return sequence


def _boxes(quantization: Quantization, channels: int, outputs: int) -> nn.Sequential:
    return conv2d_block(quantization, channels, outputs, 1, quantizer=signed(_END))
