"""CNV and the fully connected nets of BNN-PYNQ in plain PyTorch: straight-through estimators.

What one writes without Brevitas: float weights and activations, signs or ternary values on the way
forward, and the gradient of a clipping on the way back.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import conv2d, linear

_FC = {"TFC": 64, "SFC": 256, "LFC": 1024}


def _quantized(x: torch.Tensor, bits: int) -> torch.Tensor:
    clipped = x.clamp(-1, 1)
    levels = torch.where(x >= 0, 1.0, -1.0) if bits == 1 else clipped.round()
    return clipped + (levels - clipped).detach()


class _Quantize(nn.Module):
    def __init__(self, bits: int) -> None:
        super().__init__()
        self.bits = bits

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _quantized(x, self.bits)


class _Conv(nn.Conv2d):
    def __init__(self, channels: int, outputs: int, bits: int) -> None:
        super().__init__(channels, outputs, 3, bias=False)
        self.bits = bits
        nn.init.uniform_(self.weight, -1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return conv2d(x, _quantized(self.weight, self.bits))


class _Linear(nn.Linear):
    def __init__(self, inputs: int, outputs: int, bits: int) -> None:
        super().__init__(inputs, outputs, bias=False)
        self.bits = bits
        nn.init.uniform_(self.weight, -1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return linear(x, _quantized(self.weight, self.bits))


def plain_net(name: str) -> nn.Module | None:
    """Return the net of a name such as ``CNV_1W1A``, or None if it isn't one of BNN-PYNQ's.

    Its input is images with values from -1 to 1.
    """
    family, _, bits = name.partition("_")
    if family not in ("CNV", *_FC):
        return None
    weights, activations = int(bits[0]), int(bits[2])
    return _cnv(weights, activations) if family == "CNV" else _fc(_FC[family], weights, activations)


def _cnv(weights: int, activations: int) -> nn.Module:
    layers: list[nn.Module] = []
    channels = 3
    for number, outputs in enumerate((64, 64, 128, 128, 256, 256)):
        layers += [_Conv(channels, outputs, weights), nn.BatchNorm2d(outputs)]
        layers.append(_Quantize(activations))
        if number in (1, 3):
            layers.append(nn.MaxPool2d(2))
        channels = outputs
    layers.append(nn.Flatten())
    for inputs in (256, 512):
        layers += [_Linear(inputs, 512, weights), nn.BatchNorm1d(512), _Quantize(activations)]
    return nn.Sequential(*layers, _Linear(512, 10, weights), nn.BatchNorm1d(10))


def _fc(width: int, weights: int, activations: int) -> nn.Module:
    layers: list[nn.Module] = [nn.Flatten(), _Quantize(activations)]
    for inputs in (784, width, width):
        layers += [_Linear(inputs, width, weights), nn.BatchNorm1d(width), _Quantize(activations)]
    return nn.Sequential(*layers, _Linear(width, 10, weights), nn.BatchNorm1d(10))
