"""RSign: y = sign(x - a), and RPReLU: y = f(x - b) + c with f(z) = z above zero and d z below.

a, b, c and d are learned, one of each for a channel. Directly in front of a quantizer they are
free: a shift moves its thresholds, and so does a slope.

The gradient of the sign is that of Bi-Real Net, 2 - 2 |x| where |x| < 1 and zero elsewhere.

References: Liu et al., ReActNet: Towards Precise Binary Neural Network with Generalized Activation
Functions, ECCV 2020; Liu et al., Bi-Real Net, ECCV 2018.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lutloom.qat.brevitas_parts import (
    ActQuantSolver,
    BinaryQuant,
    QuantIdentity,
    QuantType,
    RestrictValueType,
    ScalingImplType,
)
from lutloom.qat.quantizers.common import INTEGERS
from lutloom.qat.run import values_of

_SLOPE = 0.25


class _ApproximateSign(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: torch.Tensor) -> torch.Tensor:  # noqa: ANN401
        context.save_for_backward(x)
        return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> torch.Tensor:  # noqa: ANN401
        (x,) = context.saved_tensors
        passed: torch.Tensor = gradient * (2 - 2 * x.abs()).clamp(min=0)
        return passed


class ApproximateSignQuant(BinaryQuant):  # type: ignore[misc]
    """The core of a quantizer: x to signs times the scale, the scale, zero point and bits."""

    def forward(
        self, x: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the signs of ``x``, of its shape, and what scales them."""
        scale = self.scaling_impl(x)
        signs: torch.Tensor = _ApproximateSign.apply(x / scale)  # type: ignore[no-untyped-call]
        return signs * scale, scale, self.zero_point(), self.bit_width()


class Shift(nn.Module):
    """y = x + shift, a learned number for each channel, zero at first: (N, C, ...) to the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Any) -> torch.Tensor:  # noqa: ANN401 (a tensor, or Brevitas')
        """Return the shifted values."""
        values = values_of(x)
        return values + self.shift.reshape(-1, *[1] * (values.dim() - 2))


class RSign(nn.Module):
    """Signs behind a learned shift: (N, C, ...) to Brevitas' tensor of -limit and limit."""

    def __init__(self, channels: int, limit: float = 1.0) -> None:
        super().__init__()
        self.shift = Shift(channels)
        quantizer = ActQuantSolver.let(
            **{**INTEGERS, "quant_type": QuantType.BINARY, "tensor_quant": ApproximateSignQuant},
            min_val=-limit,
            max_val=limit,
            bit_width=1,
            narrow_range=True,
            signed=True,
            restrict_scaling_type=RestrictValueType.FP,
            scaling_impl_type=ScalingImplType.CONST,
            scaling_per_output_channel=False,
        )
        self.quantize = QuantIdentity(act_quant=quantizer, return_quant_tensor=True)

    def forward(self, x: Any) -> Any:  # noqa: ANN401 (tensors, or Brevitas')
        """Return the signs."""
        return self.quantize(self.shift(x))


class RPReLU(nn.Module):
    """A PReLU between two learned shifts: (N, C, ...) to floats of that shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.shift_in = Shift(channels)
        self.prelu = nn.PReLU(channels, init=_SLOPE)
        self.shift_out = Shift(channels)

    def forward(self, x: Any) -> torch.Tensor:  # noqa: ANN401 (a tensor, or Brevitas')
        """Return the function's values."""
        bent: torch.Tensor = self.shift_out(self.prelu(self.shift_in(x)))
        return bent
