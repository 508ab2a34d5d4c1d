"""q(x) = s * sign(x) at one bit, s * clip(round(x / s), -m, m) with m = 2^(bits-1) - 1 above.

The quantizers of BNN-PYNQ: a constant scale for the whole tensor, symmetric around zero, straight
through in the backward pass. Two bits are ternary: -s, 0, s. ``sign(0)`` is +1 and ties round to
even, here as in QONNX's ``BipolarQuant`` and ``Quant``.

A quantizer is what a Brevitas layer takes as ``weight_quant`` or ``act_quant``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lutloom.qat.brevitas_parts import (
    ActQuantSolver,
    BitWidthImplType,
    FloatToIntImplType,
    QuantLinear,
    QuantType,
    RestrictValueType,
    ScalingImplType,
    WeightQuantSolver,
    ZeroZeroPoint,
)

if TYPE_CHECKING:
    import torch

LARGEST_BITS = 8


def weight_quantizer(bits: int, limit: float = 1.0) -> Any:  # noqa: ANN401 (an injector of Brevitas)
    """Return a quantizer of weights with ``bits`` bits whose largest value is ``limit``.

    Raises ValueError unless bits is 1 to 8 and limit is positive.
    """
    return WeightQuantSolver.let(scaling_const=limit, **_constant_scale(bits, limit))


def activation_quantizer(bits: int, limit: float = 1.0) -> Any:  # noqa: ANN401 (an injector)
    """Return a quantizer of activations with ``bits`` bits whose largest value is ``limit``.

    Raises ValueError unless bits is 1 to 8 and limit is positive.
    """
    return ActQuantSolver.let(min_val=-limit, max_val=limit, **_constant_scale(bits, limit))


def quantized_weights(model: torch.nn.Module) -> list[torch.nn.Parameter]:
    """Return the float weights of every quantized layer, the parameters themselves."""
    return [
        module.get_parameter("weight")
        for module in model.modules()
        if isinstance(module, QuantLinear)
    ]


def _constant_scale(bits: int, limit: float) -> dict[str, object]:
    if not 1 <= bits <= LARGEST_BITS:
        raise ValueError(f"a quantizer of {bits} bits: use 1 to {LARGEST_BITS}")
    if not limit > 0:
        raise ValueError(f"a quantizer whose largest value is {limit}: use a positive one")
    return dict(
        bit_width=bits,
        bit_width_impl_type=BitWidthImplType.CONST,
        float_to_int_impl_type=FloatToIntImplType.ROUND,
        narrow_range=True,
        quant_type=QuantType.BINARY if bits == 1 else QuantType.INT,
        restrict_scaling_type=RestrictValueType.FP,
        scaling_impl_type=ScalingImplType.CONST,
        scaling_per_output_channel=False,
        signed=True,
        zero_point_impl=ZeroZeroPoint,
    )
