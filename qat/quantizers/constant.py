"""q(x) = s * sign(x) at one bit, s * clip(round(x / s), -m, m) with m = 2^(bits-1) - 1 above.

The quantizers of BNN-PYNQ: a constant scale for the whole tensor, symmetric around zero, straight
through in the backward pass. Two bits are ternary: -s, 0, s. ``sign(0)`` is +1 and ties round to
even, here as in QONNX's ``BipolarQuant`` and ``Quant``. Two more are those of larger nets: fixed
point for an input, and 0 to 2^bits - 1 behind a ReLU.

A quantizer is what a Brevitas layer takes as ``weight_quant`` or ``act_quant``.
"""

from __future__ import annotations

from typing import Any

from lutloom.qat.brevitas_parts import (
    ActQuantSolver,
    BitWidthImplType,
    FloatToIntImplType,
    QuantType,
    RestrictValueType,
    ScalingImplType,
    WeightQuantSolver,
    ZeroZeroPoint,
)
from lutloom.qat.quantizers.common import INTEGERS

LARGEST_BITS = 8


def constant_weights(bits: int, limit: float = 1.0) -> Any:  # noqa: ANN401 (an injector of Brevitas)
    """Return a quantizer of weights with ``bits`` bits whose largest value is ``limit``.

    Raises ValueError unless bits is 1 to 8 and limit is positive.
    """
    return WeightQuantSolver.let(scaling_const=limit, **_constant_scale(bits, limit))


def activation_quantizer(bits: int, limit: float = 1.0) -> Any:  # noqa: ANN401 (an injector)
    """Return a quantizer of activations with ``bits`` bits whose largest value is ``limit``.

    Raises ValueError unless bits is 1 to 8 and limit is positive.
    """
    return ActQuantSolver.let(min_val=-limit, max_val=limit, **_constant_scale(bits, limit))


def fixed_point_quantizer(bits: int) -> Any:  # noqa: ANN401 (an injector)
    """Return a quantizer of activations to the multiples of ``2^(1-bits)`` in [-1, 1).

    Raises ValueError unless bits is 2 to 8.
    """
    _check_bits(bits, 2)
    return ActQuantSolver.let(
        min_val=-1.0,
        max_val=1.0,
        bit_width=bits,
        narrow_range=False,
        signed=True,
        restrict_scaling_type=RestrictValueType.POWER_OF_TWO,
        scaling_impl_type=ScalingImplType.CONST,
        scaling_per_output_channel=False,
        **INTEGERS,
    )


def relu_quantizer(bits: int, limit: float = 1.0, channel_shape: tuple[int, ...] = ()) -> Any:  # noqa: ANN401 (an injector)
    """Return a quantizer of activations to the levels 0 to ``2^bits - 1``, the last at ``limit``.

    With ``channel_shape``, such as (1, C, 1, 1), there is a scale a channel, a parameter to train.
    Raises ValueError unless bits is 1 to 8 and limit is positive.
    """
    _check_bits(bits, 1)
    _check_limit(limit)
    per_channel = {"per_channel_broadcastable_shape": channel_shape} if channel_shape else {}
    return ActQuantSolver.let(
        min_val=0.0,
        max_val=limit,
        bit_width=bits,
        narrow_range=False,
        signed=False,
        restrict_scaling_type=RestrictValueType.FP,
        scaling_impl_type=(ScalingImplType.PARAMETER if channel_shape else ScalingImplType.CONST),
        scaling_per_output_channel=bool(channel_shape),
        **per_channel,
        **INTEGERS,
    )


def _constant_scale(bits: int, limit: float) -> dict[str, object]:
    _check_bits(bits, 1)
    _check_limit(limit)
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


def _check_bits(bits: int, least: int) -> None:
    if not least <= bits <= LARGEST_BITS:
        raise ValueError(f"a quantizer of {bits} bits: use {least} to {LARGEST_BITS}")


def _check_limit(limit: float) -> None:
    if not limit > 0:
        raise ValueError(f"a quantizer whose largest value is {limit}: use a positive one")
