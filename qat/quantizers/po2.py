"""q(x) = s clip(round(x / s), 0, 2^bits - 1), s = 2^(ceil(log2 t) - bits) with a learned t.

A threshold t is a whole tensor's or a channel's; its parameter is log2 t, and the gradient goes
straight through the ceiling. The scale of every level is a shift.

Reference: Jain et al., Trained Quantization Thresholds for Accurate and Efficient Fixed-Point
Inference, MLSys 2020.
"""

from __future__ import annotations

from typing import Any

from lutloom.qat.brevitas_parts import (
    ActQuantSolver,
    CeilSte,
    RestrictValueType,
    ScalingImplType,
)
from lutloom.qat.quantizers.common import INTEGERS


def po2_activations(bits: int, limit: float, channel_shape: tuple[int, ...]) -> Any:  # noqa: ANN401 (an injector)
    """Return the quantizer of activations whose thresholds begin at ``limit``."""
    shape = {"per_channel_broadcastable_shape": channel_shape} if channel_shape else {}
    return ActQuantSolver.let(
        **INTEGERS,
        **shape,
        bit_width=bits,
        min_val=0.0,
        max_val=limit,
        narrow_range=False,
        signed=False,
        restrict_scaling_type=RestrictValueType.POWER_OF_TWO,
        restrict_value_float_to_int_impl=CeilSte,
        scaling_impl_type=ScalingImplType.PARAMETER,
        scaling_per_output_channel=bool(channel_shape),
    )
