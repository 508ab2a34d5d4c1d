"""The activations behind a layer: the module that a spec is."""

from __future__ import annotations

from typing import Any

from torch import nn

from lutloom.qat.brevitas_parts import QuantIdentity, QuantReLU
from lutloom.qat.quantization import ActivationKind, ActivationSpec
from lutloom.qat.quantizers.constant import activation_quantizer, relu_quantizer
from lutloom.qat.quantizers.dorefa import dorefa_activations
from lutloom.qat.quantizers.learned_shift import RPReLU, RSign
from lutloom.qat.quantizers.lsq import lsq_activations
from lutloom.qat.quantizers.po2 import po2_activations


def activation(spec: ActivationSpec, channels: int, *, dimensions: int = 2) -> nn.Module:
    """Return the module for (N, ``channels``, ...) of a spec; it gives a tensor of Brevitas.

    ``dimensions`` are those behind the channels, for scales of channels: 2 for images, 1 for
    signals, 0 for vectors.
    """
    shape = (1, channels, *[1] * dimensions) if spec.per_channel else ()
    bits, limit = spec.bits, spec.limit
    match spec.kind:
        case ActivationKind.SIGNED:
            return _quantize(activation_quantizer(bits, limit), QuantIdentity)
        case ActivationKind.RELU:
            return _quantize(relu_quantizer(bits, limit, shape), QuantReLU)
        case ActivationKind.DOREFA:
            return _quantize(dorefa_activations(bits, limit), QuantReLU)
        case ActivationKind.LSQ:
            return _quantize(lsq_activations(bits, limit, shape), QuantReLU)
        case ActivationKind.PO2:
            return _quantize(po2_activations(bits, limit, shape), QuantReLU)
        case ActivationKind.RSIGN:
            return RSign(channels, limit)
        case ActivationKind.RPRELU:
            sequence = nn.Sequential()
            sequence.add_module("rprelu", RPReLU(channels))
            signed = activation_quantizer(bits, limit)
            sequence.add_module("quantize", _quantize(signed, QuantIdentity))
            return sequence


def _quantize(quantizer: Any, layer: Any) -> nn.Module:  # noqa: ANN401 (of Brevitas, untyped)
    module: nn.Module = layer(act_quant=quantizer, return_quant_tensor=True)
    return module
