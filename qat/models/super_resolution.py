"""Super-resolution: a larger image of a small one, in two ways to enlarge.

ESPCN computes all pixels of a block as channels of a small one, and moves them to their places at
the end (depth to space). The other way repeats pixels and convolves what has become large, which
leaves no checkerboard. Both see one channel, the luminance, and give pixels of 8 bits.

References: Shi et al., Real-Time Single Image and Video Super-Resolution Using an Efficient
Sub-Pixel Convolutional Neural Network, CVPR 2016; Odena et al., Deconvolution and Checkerboard
Artifacts, Distill 2016.
"""

from __future__ import annotations

import torch
from torch import nn

from lutloom.qat.models.blocks import EIGHT_BITS, centred, conv2d_block, input_quantizer
from lutloom.qat.quantization import ActivationKind, ActivationSpec, Quantization
from lutloom.qat.quantizers import activation
from lutloom.qat.run import values_of

IMAGE = (1, 32, 32)
_PIXELS = ActivationSpec(ActivationKind.RELU, 8)


class SubPixel(nn.Module):
    """ESPCN: (N, 1, H, W) float pixels in [0, 1] to (N, 1, factor H, factor W) ones.

    ``width`` is the number of channels of the first layer; the second has half as many.
    """

    def __init__(self, quantization: Quantization, *, factor: int = 3, width: int = 64) -> None:
        super().__init__()
        self.quantize_input = input_quantizer()
        self.features = _features(quantization.at("features"), width)
        self.pixels = _pixels(quantization, width // 2, factor**2)
        self.enlarge = nn.PixelShuffle(factor)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the larger images of a batch."""
        channels = self.pixels(self.features(self.quantize_input(centred(pixels))))
        found: torch.Tensor = self.enlarge(values_of(channels))
        return found


class ResizeConvolution(nn.Module):
    """Pixels repeated ``factor`` times, between the second and the last convolution of three.

    (N, 1, H, W) float pixels in [0, 1] to (N, 1, factor H, factor W) ones.
    """

    def __init__(self, quantization: Quantization, *, factor: int = 2, width: int = 32) -> None:
        super().__init__()
        self.quantize_input = input_quantizer()
        self.features = _features(quantization.at("features"), width)
        self.enlarge = nn.Upsample(scale_factor=factor, mode="nearest")
        self.pixels = _pixels(quantization, width // 2, IMAGE[0])

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the larger images of a batch."""
        channels = self.features(self.quantize_input(centred(pixels)))
        return values_of(self.pixels(self.enlarge(values_of(channels))))


def _features(quantization: Quantization, width: int) -> nn.Sequential:
    sequence = nn.Sequential()
    first = conv2d_block(quantization.at("conv0"), IMAGE[0], width, 5, padding=2)
    sequence.add_module("conv0", first)
    second = conv2d_block(quantization.at("conv1"), width, width // 2, padding=1)
    sequence.add_module("conv1", second)
    return sequence


def _pixels(quantization: Quantization, channels: int, outputs: int) -> nn.Sequential:
    """Return the last convolution, with weights and pixels of 8 bits."""
    within = quantization.or_else({"pixels": EIGHT_BITS}).at("pixels")
    end = activation(_PIXELS, outputs)
    return conv2d_block(within, channels, outputs, padding=1, quantizer=end)
