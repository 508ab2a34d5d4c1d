"""Weights and activations of so many bits, as nets have them: for small models of a few layers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lutloom.qat.models.blocks import signed as signed_activation
from lutloom.qat.quantization import WeightSpec, of_bits
from lutloom.qat.quantizers import activation as make_activation

if TYPE_CHECKING:
    from torch import nn


def weights(bits: int) -> WeightSpec:
    return of_bits(bits, bits).weights


def activation(bits: int) -> nn.Module:
    """Return the quantizer between two layers."""
    return make_activation(of_bits(bits, bits).activations, 1)


def signed(bits: int, limit: float = 1.0) -> nn.Module:
    """Return a quantizer that is symmetric around zero, with the largest value ``limit``."""
    return signed_activation(replace(of_bits(bits, bits).activations, limit=limit))
