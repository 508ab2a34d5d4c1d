"""Quantizers of weights and activations: what each kind of a spec is, in terms of Brevitas.

A module has one idea, with its equation and paper. All round ties to even, ``sign(0)`` is +1, and
gradients pass straight through the rounding, as in QONNX's ``Quant`` and ``BipolarQuant``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lutloom.qat.brevitas_parts import QuantLinear
from lutloom.qat.quantization import WeightSpec
from lutloom.qat.quantizers.activations import activation
from lutloom.qat.quantizers.constant import (
    activation_quantizer,
    constant_weights,
    fixed_point_quantizer,
    relu_quantizer,
)
from lutloom.qat.quantizers.integer import integer_weights
from lutloom.qat.quantizers.learned_shift import RPReLU, RSign
from lutloom.qat.quantizers.weights import (
    clip_range,
    clipped_weights,
    initialize_weights,
)
from lutloom.qat.quantizers.weights import weight_quantizer as _of_spec

if TYPE_CHECKING:
    import torch

__all__ = [
    "RPReLU",
    "RSign",
    "activation",
    "activation_quantizer",
    "channel_weight_quantizer",
    "clip_range",
    "clipped_weights",
    "fixed_point_quantizer",
    "initialize_weights",
    "quantized_weights",
    "relu_quantizer",
    "weight_quantizer",
]


def weight_quantizer(spec: WeightSpec | int, limit: float = 1.0) -> Any:  # noqa: ANN401 (an injector)
    """Return what a layer of Brevitas takes as ``weight_quant``.

    ``spec`` may be the bits of a constant grid up to ``limit`` as well.
    """
    return constant_weights(spec, limit) if isinstance(spec, int) else _of_spec(spec)


def channel_weight_quantizer(bits: int) -> Any:  # noqa: ANN401 (an injector)
    """Return a quantizer of weights whose scale follows the largest of each output channel.

    Raises ValueError unless bits is 2 to 8.
    """
    if not 2 <= bits <= 8:
        raise ValueError(f"a quantizer of {bits} bits: use 2 to 8")
    return integer_weights(bits, per_channel=True)


def quantized_weights(model: torch.nn.Module) -> list[torch.nn.Parameter]:
    """Return the float weights of every quantized linear layer, the parameters themselves."""
    return [
        module.get_parameter("weight")
        for module in model.modules()
        if isinstance(module, QuantLinear)
    ]
