"""q(w) = s clip(round(w / s), -m, m), m = 2^(bits-1) - 1, and s = max|w| / m follows the weights.

``max|w|`` is that of a channel or of the whole tensor. As a power of two, ``s`` is the least one
with ``2^(bits-1) s >= max|w|``, so that a scale is a shift: q(w) = s clip(round(w / s), -m, m).

References: Krishnamoorthi, Quantizing Deep Convolutional Networks for Efficient Inference, 2018
(the largest of a channel); Jain et al., Trained Quantization Thresholds for Accurate and Efficient
Fixed-Point Inference, MLSys 2020 (powers of two).
"""

from __future__ import annotations

from typing import Any

from lutloom.qat.brevitas_parts import (
    CeilSte,
    RestrictValueType,
    ScalingImplType,
    StatsOp,
    WeightQuantSolver,
)
from lutloom.qat.quantizers.common import INTEGERS, LEAST_SCALE


def integer_weights(bits: int, *, per_channel: bool) -> Any:  # noqa: ANN401 (an injector)
    """Return the quantizer whose scale is the largest of |w| over the largest level."""
    return _largest(bits, per_channel=per_channel, restrict_scaling_type=RestrictValueType.FP)


def po2_weights(bits: int, *, per_channel: bool) -> Any:  # noqa: ANN401 (an injector)
    """Return the quantizer whose scale is the power of two that suits the largest of |w|."""
    return _largest(
        bits,
        per_channel=per_channel,
        restrict_scaling_type=RestrictValueType.POWER_OF_TWO,
        restrict_value_float_to_int_impl=CeilSte,
    )


def _largest(bits: int, *, per_channel: bool, **restricted: object) -> Any:  # noqa: ANN401
    return WeightQuantSolver.let(
        bit_width=bits,
        narrow_range=True,
        signed=True,
        scaling_impl_type=ScalingImplType.STATS,
        scaling_stats_op=StatsOp.MAX,
        scaling_per_output_channel=per_channel,
        scaling_min_val=LEAST_SCALE,
        **restricted,
        **INTEGERS,
    )
