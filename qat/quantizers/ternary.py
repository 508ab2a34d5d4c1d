"""q(w) = a sign(w) where |w| > t, and 0 elsewhere: t = 0.7 mean|w|, a the mean of the |w| above t.

Both are of each output channel or of the whole tensor. The gradient goes straight through.

Reference: Li et al., Ternary Weight Networks, 2016.
"""

from __future__ import annotations

from typing import Any

import torch

from lutloom.qat.brevitas_parts import WeightQuantSolver
from lutloom.qat.quantizers.common import INTEGERS, LEAST_SCALE
from lutloom.qat.quantizers.straight_through import straight_through

_THRESHOLD = 0.7


class TernaryWeights(torch.nn.Module):
    """The core of a quantizer: weights to their values, scale, zero point and bits.

    ``output_channel_dim`` is the axis of the channels, ``per_channel`` whether each has a scale.
    """

    def __init__(self, output_channel_dim: int, *, scaling_per_output_channel: bool) -> None:
        super().__init__()
        self.channels = output_channel_dim if scaling_per_output_channel else None

    def forward(
        self, weights: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the ternary weights of the shape of ``weights``, and what scales them."""
        with torch.no_grad():
            sizes = weights.abs()
            axes = [axis for axis in range(weights.dim()) if axis != self.channels]
            kept = sizes > _THRESHOLD * sizes.mean(axes, keepdim=True)
            total = (sizes * kept).sum(axes, keepdim=True)
            scale = (total / kept.sum(axes, keepdim=True).clamp(min=1)).clamp(min=LEAST_SCALE)
            if self.channels is None:
                scale = scale.reshape(())
            quantized = weights.sign() * kept * scale
        zero, bits = weights.new_zeros(()), weights.new_full((), 2.0)
        return straight_through(weights, quantized), scale, zero, bits


def ternary_weights(*, per_channel: bool) -> Any:  # noqa: ANN401 (an injector of Brevitas)
    """Return the quantizer to -a, 0 and a."""
    return WeightQuantSolver.let(
        **INTEGERS,
        tensor_quant=TernaryWeights,
        narrow_range=True,
        signed=True,
        scaling_per_output_channel=per_channel,
    )
