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
    """Return the module for (N, ``channels``, ...) of a spec.

    It gives a tensor of Brevitas, which knows its bits; with scales of channels a plain one, as
    products with it have no scale. ``dimensions`` are those behind the channels, for scales of
    channels: 2 for images, 1 for signals, 0 for vectors.
    """
    shape = (1, channels, *[1] * dimensions) if spec.per_channel else ()
    bits, limit = spec.bits, spec.limit
    match spec.kind:
        case ActivationKind.SIGNED:
            return _signed(spec)
        case ActivationKind.RELU:
            return _rectified(relu_quantizer(bits, limit, shape), spec)
        case ActivationKind.DOREFA:
            return _rectified(dorefa_activations(bits, limit), spec)
        case ActivationKind.LSQ:
            return _rectified(lsq_activations(bits, limit, shape), spec)
        case ActivationKind.PO2:
            return _rectified(po2_activations(bits, limit, shape), spec)
        case ActivationKind.RSIGN:
            return RSign(channels, limit)
        case ActivationKind.RPRELU:
            sequence = nn.Sequential()
            sequence.add_module("rprelu", RPReLU(channels))
            sequence.add_module("quantize", _signed(spec))
            return sequence


def _signed(spec: ActivationSpec) -> nn.Module:
    quantizer = activation_quantizer(spec.bits, spec.limit)
    module: nn.Module = QuantIdentity(act_quant=quantizer, return_quant_tensor=True)
    return module


def _rectified(quantizer: Any, spec: ActivationSpec) -> nn.Module:  # noqa: ANN401 (an injector)
    module: nn.Module = QuantReLU(act_quant=quantizer, return_quant_tensor=not spec.per_channel)
    return module
