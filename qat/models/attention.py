"""A vision transformer of integers: attention by a ReLU, batch norms, quantizers, no softmax.

Patches of an image become tokens. In each block every head compares all tokens with all (queries
with keys), quantizes the products behind a ReLU, and sums up values by them; then two layers work
on each token by itself. Both are residual.

References: Vaswani et al., Attention Is All You Need, NeurIPS 2017; Dosovitskiy et al., An Image is
Worth 16x16 Words, ICLR 2021; the ReLU in the place of the softmax, Wortsman et al., Replacing
softmax with ReLU in Vision Transformers, 2023; batch norms, Yao et al., Leveraging Batch
Normalization for Vision Transformers, ICCVW 2021.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lutloom.qat.models.blocks import (
    Bits,
    activation,
    added,
    block,
    conv1d,
    conv2d,
    input_quantizer,
    linear,
    signed,
)
from lutloom.qat.models.norm import TensorNorm
from lutloom.qat.run import values_of

IMAGE = (3, 32, 32)


class Attention(nn.Module):
    """y = q(w * q(v q(relu(norm(k^T q)))) + x): (N, width, tokens) to the same, head by head."""

    def __init__(self, width: int, heads: int, bits: Bits, residual: nn.Module) -> None:
        super().__init__()
        self.heads = heads
        self.queries, self.keys, self.values = (
            block(conv1d(width, width, 1, bits.weights), signed(bits.activations)) for _ in range(3)
        )
        self.norm = nn.BatchNorm2d(heads)
        self.weigh = activation(bits.activations)
        self.mixed_norm = nn.BatchNorm1d(width)
        self.quantize_mixed = signed(bits.activations)
        self.project = block(conv1d(width, width, 1, bits.weights), residual)
        self.quantize = residual

    def forward(self, x: Any) -> Any:  # noqa: ANN401 (Brevitas' tensor of a quantizer)
        """Return the tokens, each with what it gathered from the others."""
        queries, keys, values = (
            self._by_head(values_of(part(x))) for part in (self.queries, self.keys, self.values)
        )
        alike = queries.transpose(-1, -2) @ keys
        weights = values_of(self.weigh(self.norm(alike)))
        mixed = (values @ weights.transpose(-1, -2)).flatten(1, 2)
        projected = self.project(self.quantize_mixed(self.mixed_norm(mixed)))
        return self.quantize(added(projected, x))

    def _by_head(self, x: torch.Tensor) -> torch.Tensor:
        images, width, tokens = x.shape
        return x.reshape(images, self.heads, width // self.heads, tokens)


class _Layers(nn.Module):
    """y = q(w2 * q(w1 * x) + x), for each token by itself."""

    def __init__(self, width: int, bits: Bits, residual: nn.Module) -> None:
        super().__init__()
        wide = conv1d(width, 2 * width, 1, bits.weights)
        self.widen = block(wide, activation(bits.activations))
        self.narrow = block(conv1d(2 * width, width, 1, bits.weights), residual)
        self.quantize = residual

    def forward(self, x: Any) -> Any:  # noqa: ANN401 (Brevitas' tensor of a quantizer)
        """Return the tokens after both layers."""
        return self.quantize(added(self.narrow(self.widen(x)), x))


class AttentionNet(nn.Module):
    """Blocks of attention: (N, 3, H, W) float pixels in [0, 1] to (N, classes) logits.

    ``patch`` is the height and width of a token, and divides those of the image; ``width`` is the
    number of features of a token, a multiple of ``heads``.
    """

    def __init__(
        self,
        bits: Bits,
        *,
        classes: int = 10,
        width: int = 32,
        heads: int = 4,
        blocks: int = 2,
        patch: int = 4,
    ) -> None:
        super().__init__()
        self.quantize_input = input_quantizer()
        residual = signed(bits.activations)
        self.patches = conv2d(IMAGE[0], width, patch, bits.weights, stride=patch)
        self.norm_patches = nn.BatchNorm1d(width)
        self.quantize_patches = residual
        self.blocks = nn.Sequential()
        for number in range(blocks):
            self.blocks.add_module(f"attention{number}", Attention(width, heads, bits, residual))
            self.blocks.add_module(f"layers{number}", _Layers(width, bits, residual))
        self.mean = nn.AdaptiveAvgPool1d(1)
        self.flatten = nn.Flatten()
        self.classifier = linear(width, classes, bits.weights)
        self.norm = TensorNorm()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch."""
        patches = self.patches(self.quantize_input(2.0 * pixels - 1.0)).flatten(2)
        tokens = self.blocks(self.quantize_patches(self.norm_patches(patches)))
        mean = self.flatten(self.mean(values_of(tokens)))
        logits: torch.Tensor = self.norm(self.classifier(mean))
        return logits
