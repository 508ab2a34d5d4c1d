"""y = q forward, dx = dy backward: what a quantizer computes, and the gradient of its input.

Reference: Bengio et al., Estimating or Propagating Gradients Through Stochastic Neurons for
Conditional Computation, 2013 (the straight-through estimator).
"""

from __future__ import annotations

from typing import Any

import torch


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(_: Any, __: torch.Tensor, quantized: torch.Tensor) -> torch.Tensor:  # noqa: ANN401
        return quantized.clone()

    @staticmethod
    def backward(_: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:  # noqa: ANN401
        return gradient, None


def straight_through(x: torch.Tensor, quantized: torch.Tensor) -> torch.Tensor:
    """Return ``quantized``, of the shape of ``x``, whose gradient goes to ``x`` as it is."""
    found: torch.Tensor = _StraightThrough.apply(x, quantized)  # type: ignore[no-untyped-call]
    return found


class _ScaledGradient(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: torch.Tensor, factor: float) -> torch.Tensor:  # noqa: ANN401
        context.factor = factor
        return x.clone()

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:  # noqa: ANN401
        return context.factor * gradient, None


def scaled_gradient(x: torch.Tensor, factor: float) -> torch.Tensor:
    """Return ``x``, whose gradient is ``factor`` times that of the result."""
    found: torch.Tensor = _ScaledGradient.apply(x, factor)  # type: ignore[no-untyped-call]
    return found
