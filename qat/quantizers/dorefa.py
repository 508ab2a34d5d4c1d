"""q(w) = (2 round(n r) - n) / n with r = tanh(w) / (2 max|tanh w|) + 1/2 and n = 2^bits - 1.

Weights are odd multiples of 1 / n, zero not among them: integers of bits + 1 bits. Of one bit they
are signs times the mean of |w| (:mod:`lutloom.qat.quantizers.xnor`). Activations are
q(x) = round(n x) / n for x clipped to [0, 1], or to ``limit`` times that. Gradients go straight
through the rounding, and are exact through the rest.

Reference: Zhou et al., DoReFa-Net: Training Low Bitwidth Convolutional Neural Networks with Low
Bitwidth Gradients, 2016.
"""

from __future__ import annotations

from typing import Any

import torch

from lutloom.qat.brevitas_parts import (
    ActQuantSolver,
    RestrictValueType,
    ScalingImplType,
    WeightQuantSolver,
    round_ste,
)
from lutloom.qat.quantizers.clipped import ClippedIntQuant
from lutloom.qat.quantizers.common import INTEGERS, LEAST_SCALE
from lutloom.qat.quantizers.xnor import xnor_weights


class DorefaWeights(torch.nn.Module):
    """The core of a quantizer: weights to their values, scale, zero point and bits."""

    def __init__(self, bit_width: int) -> None:
        super().__init__()
        self.levels = 2**bit_width - 1
        self.integer_bits = bit_width + 1

    def forward(
        self, weights: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return odd multiples of 1 / n, of the shape of ``weights``, and what scales them."""
        bent = weights.tanh()
        # of zeros alone, r is 1/2
        share = bent / (2 * bent.abs().max().clamp(min=LEAST_SCALE)) + 0.5
        integers = 2 * round_ste(self.levels * share) - self.levels
        scale = weights.new_full((), 1 / self.levels)
        zero, bits = weights.new_zeros(()), weights.new_full((), float(self.integer_bits))
        return integers * scale, scale, zero, bits


def dorefa_weights(bits: int) -> Any:  # noqa: ANN401 (an injector of Brevitas)
    """Return the quantizer of weights that a hyperbolic tangent has brought into [-1, 1]."""
    if bits == 1:
        return xnor_weights(per_channel=False)
    return WeightQuantSolver.let(
        **INTEGERS,
        tensor_quant=DorefaWeights,
        bit_width=bits,
        narrow_range=True,
        signed=True,
        scaling_per_output_channel=False,
    )


def dorefa_activations(bits: int, limit: float) -> Any:  # noqa: ANN401 (an injector of Brevitas)
    """Return the quantizer of activations that are clipped to [0, ``limit``]."""
    return ActQuantSolver.let(
        **{**INTEGERS, "int_quant": ClippedIntQuant},
        min_val=0.0,
        max_val=limit,
        bit_width=bits,
        narrow_range=False,
        signed=False,
        restrict_scaling_type=RestrictValueType.FP,
        scaling_impl_type=ScalingImplType.CONST,
        scaling_per_output_channel=False,
    )
