"""q(w) = a sign(w) with a = mean|w|, of each output channel or of the whole tensor; sign(0) = +1.

The gradient is straight through the sign and exact through the mean: dw = a dq + sign(w) / n times
the sum of sign(w) dq. Of XNOR-Net this is the scale of the weights; its scale for every pixel of
the activations is left out.

Reference: Rastegari et al., XNOR-Net: ImageNet Classification Using Binary Convolutional Neural
Networks, ECCV 2016.
"""

from __future__ import annotations

from typing import Any

from lutloom.qat.brevitas_parts import (
    QuantType,
    RestrictValueType,
    ScalingImplType,
    StatsOp,
    WeightQuantSolver,
)
from lutloom.qat.quantizers.common import INTEGERS, LEAST_SCALE


def xnor_weights(*, per_channel: bool) -> Any:  # noqa: ANN401 (an injector of Brevitas)
    """Return the quantizer to signs times the mean of the absolute values."""
    return WeightQuantSolver.let(
        **{**INTEGERS, "quant_type": QuantType.BINARY},
        bit_width=1,
        narrow_range=True,
        signed=True,
        restrict_scaling_type=RestrictValueType.FP,
        scaling_impl_type=ScalingImplType.STATS,
        scaling_stats_op=StatsOp.AVE,
        scaling_per_output_channel=per_channel,
        scaling_min_val=LEAST_SCALE,
    )
