"""logits = norm(w * mean(blocks(conv0(q(x))))): a net along whose shortcuts run many bits.

What the blocks pass on is real in the publications; here it is quantized to 8 bits, so that
hardware adds integers. The first and the last layer have weights of 8 bits.
"""

from __future__ import annotations

import torch
from torch import nn

from lutloom.qat.models.blocks import EIGHT_BITS, centred, input_quantizer, linear
from lutloom.qat.models.norm import TensorNorm
from lutloom.qat.quantization import ActivationKind, ActivationSpec, Quantization
from lutloom.qat.run import values_of

# Normalized branches have a deviation of about 1, and sums of a few of them of 2.
SUMS = ActivationSpec(ActivationKind.SIGNED, 8, limit=4.0)
"""What runs along shortcuts."""


def with_ends(quantization: Quantization) -> Quantization:
    """Return ``quantization`` with 8 bits for the ends of a net, where it doesn't say others."""
    return quantization.or_else({"conv0": EIGHT_BITS, "classifier": EIGHT_BITS}, {"conv0": SUMS})


class ShortcutNet(nn.Module):
    """The frame of a net: (N, C, H, W) float pixels in [0, 1] to (N, classes) logits.

    The results of ``blocks``, of ``channels``, have ``size`` as their height and width.
    """

    def __init__(
        self,
        quantization: Quantization,
        conv0: nn.Module,
        blocks: nn.Sequential,
        size: tuple[int, int],
        channels: int,
        classes: int,
    ) -> None:
        super().__init__()
        self.quantize_input = input_quantizer()
        self.conv0 = conv0
        self.blocks = blocks
        self.mean = nn.AvgPool2d(size)
        self.flatten = nn.Flatten()
        self.classifier = linear(channels, classes, quantization.at("classifier").weights)
        self.norm = TensorNorm()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch."""
        features = self.blocks(self.conv0(self.quantize_input(centred(pixels))))
        mean = self.flatten(self.mean(values_of(features)))
        logits: torch.Tensor = self.norm(self.classifier(mean))
        return logits
