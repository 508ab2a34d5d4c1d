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

from lutloom.qat.errors import TrainingError
from lutloom.qat.models.blocks import (
    Quantizer,
    added,
    centred,
    conv1d_block,
    conv2d,
    input_quantizer,
    linear,
    signed,
)
from lutloom.qat.models.norm import TensorNorm
from lutloom.qat.quantization import Quantization
from lutloom.qat.quantizers import activation
from lutloom.qat.run import values_of

IMAGE = (3, 32, 32)


class Attention(nn.Module):
    """y = q(w * q(v q(relu(norm(k^T q)))) + x): (N, width, tokens) to the same, head by head."""

    def __init__(
        self, quantization: Quantization, width: int, heads: int, residual: nn.Module
    ) -> None:
        super().__init__()
        self.heads = heads

        def mixed(name: str, quantizer: Quantizer | nn.Module) -> nn.Sequential:
            return conv1d_block(quantization.at(name), width, width, 1, quantizer=quantizer)

        self.queries, self.keys, self.values = (
            mixed(name, signed) for name in ("queries", "keys", "values")
        )
        self.norm = nn.BatchNorm2d(heads)
        self.weigh = activation(quantization.at("weigh").activations, heads)
        self.mixed_norm = nn.BatchNorm1d(width)
        self.quantize_mixed = signed(quantization.at("quantize_mixed").activations, width)
        self.project = mixed("project", residual)
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

    def __init__(self, quantization: Quantization, width: int, residual: nn.Module) -> None:
        super().__init__()
        self.widen = conv1d_block(quantization.at("widen"), width, 2 * width, 1)
        self.narrow = conv1d_block(
            quantization.at("narrow"), 2 * width, width, 1, quantizer=residual
        )
        self.quantize = residual

    def forward(self, x: Any) -> Any:  # noqa: ANN401 (Brevitas' tensor of a quantizer)
        """Return the tokens after both layers."""
        return self.quantize(added(self.narrow(self.widen(x)), x))


class AttentionNet(nn.Module):
    """Blocks of attention: (N, C, H, W) float pixels in [0, 1] to (N, classes) logits.

    ``patch`` is the height and width of a token, and divides those of the image; ``width`` is the
    number of features of a token, a multiple of ``heads``.
    """

    def __init__(
        self,
        quantization: Quantization,
        input_shape: tuple[int, ...] = IMAGE,
        classes: int = 10,
        *,
        width: int = 32,
        heads: int = 4,
        blocks: int = 2,
        patch: int = 4,
    ) -> None:
        super().__init__()
        if width % heads:
            raise TrainingError(
                f"each of {heads} heads has a part of a token's {width} features: use a width that "
                "is a multiple of the heads"
            )
        if any(side % patch for side in input_shape[1:]):
            raise TrainingError(
                f"images of {input_shape[1]}x{input_shape[2]} pixels can't be parted into patches "
                f"of {patch}x{patch}: use a patch that divides both sides"
            )
        self.quantize_input = input_quantizer()
        residual = signed(quantization.at("quantize_patches").activations, width)
        weights = quantization.at("patches").weights
        self.patches = conv2d(input_shape[0], width, patch, weights, stride=patch)
        self.norm_patches = nn.BatchNorm1d(width)
        self.quantize_patches = residual
        self.blocks = nn.Sequential()
        within = quantization.at("blocks")
        for number in range(blocks):
            name = f"attention{number}"
            self.blocks.add_module(name, Attention(within.at(name), width, heads, residual))
            name = f"layers{number}"
            self.blocks.add_module(name, _Layers(within.at(name), width, residual))
        self.mean = nn.AdaptiveAvgPool1d(1)
        self.flatten = nn.Flatten()
        self.classifier = linear(width, classes, quantization.at("classifier").weights)
        self.norm = TensorNorm()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch."""
        patches = self.patches(self.quantize_input(centred(pixels))).flatten(2)
        tokens = self.blocks(self.quantize_patches(self.norm_patches(patches)))
        mean = self.flatten(self.mean(values_of(tokens)))
        logits: torch.Tensor = self.norm(self.classifier(mean))
        return logits
