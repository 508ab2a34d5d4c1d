"""Quantizers of weights and activations: what each kind of a spec is, in terms of Brevitas.

A module has one idea, with its equation and paper. All round ties to even, and ``sign(0)`` is +1,
as in QONNX's ``Quant`` and ``BipolarQuant``; gradients pass straight through the rounding.
"""

from __future__ import annotations

from lutloom.qat.quantizers.activations import activation
from lutloom.qat.quantizers.constant import (
    activation_quantizer,
    fixed_point_quantizer,
    relu_quantizer,
)
from lutloom.qat.quantizers.learned_shift import RPReLU, RSign
from lutloom.qat.quantizers.weights import (
    clip_range,
    clipped_weights,
    initialize_weights,
    weight_quantizer,
)

__all__ = [
    "RPReLU",
    "RSign",
    "activation",
    "activation_quantizer",
    "clip_range",
    "clipped_weights",
    "fixed_point_quantizer",
    "initialize_weights",
    "relu_quantizer",
    "weight_quantizer",
]
