"""The weights of a layer: which quantizer a spec is, and where weights begin."""

from __future__ import annotations

from typing import Any

import torch

from lutloom.qat.quantization import WeightKind, WeightSpec
from lutloom.qat.quantizers.a2q import a2q_weights
from lutloom.qat.quantizers.constant import constant_weights
from lutloom.qat.quantizers.dorefa import dorefa_weights
from lutloom.qat.quantizers.integer import integer_weights, po2_weights
from lutloom.qat.quantizers.lsq import lsq_weights
from lutloom.qat.quantizers.ternary import ternary_weights
from lutloom.qat.quantizers.xnor import xnor_weights

_CLIPPED = {WeightKind.CONSTANT: 1.0, WeightKind.XNOR: 1.0}


def weight_quantizer(spec: WeightSpec) -> Any:  # noqa: ANN401 (an injector of Brevitas)
    """Return what a layer of Brevitas takes as ``weight_quant``."""
    bits, per_channel = spec.bits, spec.per_channel
    match spec.kind:
        case WeightKind.CONSTANT:
            quantizer = constant_weights(bits)
        case WeightKind.XNOR:
            quantizer = xnor_weights(per_channel=per_channel)
        case WeightKind.DOREFA:
            quantizer = dorefa_weights(bits)
        case WeightKind.TERNARY:
            quantizer = ternary_weights(per_channel=per_channel)
        case WeightKind.LSQ:
            quantizer = lsq_weights(bits, per_channel=per_channel)
        case WeightKind.PO2:
            quantizer = po2_weights(bits, per_channel=per_channel)
        case WeightKind.INTEGER:
            quantizer = integer_weights(bits, per_channel=per_channel)
        case WeightKind.A2Q:
            assert spec.accumulator_bits is not None, "a spec of kind a2q has them"
            quantizer = a2q_weights(bits, spec.accumulator_bits, per_channel=per_channel)
    return quantizer.let(clipped_to=clip_range(spec))


def clip_range(spec: WeightSpec) -> float | None:
    """Return the absolute value that weights are clipped to after each step of training, if any.

    Further out they would not change what their quantizer gives, nor come back: the gradient goes
    straight through. Other kinds have a scale, or a function, that follows their weights.
    """
    return _CLIPPED.get(spec.kind)


def clipped_weights(model: torch.nn.Module) -> list[tuple[torch.nn.Parameter, float]]:
    """Return the weights that are clipped after each step, the parameters themselves, with bounds.

    Layers are those whose ``weight_quant`` is of :func:`weight_quantizer`.
    """
    found = []
    for module in model.modules():
        injector = getattr(getattr(module, "weight_quant", None), "quant_injector", None)
        if injector is not None and "clipped_to" in injector and injector.clipped_to is not None:
            found.append((module.get_parameter("weight"), float(injector.clipped_to)))
    return found


def initialize_weights(layer: torch.nn.Module, spec: WeightSpec) -> None:
    """Draw the weights of a layer of Brevitas anew, and let its quantizer start from them.

    Those on a constant grid are drawn over its whole range, so that every level occurs from the
    start; others as He et al. do it (Delving Deep into Rectifiers, ICCV 2015).
    """
    weight = layer.get_parameter("weight")
    if spec.kind is WeightKind.CONSTANT:
        torch.nn.init.uniform_(weight, -1.0, 1.0)
    else:
        torch.nn.init.kaiming_normal_(weight)
    # learned scales begin at what the weights are
    quantizer: Any = layer.weight_quant
    quantizer.init_tensor_quant()
